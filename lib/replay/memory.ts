/**
 * @module
 * Requests seen: a request in which any of the four nonces was part of an accepted request is
 * refused (replay and splicing, docs/protocol.md §6). `id`, `check` and `ts` are remembered until the
 * request would be refused for its age; `entry`, which has no time of its own, is remembered for a number
 * of accepted requests. Memory is bounded by both capacities.
 */
import { FingerprintTable } from "./fingerprints.ts";

/** A request adds three nonces to the window and first drops up to so many that have expired. */
const DROPS_PER_REQUEST = 64;

/** Sizes of the tables, in nonces. */
export interface ReplayCapacities {
  readonly window: number;
  readonly entry: number;
}

/** Words of a request's fingerprints: low and high word of `id`, `check`, `ts`, `entry`. */
export const FINGERPRINT_WORDS = 8;
/** Where the words of `entry` begin. */
const ENTRY_AT = 6;

/** What the guard says of a request; `crowded` when it had to forget something too early. */
export type ReplayVerdict = "fresh" | "fresh, crowded" | "seen";

/** Remembers accepted requests. */
export class ReplayGuard {
  readonly #window: ExpiringSet;
  readonly #entries: RecentSet;

  constructor({ window, entry }: ReplayCapacities) {
    this.#window = new ExpiringSet(window);
    this.#entries = new RecentSet(entry);
  }

  /** How full the tables are, in nonces. */
  get fill(): Readonly<Record<"window" | "entries", { used: number; capacity: number }>> {
    return { window: this.#window.fill, entries: this.#entries.fill };
  }

  /**
   * Whether a request is new; if so it is remembered in the same step, so that of any number of
   * copies exactly one is fresh.
   *
   * @param words fingerprints of its nonces, {@link FINGERPRINT_WORDS} words
   */
  admit(
    words: Uint32Array,
    { nowSeconds, expiresAtSeconds }: { nowSeconds: number; expiresAtSeconds: number },
  ): ReplayVerdict {
    this.#window.dropExpired(nowSeconds);
    return this.#isSeen(words) ? "seen" : this.#remember(words, expiresAtSeconds);
  }

  /** Remembers a request that was accepted before a restart. */
  restore(
    words: Uint32Array,
    { nowSeconds, expiresAtSeconds }: { nowSeconds: number; expiresAtSeconds: number },
  ): void {
    if (this.#isSeen(words)) return;
    if (expiresAtSeconds >= nowSeconds) this.#remember(words, expiresAtSeconds);
    else this.#entries.add(words[ENTRY_AT] ?? 0, words[ENTRY_AT + 1] ?? 0);
  }

  #isSeen(words: Uint32Array): boolean {
    for (let at = 0; at < FINGERPRINT_WORDS; at += 2) {
      const low = words[at] ?? 0, high = words[at + 1] ?? 0;
      if (this.#entries.has(low, high) || this.#window.has(low, high)) return true;
    }
    return false;
  }

  #remember(words: Uint32Array, expiresAtSeconds: number): "fresh" | "fresh, crowded" {
    let crowded = false;
    for (let at = 0; at < ENTRY_AT; at += 2) {
      if (!this.#window.add(words[at] ?? 0, words[at + 1] ?? 0, expiresAtSeconds)) crowded = true;
    }
    this.#entries.add(words[ENTRY_AT] ?? 0, words[ENTRY_AT + 1] ?? 0);
    return crowded ? "fresh, crowded" : "fresh";
  }
}

/** Sizes from how many requests should be remembered. */
export function capacitiesFor(windowRequests: number, entryRequests: number): ReplayCapacities {
  return { window: 3 * windowRequests, entry: entryRequests };
}

/** The last `capacity` fingerprints: a ring. */
class RecentSet {
  readonly #table: FingerprintTable;
  readonly #capacity: number;
  #count = 0;

  constructor(capacity: number) {
    this.#table = new FingerprintTable(capacity);
    this.#capacity = capacity;
  }

  get fill(): { used: number; capacity: number } {
    return { used: Math.min(this.#count, this.#capacity), capacity: this.#capacity };
  }

  has(low: number, high: number): boolean {
    return this.#table.has(low, high);
  }

  add(low: number, high: number): void {
    const slot = this.#count % this.#capacity;
    if (this.#count >= this.#capacity) this.#table.remove(slot);
    this.#table.put(slot, low, high);
    this.#count++;
  }
}

/**
 * Fingerprints with an expiry in whole seconds: a linked list of slots for each second, and one of
 * free slots.
 */
class ExpiringSet {
  readonly #table: FingerprintTable;
  readonly #capacity: number;
  /** The slot that follows in the same list, or -1. */
  readonly #next: Int32Array;
  readonly #headOfSecond = new Map<number, number>();
  #headOfFree = -1;
  #used = 0;
  #free = 0;
  /** The earliest second that has a list; Infinity when nothing is remembered. */
  #earliest = Infinity;

  constructor(capacity: number) {
    this.#table = new FingerprintTable(capacity);
    this.#capacity = capacity;
    this.#next = new Int32Array(capacity);
  }

  get fill(): { used: number; capacity: number } {
    return { used: this.#used - this.#free, capacity: this.#capacity };
  }

  has(low: number, high: number): boolean {
    return this.#table.has(low, high);
  }

  /** @returns false when something that has not expired had to go: what expires first. */
  add(low: number, high: number, expiresAtSeconds: number): boolean {
    const full = this.#headOfFree < 0 && this.#used === this.#capacity;
    if (full) this.#dropOneEarliest();
    let slot = this.#headOfFree;
    if (slot >= 0) {
      this.#headOfFree = this.#next[slot] ?? -1;
      this.#free--;
    } else slot = this.#used++;
    this.#table.put(slot, low, high);
    this.#next[slot] = this.#headOfSecond.get(expiresAtSeconds) ?? -1;
    this.#headOfSecond.set(expiresAtSeconds, slot);
    this.#earliest = Math.min(this.#earliest, expiresAtSeconds);
    return !full;
  }

  /** Forgets some of what has expired: more than one request adds, little enough for one request. */
  dropExpired(nowSeconds: number): void {
    for (let i = 0; i < DROPS_PER_REQUEST && this.#earliest < nowSeconds; i++) {
      this.#dropOneEarliest();
    }
  }

  #dropOneEarliest(): void {
    this.#dropOne(this.#earliest);
    if (!this.#headOfSecond.has(this.#earliest)) {
      this.#earliest = Math.min(...this.#headOfSecond.keys());
    }
  }

  #dropOne(second: number): void {
    const slot = this.#headOfSecond.get(second);
    if (slot === undefined) return;
    const rest = this.#next[slot] ?? -1;
    if (rest < 0) this.#headOfSecond.delete(second);
    else this.#headOfSecond.set(second, rest);
    this.#table.remove(slot);
    this.#next[slot] = this.#headOfFree;
    this.#headOfFree = slot;
    this.#free++;
  }
}
