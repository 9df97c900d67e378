/**
 * @module
 * How long a call may take: its own time, and the signal of the caller.
 */

/** A clock that tests can move. */
export interface Clock {
  /** Milliseconds, never backwards. */
  now(): number;
  /** @returns what cancels it */
  setTimeout(action: () => void, milliseconds: number): () => void;
}

const startedAt = { wall: Date.now(), steady: performance.now() };

/**
 * The platform's clock. While a machine sleeps, one of its clocks may stand still: the one that went
 * further counts, so that a ticket is rather renewed too early.
 */
export const PLATFORM_CLOCK: Clock = {
  now: () => Math.max(Date.now() - startedAt.wall, performance.now() - startedAt.steady),
  setTimeout(action, milliseconds): () => void {
    const timer = setTimeout(action, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** Why time is over. */
export class TimeIsOver extends Error {
  constructor(readonly timeoutMs: number) {
    super(`no answer within ${timeoutMs / 1000} s`);
  }
}

/** Until when something may take, and what ends it before. To be ended in any case. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #cancelTimer: () => void;
  readonly #outer: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#controller.abort(this.#outer?.reason);

  constructor(
    clock: Clock,
    { timeoutMs, signal }: {
      readonly timeoutMs: number;
      readonly signal?: AbortSignal | undefined;
    },
  ) {
    this.#outer = signal;
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) this.#onAbort();
    const over = (): void => this.#controller.abort(new TimeIsOver(timeoutMs));
    this.#cancelTimer = clock.setTimeout(over, timeoutMs);
  }

  /** Aborts with {@link TimeIsOver}, or with the reason of the caller's signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The result of a promise, unless time is over before. */
  async race<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this;
    let onAbort = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener("abort", onAbort);
      if (signal.aborted) onAbort();
    });
    try {
      return await Promise.race([promise, aborted]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  end(): void {
    this.#cancelTimer();
    this.#outer?.removeEventListener("abort", this.#onAbort);
  }
}
