/**
 * @module
 * CPU time that a function host uses although no call runs in it. The host reports seconds in which it
 * used much (host/self_watch.ts); the server knows when calls ran, which the host's own code might not say.
 */

/** Reports come once a second; after this time without one, the host was quiet. */
const QUIET_MS = 2500;

/** What was going on in a host when its report came. Times are by `performance.now()`. */
export interface HostUse {
  readonly nowMs: number;
  /** Whether a call runs, or a module loads. */
  readonly isBusy: boolean;
  /** When a call or a load last began. */
  readonly usedAtMs: number;
}

/** Adds up the CPU time of one host. */
export class IdleCpu {
  readonly #mostMs: number;
  readonly #cores: number;
  #burnedMs = 0;
  #reportedAtMs: number;
  #wasBusy = true;
  #quietSinceMs = 0;

  /**
   * @param mostMs CPU time without a call, after which it is too much
   * @param startedAtMs when the host was started, by `performance.now()`
   * @param cores of the machine
   */
  constructor(mostMs: number, startedAtMs: number, cores = navigator.hardwareConcurrency) {
    this.#mostMs = mostMs;
    this.#reportedAtMs = startedAtMs;
    this.#cores = cores;
  }

  /** When the host was last known to be quiet: what began before does not matter. */
  get quietSinceMs(): number {
    return this.#quietSinceMs;
  }

  /**
   * Notes a report.
   *
   * @param usedMs of CPU time, in about a second before
   * @returns the CPU time since the host was quiet, once that is too much.
   */
  note(usedMs: number, { nowMs, isBusy, usedAtMs }: HostUse): number | undefined {
    const sinceMs = nowMs - this.#reportedAtMs;
    if (sinceMs > QUIET_MS) {
      this.#burnedMs = 0;
      this.#quietSinceMs = nowMs - QUIET_MS;
    }
    // An interval with calls says nothing about the time without.
    const hadCalls = isBusy || this.#wasBusy && sinceMs <= QUIET_MS ||
      nowMs - usedAtMs < Math.min(sinceMs, QUIET_MS);
    this.#reportedAtMs = nowMs;
    this.#wasBusy = isBusy;
    // A function may have forged the report, to be started again and again.
    if (!hadCalls) this.#burnedMs += Math.min(usedMs, this.#cores * sinceMs);
    if (this.#burnedMs < this.#mostMs) return undefined;
    const burnedMs = this.#burnedMs;
    this.#burnedMs = 0;
    return burnedMs;
  }
}
