/**
 * @module
 * A flat, fixed-size set of 8-byte fingerprints in numbered slots: the memory of accepted requests.
 * Open addressing with linear probing over slot numbers, deletion by backward shift (Knuth, TAOCP
 * vol. 3, §6.4, algorithm R), so that it never degrades. 16.4 bytes a slot, and the operating system
 * gives the pages when they are first used.
 *
 * A fingerprint is given as its low and its high word (unsigned 32 bits each). It must be a keyed hash:
 * then nobody can build two that collide or crowd a bucket.
 */

/** Words of a request's fingerprints: low and high word of `id`, `check`, `ts`, `entry`. */
export const FINGERPRINT_WORDS = 8;
/** Where the words of `entry` begin. */
export const ENTRY_AT = 6;

/** Slots of fingerprints and an index over them. Which slot is reused when is up to the caller. */
export class FingerprintTable {
  /** Two words a slot. */
  readonly #words: Uint32Array;
  /** Slot number + 1 at the fingerprint's place, 0 where empty; at most half full. */
  readonly #index: Uint32Array;
  readonly #mask: number;

  /** @param capacity number of slots; the index gets the next power of two above twice as many. */
  constructor(capacity: number) {
    this.#words = new Uint32Array(2 * capacity);
    const places = 2 ** Math.ceil(Math.log2(2 * capacity));
    this.#index = new Uint32Array(places);
    this.#mask = places - 1;
  }

  /** Whether a fingerprint is in the set. */
  has(low: number, high: number): boolean {
    for (let place = low & this.#mask;; place = (place + 1) & this.#mask) {
      const slot = (this.#index[place] ?? 0) - 1;
      if (slot < 0) return false;
      if (this.#words[2 * slot] === low && this.#words[2 * slot + 1] === high) return true;
    }
  }

  /** Puts a fingerprint into a slot that is free. */
  put(slot: number, low: number, high: number): void {
    this.#words[2 * slot] = low;
    this.#words[2 * slot + 1] = high;
    let place = low & this.#mask;
    while (this.#index[place] !== 0) place = (place + 1) & this.#mask;
    this.#index[place] = slot + 1;
  }

  /** Frees a slot that is in use. */
  remove(slot: number): void {
    let hole = (this.#words[2 * slot] ?? 0) & this.#mask;
    while (this.#index[hole] !== slot + 1) hole = (hole + 1) & this.#mask;
    for (let place = (hole + 1) & this.#mask;; place = (place + 1) & this.#mask) {
      const next = (this.#index[place] ?? 0) - 1;
      if (next < 0) break;
      const home = (this.#words[2 * next] ?? 0) & this.#mask;
      // Moves back only what does not belong between the hole and its present place.
      if (((place - home) & this.#mask) < ((place - hole) & this.#mask)) continue;
      this.#index[hole] = next + 1;
      hole = place;
    }
    this.#index[hole] = 0;
  }
}
