/**
 * @module
 * What went wrong with a call, in words: one line with whether the function ran, and a hint that comes
 * from the cause.
 */
import { TimeIsOver } from "../client/deadline.ts";
import type { CallError as ClientError } from "../client/errors.ts";
import { CallError } from "../lib/errors.ts";
import { isShallow } from "../lib/json_depth.ts";
import { networkReason } from "../lib/network_reason.ts";
import { count } from "../lib/prose.ts";
import type { Network } from "./network.ts";

/** What is known about a call beside its error. */
export interface CallContext {
  readonly url: URL;
  readonly functionName: string;
  readonly protocol: "v1" | "v2";
  /** With the last response of the server, or of a proxy. */
  readonly network: Pick<Network, "proxy" | "response">;
  /** What the error alone cannot tell; overrides the hint that belongs to its code. */
  readonly hint?: string | undefined;
}

/** An error in words: the state completes "Cannot …: ". */
interface Described {
  readonly verb?: "reach" | "call";
  readonly state: string;
  readonly hint?: string | undefined;
}

/** Characters of a function's own data that are shown. */
const MAX_DATA_LENGTH = 500;
/** Difference of clocks beyond which protocol v1 refuses by default, with what a network may add. */
const CLOCK_SECONDS = 25;

/** The error that is shown for a failed call. */
export function describeCallError(error: ClientError, context: CallContext): CallError {
  const { verb = "call", state, hint } = describe(error, context);
  const { executed, ref } = error;
  // A server that was not reached has no line for the reference in its log.
  const hasRef = ref !== undefined && (verb === "call" || executed !== "no");
  const facts = [`executed: ${executed}`, ...hasRef ? [`ref ${ref}`] : []].join(", ");
  const detail = context.hint ?? hint;
  const place = placeOf(context.url);
  const what = verb === "reach" ? place : `${context.functionName} at ${place}`;
  return new CallError(`Cannot ${verb} ${what}: ${state} (${facts})`, {
    cause: error,
    ...detail === undefined ? {} : { hint: detail },
  });
}

/** Name and password of a URL are for the server only, and so is what follows its path. */
function placeOf({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

function describe(error: ClientError, context: CallContext): Described {
  const { code, data, cause } = error;
  // The library says it as "Cannot VERB THING: STATE".
  const own = error.message.replace(/^Cannot [^:]*(?:https?:[^ ]*)?: /, "");
  switch (code) {
    case "unreachable":
    case "protocol":
      return context.network.response === undefined && code === "unreachable"
        ? describeNetwork(cause, context)
        : describeResponse(own, context);
    case "timeout":
      return cause instanceof TimeIsOver
        ? {
          state: `no answer within ${count(cause.timeoutMs / 1000, "second")}`,
          hint: "--timeout SECONDS waits longer",
        }
        : { state: `the function took longer than ${serverTimeout(data)}` };
    case "refused":
      return describeRefusal(error, context);
    case "session-lost":
      return {
        state: "the server did not accept the session",
        hint:
          "it was restarted at this moment, or several servers share the address; call again if " +
          "the function may run twice",
      };
    case "not-found":
      return {
        state: "there is no such function, or this client may not call it",
        hint: "msp describe lists what this client may call",
      };
    case "invalid-params":
      return describeParams(own, data);
    case "busy": {
      const { retryAfterMs } = error;
      const when = retryAfterMs === undefined
        ? "in a moment"
        : `in ${count(Math.ceil(retryAfterMs / 1000), "second")}`;
      return { state: "too many calls, of this client or in all", hint: `try again ${when}` };
    }
    case "failed":
      return describeFailure(error);
    case "too-large":
      return { state: tooLarge(own, data) };
  }
}

function serverTimeout(data: unknown): string {
  const milliseconds = memberOf(data, "timeoutMs");
  return typeof milliseconds === "number"
    ? `the ${count(milliseconds / 1000, "second")} that the server gives it`
    : "the server gives it";
}

function tooLarge(own: string, data: unknown): string {
  const bytes = memberOf(data, "maxResultBytes");
  return typeof bytes === "number" ? `the result is larger than ${count(bytes, "byte")}` : own;
}

function describeNetwork(cause: unknown, { url, network: { proxy } }: CallContext): Described {
  const { state, hint } = networkReason(cause);
  if (proxy === undefined) return { verb: "reach", state, hint };
  return {
    verb: "reach",
    state: `${state}, through the proxy of ${proxy}`,
    hint: `check that proxy, or set NO_PROXY=${url.hostname} to go past it`,
  };
}

function describeResponse(own: string, { network, url, protocol }: CallContext): Described {
  const { response } = network;
  if (response === undefined || response.status === 200) {
    const file = protocol === "v1" ? "server.pub" : "server2.pub";
    return {
      state: own,
      hint: `check that the key is the ${file} of this server, the URL, and what is in between`,
    };
  }
  const { status, headers } = response;
  const target = URL.parse(headers.get("location") ?? "", url);
  if (status >= 300 && status < 400 && target !== null && /^https?:$/.test(target.protocol)) {
    return {
      state: `it redirects to ${placeOf(target)} (status ${status})`,
      hint: protocol === "v1"
        ? "call that URL, if it is the right server"
        : "add a profile with that URL, if it is the right server",
    };
  }
  return { state: `status ${status}, expected 200`, hint: statusHint(status, protocol) };
}

function statusHint(status: number, protocol: CallContext["protocol"]): string {
  if (status === 404 || status === 405) {
    return `the endpoint of a Mini Share Point is …/${protocol}`;
  }
  if (status === 413) return "a proxy in front of the server allows smaller requests only";
  if (status === 429) return "a proxy in front of the server limits requests: wait, then try again";
  if (status >= 502 && status <= 504) {
    return "a proxy answers, but it cannot reach the server: check that the server runs";
  }
  return "this is not the answer of a Mini Share Point: check the URL and what is in front of it";
}

function describeRefusal({ data, ref }: ClientError, context: CallContext): Described {
  if (typeof data === "string") {
    return { state: `the server refused this client: ${data}`, hint: "ask its operator" };
  }
  if (context.protocol === "v2") {
    return {
      state: "the server refused this client (401)",
      hint: `it does not know the client's key, or has another key than the profile; its log has ` +
        `the reason at reference ${ref}`,
    };
  }
  return { state: "the server refused the call (401)", hint: clockHint(context.network.response) };
}

/** What a refusal of v1 can tell: the server's clock is in every response. */
function clockHint(response: Response | undefined): string {
  const serverTime = Date.parse(response?.headers.get("date") ?? "");
  const seconds = Math.round((Date.now() - serverTime) / 1000);
  if (!(Math.abs(seconds) > CLOCK_SECONDS)) {
    return "check the three files and the function's name; the server's log has the reason";
  }
  const direction = seconds > 0 ? "ahead of" : "behind";
  return `this machine's clock is ${count(Math.abs(seconds), "second")} ${direction} the server's`;
}

function describeParams(own: string, data: unknown): Described {
  const path = memberOf(data, "path"), expected = memberOf(data, "expected");
  if (typeof path !== "string" || typeof expected !== "string") {
    return { state: `the arguments do not fit: ${own}` };
  }
  const name = path.replace(/^\//, "").replaceAll("/", ".");
  const place = name === "" ? "the arguments" : name;
  const isNumber = /number|integer|boolean|array|object|null/.test(expected);
  return {
    state: `${place}, expected ${expected}`,
    hint: isNumber && name !== "" && !name.includes(".")
      ? `${name}:=VALUE passes JSON, ${name}=VALUE a text; msp describe shows the arguments`
      : "msp describe shows the arguments",
  };
}

function describeFailure({ message, data, ref }: ClientError): Described {
  const isOwn = message !== "The function failed";
  const state = isOwn ? `the function failed: ${message}` : "the function failed";
  if (data === undefined) {
    return isOwn
      ? { state }
      : { state, hint: `the server's log has the reason at reference ${ref}` };
  }
  // No server of ours sends data that is too deep to be written.
  const text = isShallow(data) ? JSON.stringify(data) : "…";
  const shown = text.length > MAX_DATA_LENGTH ? `${text.slice(0, MAX_DATA_LENGTH)}…` : text;
  return { state: `${state}; data ${shown}` };
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
