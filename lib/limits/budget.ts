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

/** Admits work that draws on a budget: some of it waits for its turn, the rest is refused. */
export class BudgetGate {
  readonly #budget: WorkBudget;
  readonly #maxWaiting: number;
  #waiting = 0;
  /** Ends when all that wait have had their turn. */
  #turns: Promise<void> = Promise.resolve();

  /** @param maxWaiting how many wait at most */
  constructor(budget: WorkBudget, maxWaiting: number) {
    this.#budget = budget;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Whether work may be done, now or after a wait.
   *
   * @param mayWait otherwise it is refused when the budget is used up
   */
  admit(mayWait: boolean): boolean | Promise<boolean> {
    if (this.#waiting === 0 && this.#budget.allowanceMs > 0) return true;
    if (!mayWait || this.#waiting >= this.#maxWaiting) return false;
    this.#waiting++;
    const turn = this.#turns.then(() => this.#wait());
    this.#turns = turn;
    return turn.then(() => true);
  }

  /** Notes work that was done. */
  spend(milliseconds: number): void {
    this.#budget.spend(milliseconds);
  }

  async #wait(): Promise<void> {
    for (let pauseMs; (pauseMs = this.#budget.pauseMs) > 0;) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    this.#waiting--;
  }
}
