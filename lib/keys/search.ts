/**
 * @module
 * The search for a sender among all registered keys: the expensive step, which strangers can cause.
 * It runs in slices of 2 ms between which the server does other work, within a share of one core. Those
 * who were accepted from their address lately come first and may wait; others are refused when the
 * share is used up.
 */
import { setImmediate } from "node:timers";
import type { WorkBudget } from "../limits/budget.ts";
import type { Keyring, Slot } from "./keyring.ts";

/** How long the search holds the event loop at a stretch. */
const SLICE_MS = 2;
/** Keys that are tried between two looks at the clock, about 0.1 ms. */
const KEYS_PER_STEP = 256;
/** Searches that wait at most, of each kind. */
const MAX_WAITING = 64;

/** What a search finds; "busy" when it was not made. */
export type SearchResult = Slot | "none" | "busy";

/** A search that waits or runs. */
interface Search {
  readonly sealed: Uint8Array;
  readonly resolve: (result: SearchResult) => void;
  /** All slots below are tried. */
  next: Slot;
}

/** Runs searches, one after the other. */
export class SenderSearch {
  readonly #keyring: Keyring;
  readonly #budget: WorkBudget;
  readonly #trusted: Search[] = [];
  readonly #others: Search[] = [];
  #isRunning = false;
  #spentMs = 0;

  constructor(keyring: Keyring, budget: WorkBudget) {
    this.#keyring = keyring;
    this.#budget = budget;
  }

  /** Milliseconds of work so far. */
  get spentMs(): number {
    return this.#spentMs;
  }

  /**
   * Looks for the key under which a value opens, among all.
   *
   * @param sealed is used until the end of the search: it must not change
   * @param isTrusted whether the address was accepted lately
   */
  find(sealed: Uint8Array, isTrusted: boolean): Promise<SearchResult> {
    const queue = isTrusted ? this.#trusted : this.#others;
    if (queue.length >= MAX_WAITING || (!isTrusted && this.#budget.allowanceMs <= 0)) {
      return Promise.resolve("busy");
    }
    return new Promise((resolve) => {
      queue.push({ sealed, resolve, next: 0 });
      if (this.#isRunning) return;
      this.#isRunning = true;
      this.#run();
    });
  }

  #run(): void {
    const search = this.#trusted[0] ?? this.#others[0];
    if (search === undefined) {
      this.#isRunning = false;
      return;
    }
    const pauseMs = this.#budget.pauseMs;
    if (pauseMs > 0) {
      setTimeout(() => this.#run(), pauseMs);
      return;
    }
    const result = this.#runSlice(search);
    if (result !== undefined) {
      const queue = search === this.#trusted[0] ? this.#trusted : this.#others;
      queue.shift();
      search.resolve(result);
    }
    setImmediate(() => this.#run());
  }

  #runSlice(search: Search): SearchResult | undefined {
    const start = performance.now();
    let result: SearchResult | undefined;
    do {
      result = this.#step(search);
    } while (
      result === undefined && search.next < this.#keyring.slotCount &&
      performance.now() - start < SLICE_MS
    );
    const elapsedMs = performance.now() - start;
    this.#spentMs += elapsedMs;
    this.#budget.spend(elapsedMs);
    return result;
  }

  #step(search: Search): SearchResult | undefined {
    const { slotCount, isLoading } = this.#keyring;
    if (search.next >= slotCount) return isLoading ? undefined : "none";
    const end = Math.min(slotCount, search.next + KEYS_PER_STEP);
    const slot = this.#keyring.findInSlots(search.sealed, search.next, end);
    search.next = end;
    return slot < 0 ? undefined : slot;
  }
}
