/**
 * @module
 * Whether a function host still says anything. A function in its main thread may be in an endless loop
 * without a call, and would use a core until the next call finds out.
 */

/** Checks without a sign of life, after which there is none. A busy machine may be late once. */
const MOST_MISSED = 2;

/** Expects signs of life of one host. */
export class LifeSigns {
  readonly #timer: ReturnType<typeof setInterval>;
  #missed = 0;

  /**
   * @param everyMs how often the host gives one
   * @param onSilence called once, with the milliseconds without one
   */
  constructor(everyMs: number, onSilence: (milliseconds: number) => void) {
    this.#timer = setInterval(() => {
      // Counted, not measured: this process may have been stopped in the meantime.
      if (this.#missed++ === MOST_MISSED) onSilence(this.#missed * everyMs);
    }, everyMs);
  }

  /** The host said something, or could not. */
  note(): void {
    this.#missed = 0;
  }

  /** Expects none any more. */
  close(): void {
    clearInterval(this.#timer);
  }
}
