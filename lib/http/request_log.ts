/**
 * @module
 * Log lines about requests: refusals with reason and address, at most 20 a second; functions that fail;
 * new addresses; a full memory of accepted requests. Never a value of a request.
 */
import { describeError } from "../functions/describe_error.ts";
import { LineLimit } from "../limits/line_limit.ts";
import { logger } from "../log.ts";
import type { Refused } from "./endpoint.ts";
import type { Origin } from "./forwarded.ts";

const log = logger("requests");

/** Writes them. */
export class RequestLog {
  readonly #refusals = new LineLimit({
    onLeftOut: (count) => log.warning("{count} more requests refused, not listed", { count }),
  });
  /** The level does not change while the server runs. */
  readonly #isDebugging = log.isEnabledFor("debug");
  readonly #failures = new LineLimit({ onLeftOut: () => {}, linesPerSecond: 1 });
  readonly #crowds = new LineLimit({ onLeftOut: () => {}, linesPerSecond: 1 });
  readonly #forgotten = new LineLimit({ onLeftOut: () => {}, linesPerSecond: 1 });

  /** A request that was answered; only for debugging. */
  answered({ address, protocol, host, port, prefix }: Origin): void {
    if (!this.#isDebugging) return;
    const forwarded = [protocol, host, port, prefix].map((part) => part?.slice(0, 100) ?? "-");
    log.debug(
      "Answered a request from {address}; forwarded proto, host, port, prefix: {forwarded}",
      {
        address,
        forwarded: forwarded.join(" "),
      },
    );
  }

  /** A request that was answered with 401. */
  refused({ reason, origin, functionName, error }: Refused): void {
    if (!this.#refusals.allows()) return;
    const { address } = origin;
    if (error === undefined && functionName === undefined) {
      log.warning("Refused a request from {address}: {reason}", { address, reason });
      return;
    }
    log.error("Refused a request from {address}: {reason}: {detail}", {
      address,
      reason: functionName === undefined ? reason : `${reason}: ${functionName}`,
      detail: error === undefined ? "no result" : describeError(error).slice(0, 500),
    });
  }

  /** An authenticated request came from an address that was not remembered. */
  newAddress(address: string): void {
    log.info("Request from a new address: {address}", { address });
  }

  /** The memory of accepted requests is full. */
  crowded(): void {
    if (!this.#crowds.allows()) return;
    log.warning(
      "More requests within RequestTTL than [Limits] RememberedRequests: some are refused",
    );
  }

  /** A table of addresses is full. */
  addressForgotten(table: "failed" | "were accepted"): void {
    if (!this.#forgotten.allows()) return;
    log.warning("More addresses {table} than [Limits] Addresses: the oldest are forgotten", {
      table,
    });
  }

  /** What was accepted cannot be kept on disk. */
  journalFailed(reason: string): void {
    if (!this.#failures.allows()) return;
    log.error("{reason}; a restart would forget what was accepted", {
      reason,
    });
  }

  /** Counts out what was left out so far. */
  close(): void {
    this.#refusals.flush();
    this.#crowds.flush();
    this.#forgotten.flush();
    this.#failures.flush();
  }
}
