/**
 * @module
 * A limited number of log lines a second for events that unknown senders can cause, then one line
 * with the number of lines that were left out. So nobody outside can fill the disk.
 */

/** Lines a second for refused requests. */
const LINES_PER_SECOND = 20;

/** What a {@link LineLimit} needs. */
export interface LineLimitOptions {
  /** Called once at the end of a second in which lines were left out, with their number. */
  readonly onLeftOut: (count: number) => void;
  readonly linesPerSecond?: number;
}

/** Lets lines through up to the limit and counts the others. */
export class LineLimit {
  readonly #limit: number;
  readonly #onLeftOut: (count: number) => void;
  #written = 0;
  #leftOut = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ onLeftOut, linesPerSecond = LINES_PER_SECOND }: LineLimitOptions) {
    this.#limit = linesPerSecond;
    this.#onLeftOut = onLeftOut;
  }

  /** Whether a line may be written now. */
  allows(): boolean {
    this.#timer ??= setTimeout(() => this.flush(), 1000);
    if (this.#written >= this.#limit) {
      this.#leftOut++;
      return false;
    }
    this.#written++;
    return true;
  }

  /** Ends the present second: reports what was left out. Also for the end of the program. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const leftOut = this.#leftOut;
    this.#written = 0;
    this.#leftOut = 0;
    if (leftOut > 0) this.#onLeftOut(leftOut);
  }
}
