/**
 * @module
 * The observer that writes the log: refusals with reason and address, at most 20 lines a second;
 * functions that fail; new addresses; full tables; faults. Never a value of a request.
 */
import { LineLimit } from "./limits/line_limit.ts";
import { type Logger, logger } from "./log.ts";
import type {
  Answered,
  Called,
  FaultyPart,
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
  modules: "Modules reloaded",
  certificate: "Certificate reloaded",
};
/** Longest detail of a refusal, in characters. */
const MAX_DETAIL = 500;
/** Longest forwarded value, in characters. */
const MAX_FORWARDED = 100;

const requests = logger("requests");
const server = logger("server");
const functions = logger("functions");

function describeReason(code: RefusalCode, functionName: string | undefined): string {
  const reason = REFUSALS[code];
  return functionName === undefined
    ? reason
    : reason.replace("the function", `function ${functionName}`);
}

function describeDetail(detail: string | undefined): string {
  return detail === undefined ? "" : `: ${detail.slice(0, MAX_DETAIL)}`;
}

function loggerOf(part: FaultyPart): Logger {
  return part === "modules" ? functions : server;
}

/** Writes what happens to the log. */
export class LogObserver implements Observer {
  readonly #refusals = new LineLimit({
    onLeftOut: (count) => requests.warning("{count} more refused requests, not listed", { count }),
  });
  readonly #limits = new LineLimit({ onLeftOut: () => {}, linesPerSecond: 1 });
  /** The level does not change while the server runs. */
  readonly #isDebugging = requests.isEnabledFor("debug");

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
    const isFault = functionName !== undefined || code === "internal_error";
    const level = isFault ? "error" : "warning";
    requests[level]("Refused a request from {address}: {reason}{detail}{ref}", {
      address: origin.address,
      reason: describeReason(code, functionName),
      detail: describeDetail(detail),
      ref: reference === undefined ? "" : ` (reference ${reference})`,
      code,
      protocol,
      ...(client === undefined ? {} : { client: client.name ?? client.file }),
    });
  }

  /** A failed call of a request that was answered; where there are no words for it, {@link refused} tells. */
  called({ functionName, refusal, detail, reference, client }: Called): void {
    if (refusal === undefined || reference === undefined || !this.#refusals.allows()) return;
    functions.error("{reason}{detail} (reference {reference})", {
      reason: describeReason(refusal, functionName),
      detail: describeDetail(detail),
      reference,
      code: refusal,
      client: client.name ?? client.file,
    });
  }

  welcomed(): void {}

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

  /** Writes how many lines were left out. */
  close(): void {
    this.#refusals.flush();
    this.#limits.flush();
  }
}
