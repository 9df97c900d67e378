/**
 * @module
 * A share of one core for work that unknown senders can cause: a token bucket of working time, with
 * a burst after quiet times.
 */

/** Work that may be done at once after a quiet time. */
const BURST_MS = 100;

/** Time to work. */
export class WorkBudget {
  readonly #share: number;
  readonly #clock: () => number;
  #allowanceMs = BURST_MS;
  #at: number;

  /**
   * @param share of one core, above 0 and at most 1
   * @param clock milliseconds, never backwards
   */
  constructor(share: number, clock: () => number = () => performance.now()) {
    this.#share = share;
    this.#clock = clock;
    this.#at = clock();
  }

  /** Milliseconds of work that may be done now; 0 or less when it is used up. */
  get allowanceMs(): number {
    const now = this.#clock();
    this.#allowanceMs = Math.min(BURST_MS, this.#allowanceMs + (now - this.#at) * this.#share);
    this.#at = now;
    return this.#allowanceMs;
  }

  /** Milliseconds of time until there is an allowance again. */
  get pauseMs(): number {
    return Math.max(0, -this.allowanceMs / this.#share);
  }

  /** Notes work that was done. */
  spend(milliseconds: number): void {
    this.#allowanceMs = this.allowanceMs - milliseconds;
  }
}
