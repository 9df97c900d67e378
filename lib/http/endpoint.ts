/**
 * @module
 * (Request, peer address) → Response; the only place that knows HTTP. Whatever is POSTed to the
 * endpoint and brings no answer is the same empty 401; the reason goes to the caller's log.
 */
import type { ProxySettings } from "../config/settings.ts";
import { type BodyReader, type BodyRefusal, discardBody } from "../limits/body.ts";
import type { GateRefusal, RequestGate } from "../limits/gate.ts";
import type { RefusalClock } from "../limits/refusal_clock.ts";
import type { Answerer, Refusal } from "./answer.ts";
import { type Origin, originOf } from "./forwarded.ts";

/** Path of the endpoint; one slash may follow it. */
export const ENDPOINT_PATH = "/v1";

/** Why a request to the endpoint was refused. */
export type EndpointRefusal =
  | Refusal
  | BodyRefusal
  | GateRefusal
  | "not JSON by its Content-Type"
  | "internal error";

/** A refused request, for the log. */
export interface Refused {
  readonly reason: EndpointRefusal;
  readonly origin: Origin;
  readonly functionName?: string;
  readonly error?: unknown;
}

/** The parts of the endpoint. */
export interface EndpointParts {
  readonly answerer: Answerer;
  readonly bodies: BodyReader;
  readonly gate: RequestGate;
  /** Lets refusals leave in an even time; without, they leave at once. */
  readonly refusalClock?: RefusalClock;
  readonly proxy: ProxySettings;
  /** A request came to its end, after so many milliseconds; `reason` when it was refused. */
  readonly onEnded?: (durationMs: number, reason?: EndpointRefusal) => void;
  readonly onAnswered: (origin: Origin) => void;
  readonly onRefused: (refused: Refused) => void;
}

/** Handles one request; never rejects. */
export type Endpoint = (request: Request, peerAddress: string) => Promise<Response>;

const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json\s*(?:;|$)/i;
/**
 * Before 2.9 the platform compresses by itself what a client would take compressed, which is wasted on
 * ciphertext. A second header costs 2 µs a request, so newer versions do without.
 */
const COMPRESSES = /^2\.[0-8]\./.test(Deno.version.deno);
const ANSWER_HEADERS: [string, string][] = [
  ["content-type", "application/json"],
  ...COMPRESSES ? [["cache-control", "no-transform"] satisfies [string, string]] : [],
];
/** A refusal ends the connection, as the platform does by itself where a body was left unread: so all look alike. */
const REFUSAL_HEADERS: [string, string][] = [["connection", "close"]];

/** Builds the handler from its parts. */
export function createEndpoint(parts: EndpointParts): Endpoint {
  const { answerer, bodies, gate, refusalClock, proxy, onEnded, onAnswered } = parts;

  function refused(what: Refused, startedMs: number): void {
    parts.onRefused(what);
    onEnded?.(performance.now() - startedMs, what.reason);
  }

  async function answerPost(request: Request, origin: Origin): Promise<Response> {
    const begun = refusalClock?.begin() ?? 0;
    const startedMs = onEnded === undefined ? 0 : performance.now();
    const refusal = gate.enter(origin.address);
    if (refusal !== undefined) {
      await discardBody(request);
      refused({ reason: refusal, origin }, startedMs);
      // Holding this one would take the room that is missing.
      return makeRefusal();
    }
    // One function and no `finally`: each further promise shows in the throughput.
    try {
      if (isJson(request)) {
        const body = await bodies.read(request);
        const started = body.ok ? answerer.answer(body.text, origin.address) : body;
        const answer = started instanceof Promise ? await started : started;
        if (answer.ok) {
          onAnswered(origin);
          onEnded?.(performance.now() - startedMs);
          gate.leave(origin.address);
          return new Response(answer.body, { headers: ANSWER_HEADERS });
        }
        refused({ ...answer, origin }, startedMs);
      } else {
        await discardBody(request);
        refused({ reason: "not JSON by its Content-Type", origin }, startedMs);
      }
    } catch (error) {
      refused({ reason: "internal error", origin, error }, startedMs);
    }
    await refusalClock?.hold(begun);
    gate.leave(origin.address);
    return makeRefusal();
  }

  return (request, peerAddress) => {
    if (!isEndpoint(request)) return refuse(request, 404);
    if (request.method !== "POST") return refuse(request, 405, [["allow", "POST"]]);
    return answerPost(request, originOf(request.headers, peerAddress, proxy));
  };
}

function makeRefusal(): Response {
  return new Response(null, { status: 401, headers: REFUSAL_HEADERS });
}

function isJson(request: Request): boolean {
  const type = request.headers.get("content-type") ?? "";
  // The expression takes 2 µs, nearly all clients write just this.
  return type === "application/json" || JSON_TYPE.test(type);
}

async function refuse(
  request: Request,
  status: 404 | 405,
  headers: [string, string][] = [],
): Promise<Response> {
  await discardBody(request);
  return new Response(null, { status, headers: [...REFUSAL_HEADERS, ...headers] });
}

/** Nearly all clients call the server by one name. */
let lastEndpointUrl = "";

/**
 * Whether the request target is the endpoint, whatever its query. The platform puts the raw Host
 * header in front of the target, so that a URL parser could be led astray by `Host: x/v1?`: the
 * header is cut off by its length.
 */
function isEndpoint(request: Request): boolean {
  const { url } = request;
  if (url === lastEndpointUrl) return true;
  if (/^https?:\/\/[^/?#]*\/v1\/?$/.test(url)) {
    lastEndpointUrl = url;
    return true;
  }
  const host = request.headers.get("host") ?? "";
  const start = url.indexOf("//") + 2;
  if (!url.startsWith(host, start)) return false;
  return /^\/v1\/?(?:\?|$)/.test(url.slice(start + host.length));
}
