/**
 * @module
 * Refusals leave on the ticks of a clock, and not before a time that is enough for any of them: from
 * outside, how long a refusal took says nothing about its reason. The ticks are set by when requests
 * arrive after a pause, never by when one was refused.
 */

/** Time between two ticks, in milliseconds. */
const TICK_MS = 10;
/** Ticks from the last one before a request to the one with its refusal, which takes 20 to 30 ms. */
const HOLD_TICKS = 3;
/** Ticks without a request after which the clock stops, to let the machine sleep (10 s). */
const IDLE_TICKS = 1000;

/** Holds refusals back. */
export class RefusalClock {
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When tick 0 was, by `performance.now()`. */
  #origin = 0;
  #tick = 0;
  #lastBegun = 0;
  readonly #held = new Map<number, (() => void)[]>();
  readonly #holdTicks: number;

  /** @param holdTicks 0 lets refusals leave at once, for tests that make many. */
  constructor(holdTicks = HOLD_TICKS) {
    this.#holdTicks = holdTicks;
  }

  /** Notes that a request arrived. @returns what {@link hold} takes. */
  begin(): number {
    this.#run();
    return this.#lastBegun = this.#tick;
  }

  /** Resolves when the refusal of a request may leave. */
  hold(begun: number): Promise<void> {
    if (this.#holdTicks === 0) return Promise.resolve();
    // A body may take longer to come than the clock runs without a request.
    this.#run();
    const due = Math.max(begun + this.#holdTicks, this.#tick + 1);
    return new Promise((resolve) => {
      const held = this.#held.get(due);
      if (held === undefined) this.#held.set(due, [resolve]);
      else held.push(resolve);
    });
  }

  /** Stops the clock; what is held stays so. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(): void {
    if (this.#timer !== undefined) return;
    this.#origin = performance.now() - this.#tick * TICK_MS;
    this.#wait();
  }

  /**
   * Waits for the next tick as it was set at the beginning: an interval would move with the work that
   * came between two ticks, and show how long it took.
   */
  #wait(): void {
    const nextMs = this.#origin + (this.#tick + 1) * TICK_MS - performance.now();
    this.#timer = setTimeout(() => this.#onTime(), Math.max(0, nextMs));
  }

  #onTime(): void {
    const now = Math.floor((performance.now() - this.#origin) / TICK_MS);
    while (this.#tick < now) {
      const held = this.#held.get(++this.#tick);
      this.#held.delete(this.#tick);
      held?.forEach((release) => release());
    }
    if (this.#held.size > 0 || this.#tick - this.#lastBegun <= IDLE_TICKS) this.#wait();
    else this.#timer = undefined;
  }
}
