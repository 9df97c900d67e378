/**
 * @module
 * Slots in the order of their last use: a doubly linked list over slot numbers in flat arrays,
 * 8 bytes a slot. Slots that were never used stand at the end.
 */

const NONE = -1;
const FIRST_CAPACITY = 64;

/** The order. All operations take constant time. */
export class UseOrder {
  #newer = new Int32Array(FIRST_CAPACITY);
  #older = new Int32Array(FIRST_CAPACITY);
  #newest = NONE;
  #oldest = NONE;

  /** The slot that was used last, or -1 when there is none. */
  get newest(): number {
    return this.#newest;
  }

  /** The slot that was used next after this one, or -1. */
  newerThan(slot: number): number {
    return slot < 0 ? NONE : this.#newer[slot] ?? NONE;
  }

  /** The slot that was used last before this one, or -1. */
  olderThan(slot: number): number {
    return slot < 0 ? NONE : this.#older[slot] ?? NONE;
  }

  /** Puts a slot that is not in the list at its end. */
  append(slot: number): void {
    if (slot >= this.#newer.length) this.#grow(slot);
    this.#newer[slot] = this.#oldest;
    this.#older[slot] = NONE;
    if (this.#oldest === NONE) this.#newest = slot;
    else this.#older[this.#oldest] = slot;
    this.#oldest = slot;
  }

  /** Takes a slot out of the list. */
  remove(slot: number): void {
    const newer = this.newerThan(slot), older = this.olderThan(slot);
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
  }

  /** Notes that a slot of the list was used. */
  touch(slot: number): void {
    if (slot === this.#newest) return;
    this.remove(slot);
    this.#newer[slot] = NONE;
    this.#older[slot] = this.#newest;
    if (this.#newest === NONE) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
  }

  /** Moves a slot of the list to the place of one that was used next after another slot of it. */
  moveAfter(slot: number, other: number): void {
    if (slot === other) return;
    this.remove(slot);
    const newer = this.newerThan(other);
    this.#older[slot] = other;
    this.#newer[slot] = newer;
    this.#newer[other] = slot;
    if (newer === NONE) this.#newest = slot;
    else this.#older[newer] = slot;
  }

  #grow(slot: number): void {
    const capacity = Math.max(slot + 1, 2 * this.#newer.length);
    const grown = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const array = new Int32Array(capacity);
      array.set(old);
      return array;
    };
    this.#newer = grown(this.#newer);
    this.#older = grown(this.#older);
  }
}
