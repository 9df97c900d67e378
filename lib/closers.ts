/**
 * @module
 * What must be stopped, in the reverse order of its start: also when the start fails half-way.
 */

/** A list of things to stop. */
export class Closers {
  readonly #closers: (() => void | Promise<void>)[] = [];

  /** Adds something that was started, to be stopped before all that was added earlier. */
  add(close: () => void | Promise<void>): void {
    this.#closers.push(close);
  }

  /** Stops everything; each thing once, and all of them even if one fails. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
