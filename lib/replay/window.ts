/**
 * @module
 * Fingerprints of `id`, `check` and `ts` of accepted requests, each until its request expires. Nothing
 * is forgotten before that: a table that is full refuses. What a client may hold depends on the room
 * that is left for others, so that no client can keep them out.
 *
 * A numbered place for each request, with three slots of the fingerprint table; a linked list of
 * places for each second in which requests expire, and one of free places.
 */
import { ENTRY_AT, FingerprintTable } from "./fingerprints.ts";

/** Nonces of a request in the window. */
const NONCES = ENTRY_AT / 2;
/** Expired requests that one new request drops: more than it adds, little enough for one request. */
const DROPS_PER_REQUEST = 16;
/**
 * How many times the free places a client may hold (dynamic thresholds, as switches share their
 * buffers): one busy client alone gets 8/9 of the table, two get 8/17 each.
 */
const SHARE = 8;
/** The same for requests that are dated ahead and stay for up to a day: 1/9 for one client. */
const EARLY_SHARE = 1 / 8;
const NONE = -1;
const FIRST_OWNERS = 64;

/** The window. */
export class RequestWindow {
  readonly #table: FingerprintTable;
  readonly #capacity: number;
  /** The place that follows in the same list, or -1. */
  readonly #next: Int32Array;
  /** Owner of the request in each place, or -1. */
  readonly #owners: Int32Array;
  /** Places that an owner holds. */
  #held = new Uint32Array(FIRST_OWNERS);
  readonly #headOfSecond = new Map<number, number>();
  readonly #seconds = new SecondHeap();
  #headOfFree = NONE;
  /** Places that were ever in use. */
  #opened = 0;
  #used = 0;

  /** @param capacity requests; 60 bytes of memory each, once used. */
  constructor(capacity: number) {
    this.#table = new FingerprintTable(NONCES * capacity);
    this.#capacity = capacity;
    this.#next = new Int32Array(capacity);
    this.#owners = new Int32Array(capacity);
  }

  /** In requests. */
  get fill(): { used: number; capacity: number } {
    return { used: this.#used, capacity: this.#capacity };
  }

  /** Whether a fingerprint is one of a request that has not expired. */
  has(low: number, high: number): boolean {
    return this.#table.has(low, high);
  }

  /**
   * Whether an owner has room for one more request, after what has expired is forgotten.
   *
   * @param owner a small whole number
   * @param isEarly the request will stay for longer than others
   */
  hasRoom(owner: number, nowSeconds: number, isEarly = false): boolean {
    const share = isEarly ? EARLY_SHARE : SHARE;
    for (let i = 0; i < DROPS_PER_REQUEST && this.#seconds.earliest < nowSeconds; i++) {
      this.#dropEarliest();
    }
    // After a quiet time there is more to drop, and the share of the owner may depend on it.
    while (!this.#isWithinShare(owner, share)) {
      if (this.#seconds.earliest >= nowSeconds) return false;
      this.#dropEarliest();
    }
    return true;
  }

  /**
   * Remembers a request; {@link RequestWindow.has} must be false for its nonces.
   *
   * @param words its fingerprints, of which the last is not for the window
   * @param owner who is charged for it; -1 for nobody
   * @returns false when every place is taken.
   */
  add(words: Uint32Array, owner: number, expiresAtSeconds: number): boolean {
    const place = this.#takePlace();
    if (place === NONE) return false;
    for (let i = 0; i < NONCES; i++) {
      this.#table.put(NONCES * place + i, words[2 * i] ?? 0, words[2 * i + 1] ?? 0);
    }
    const head = this.#headOfSecond.get(expiresAtSeconds);
    if (head === undefined) this.#seconds.push(expiresAtSeconds);
    this.#next[place] = head ?? NONE;
    this.#headOfSecond.set(expiresAtSeconds, place);
    this.#owners[place] = owner;
    if (owner >= 0) this.#charge(owner);
    return true;
  }

  #isWithinShare(owner: number, share: number): boolean {
    return (this.#held[owner] ?? 0) < share * (this.#capacity - this.#used);
  }

  #takePlace(): number {
    if (this.#used === this.#capacity) return NONE;
    this.#used++;
    const place = this.#headOfFree;
    if (place === NONE) return this.#opened++;
    this.#headOfFree = this.#next[place] ?? NONE;
    return place;
  }

  #charge(owner: number): void {
    if (owner >= this.#held.length) {
      const held = new Uint32Array(Math.max(owner + 1, 2 * this.#held.length));
      held.set(this.#held);
      this.#held = held;
    }
    this.#held[owner] = (this.#held[owner] ?? 0) + 1;
  }

  #dropEarliest(): void {
    const second = this.#seconds.earliest;
    const place = this.#headOfSecond.get(second) ?? NONE;
    const rest = this.#next[place] ?? NONE;
    if (rest === NONE) {
      this.#headOfSecond.delete(second);
      this.#seconds.pop();
    } else this.#headOfSecond.set(second, rest);
    for (let i = 0; i < NONCES; i++) this.#table.remove(NONCES * place + i);
    const owner = this.#owners[place] ?? NONE;
    if (owner >= 0) this.#held[owner] = (this.#held[owner] ?? 1) - 1;
    this.#next[place] = this.#headOfFree;
    this.#headOfFree = place;
    this.#used--;
  }
}

/**
 * Different seconds, the earliest first: a binary heap. With RequestTTL at its maximum there are
 * 172,801 of them, too many to look through for each request.
 */
class SecondHeap {
  readonly #heap: number[] = [];

  /** Infinity when empty. */
  get earliest(): number {
    return this.#heap[0] ?? Infinity;
  }

  push(second: number): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const value = heap[parent] ?? 0;
      if (value <= second) break;
      heap[at] = value;
      at = parent;
    }
    heap[at] = second;
  }

  /** Takes the earliest out. */
  pop(): void {
    const heap = this.#heap;
    const last = heap.pop() ?? 0;
    const { length } = heap;
    if (length === 0) return;
    let at = 0;
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child++;
      const value = heap[child] ?? 0;
      if (value >= last) break;
      heap[at] = value;
      at = child;
    }
    heap[at] = last;
  }
}
