/**
 * @module
 * Tries again what failed for a reason that may pass, with growing pauses, and reports an outage once.
 * A failure is never remembered for ever: function processes, modules, listeners, the journal and the
 * log file all come back through this file.
 */

/** How long to wait between attempts. */
export interface PauseOptions {
  /** Milliseconds before the second attempt (default 1 s); each further pause is twice as long. */
  readonly firstPauseMs?: number;
  /** Longest pause (default 60 s). */
  readonly longestPauseMs?: number;
  /**
   * A pause is at least this many times as long as its attempt (default 10): a failing module can burn a
   * core. 0 for an attempt that only waits.
   */
  readonly restFactor?: number;
}

/**
 * Growing pauses.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const pauses = new Pauses({ firstPauseMs: 100, longestPauseMs: 300 });
 * assert.deepEqual([pauses.next(), pauses.next(), pauses.next(), pauses.next()], [100, 200, 300, 300]);
 * pauses.reset();
 * assert.equal(pauses.next(), 100);
 * // After an attempt of 2 s, 20 s of rest.
 * assert.equal(pauses.next(2000), 20_000);
 * ```
 */
export class Pauses {
  readonly #firstMs: number;
  readonly #longestMs: number;
  readonly #restFactor: number;
  #nextMs: number;

  constructor(
    { firstPauseMs = 1000, longestPauseMs = 60_000, restFactor = 10 }: PauseOptions = {},
  ) {
    this.#firstMs = firstPauseMs;
    this.#longestMs = longestPauseMs;
    this.#restFactor = restFactor;
    this.#nextMs = Math.min(firstPauseMs, longestPauseMs);
  }

  /**
   * The pause before the next attempt, in milliseconds.
   *
   * @param attemptMs how long the failed attempt took
   */
  next(attemptMs = 0): number {
    const pauseMs = this.#nextMs;
    this.#nextMs = Math.min(2 * pauseMs, this.#longestMs);
    return Math.max(pauseMs, this.#restFactor * attemptMs);
  }

  /** It worked: the next failure begins with the shortest pause again. */
  reset(): void {
    this.#nextMs = Math.min(this.#firstMs, this.#longestMs);
  }
}

/** What is tried, and who is told. */
export interface RetryOptions extends PauseOptions {
  /** One attempt; it failed when this throws or rejects. */
  readonly attempt: () => void | Promise<void>;
  /** Told once for each outage, with what the first failure threw. Must not throw. */
  readonly onFault?: (error: unknown) => void;
  /** Told once when an attempt succeeds after an outage. Must not throw. */
  readonly onRecovered?: () => void;
}

/** One thing that must work, and is tried again until it does. */
export class Retry {
  readonly #options: RetryOptions;
  readonly #pauses: Pauses;
  #isFailing = false;
  #isRunning = false;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RetryOptions) {
    this.#options = options;
    this.#pauses = new Pauses(options);
  }

  /** Whether the last attempt failed. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /**
   * Tries now, without waiting for a pause to end. A failure is reported, not thrown, and tried again.
   * Does nothing while an attempt runs, and after {@link Retry.close}.
   *
   * @returns whether it works now.
   */
  async now(): Promise<boolean> {
    if (this.#isRunning || this.#isClosed) return !this.#isFailing;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isRunning = true;
    const startMs = performance.now();
    try {
      await this.#options.attempt();
      this.#succeeded();
    } catch (error) {
      this.#failed(error, performance.now() - startMs);
    } finally {
      this.#isRunning = false;
    }
    return !this.#isFailing;
  }

  /** What worked has failed: reports it, and tries again after a pause. */
  failed(error: unknown): void {
    this.#failed(error, 0);
  }

  /** Stops trying; an attempt that runs may end. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #succeeded(): void {
    clearTimeout(this.#timer);
    this.#pauses.reset();
    const wasFailing = this.#isFailing;
    this.#isFailing = false;
    if (wasFailing && !this.#isClosed) this.#options.onRecovered?.();
  }

  #failed(error: unknown, attemptMs: number): void {
    const isNew = !this.#isFailing;
    this.#isFailing = true;
    if (this.#isClosed) return;
    if (isNew) this.#options.onFault?.(error);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.now(), this.#pauses.next(attemptMs));
  }
}
