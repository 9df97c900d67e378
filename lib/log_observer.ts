/**
 * @module
 * The observer that writes the log: refusals with reason and address, at most 20 lines a second;
 * functions that fail; new addresses; full tables; faults. Never a value of a request.
 */
import { LineLimit } from "./limits/line_limit.ts";
import { type Logger, logger } from "./log.ts";
import type {
  Answered,
  Barred,
  Called,
  FaultyPart,
  InviteUsed,
  Observer,
  ReachedLimit,
  Refused,
  Reloaded,
} from "./observer.ts";
import { type RefusalCode, REFUSALS } from "./refusals.ts";

const LIMITS: Readonly<Record<ReachedLimit, string>> = {
  remembered_requests:
    "A client's share of [Limits] RememberedRequests is used up: its requests are refused until older ones expire",
  sender_addresses:
    "More client addresses than [Limits] Addresses: the one unused for longest is forgotten",
  failing_addresses:
    "More addresses with refused requests than [Limits] Addresses: the oldest is forgotten",
};
const RELOADED: Readonly<Record<Reloaded, string>> = {
  key_store: "Key store reloaded",
  server_key: "Server key reloaded",
  modules: "Modules reloaded",
  certificate: "Certificate reloaded",
};
/** Longest detail of a refusal, in characters. */
const MAX_DETAIL = 2000;
/** Longest forwarded value, in characters. */
const MAX_FORWARDED = 100;

const requests = logger("requests");
const server = logger("server");
const functions = logger("functions");
const calls = logger("calls");

function describeReason(code: RefusalCode, functionName: string | undefined): string {
  const reason = REFUSALS[code];
  return functionName === undefined
    ? reason
    : reason.replace("the function", `function ${functionName}`);
}

function describeDetail(detail: string | undefined): string {
  return detail === undefined ? "" : `: ${detail.slice(0, MAX_DETAIL)}`;
}

/** What a client may not do is no fault of a function. */
function levelOf(code: RefusalCode): "error" | "warning" {
  const isFault = code === "internal_error" ||
    (code.startsWith("function_") && code !== "function_not_allowed");
  return isFault ? "error" : "warning";
}

function loggerOf(part: FaultyPart): Logger {
  return part === "modules" ? functions : server;
}

/** What is written beside the rest. */
export interface LogObserverOptions {
  /** A line for each call. */
  readonly logsCalls: boolean;
}

/** Writes what happens to the log. */
export class LogObserver implements Observer {
  readonly #options: LogObserverOptions;
  readonly #refusals = new LineLimit({
    onLeftOut: (count) => requests.warning("{count} more refused requests, not listed", { count }),
  });
  readonly #limits = new LineLimit({ onLeftOut: () => {}, linesPerSecond: 1 });
  /** The level does not change while the server runs. */
  readonly #isDebugging = requests.isEnabledFor("debug");

  constructor(options: LogObserverOptions = { logsCalls: false }) {
    this.#options = options;
  }

  answered({ origin }: Answered): void {
    if (!this.#isDebugging) return;
    const { address, protocol, host, port, prefix } = origin;
    const forwarded = [protocol, host, port, prefix]
      .map((part) => part?.slice(0, MAX_FORWARDED) ?? "-").join(" ");
    requests.debug(
      "Answered a request from {address}; forwarded proto, host, port, prefix: {forwarded}",
      { address, forwarded },
    );
  }

  refused({ protocol, code, origin, functionName, detail, client, reference }: Refused): void {
    if (code === "probe" || !this.#refusals.allows()) return;
    requests[levelOf(code)]("Refused a request from {address}: {reason}{detail}{by}{ref}", {
      address: origin.address,
      reason: describeReason(code, functionName),
      detail: describeDetail(detail),
      by: client === undefined ? "" : `; client ${client.label}`,
      ref: reference === undefined ? "" : ` (reference ${reference})`,
      code,
      protocol,
      ...(client === undefined ? {} : { client: client.label }),
    });
  }

  barred({ protocol, code, client, address, reference }: Barred): void {
    if (!this.#refusals.allows()) return;
    requests.warning("Refused a client at {address}: {reason}; client {client}{ref}", {
      address,
      reason: describeReason(code, undefined),
      client: client.label,
      ref: reference === undefined ? "" : ` (reference ${reference})`,
      code,
      protocol,
    });
  }

  /** Also where the whole request is refused, which {@link refused} tells: then there is no reference. */
  called(event: Called): void {
    if (this.#options.logsCalls) this.#writeCall(event);
    const { functionName, refusal, detail, reference, client } = event;
    if (refusal === undefined || reference === undefined || refusal === "unknown_function") return;
    if (!this.#refusals.allows()) return;
    functions[levelOf(refusal)]("{reason}{detail}; client {client} (reference {reference})", {
      reason: describeReason(refusal, functionName),
      detail: describeDetail(detail),
      reference,
      code: refusal,
      client: client.label,
    });
  }

  #writeCall({ functionName, refusal, reference, client, durationMs }: Called): void {
    calls.info("{client} called {function}: {outcome}, {duration} ms{ref}", {
      client: client.label,
      function: functionName ?? "an unknown function",
      outcome: refusal?.replace(/^function_/, "").replaceAll("_", " ") ?? "ok",
      duration: Number(durationMs.toFixed(1)),
      ref: reference === undefined ? "" : `, reference ${reference}`,
      ...(reference === undefined ? {} : { reference }),
    });
  }

  welcomed(): void {}

  inviteUsed({ invite, client, refusal, address, reference }: InviteUsed): void {
    if (client !== undefined) {
      const { file, name } = client;
      const who = name === undefined ? file : `${file} (${name})`;
      server.info("{who} joined with invite {invite} from {address}", { who, invite, address });
    } else if (this.#refusals.allows()) {
      const text = "Refused invite {invite} from {address}: {refusal} (reference {reference})";
      requests.warning(text, { invite, address, refusal, reference });
    }
  }

  newAddress(address: string): void {
    requests.info("Request from a new address: {address}", { address });
  }

  reloaded(what: Reloaded, detail: string): void {
    server.info("{what}: {detail}", { what: RELOADED[what], detail });
  }

  storeLoaded({ keys, secrets }: { readonly keys: number; readonly secrets: number }): void {
    server.info("Registered client keys: {keys}, secrets: {secrets}", { keys, secrets });
  }

  limitReached(limit: ReachedLimit): void {
    if (this.#limits.allows()) requests.warning("{text}", { text: LIMITS[limit] });
  }

  fault(part: FaultyPart, what: string): void {
    loggerOf(part)[part === "key_store" ? "warning" : "error"]("{what}", { what, part });
  }

  recovered(part: FaultyPart, what: string): void {
    loggerOf(part).info("{what}", { what, part });
  }

  processExited(reason: string): void {
    functions.error("Function process exited: {reason}", { reason });
  }

  redisConnected(): void {}

  redisAsked(): void {}

  acceptedAlone(): void {}

  /** Writes how many lines were left out. */
  close(): void {
    this.#refusals.flush();
    this.#limits.flush();
  }
}
