/**
 * @module
 * The registered secrets, as 128-bit fingerprints in flat arrays (24 bytes a secret). A fingerprint
 * is SipHash-2-4 under two keys that are fresh in each process: whoever does not know the keys can
 * neither aim at one nor learn from the time of a look-up how much of a secret was right; and the
 * comparison of whole fingerprints takes constant time.
 */
import type { Box, ShortHashKey } from "../crypto/box.ts";

/** 32-bit words of a fingerprint. */
const WORDS = 4;
const FIRST_CAPACITY = 64;

/** Fingerprints with an index over them: open addressing, linear probing, at most half full. */
export class SecretSet {
  readonly #box: Box;
  readonly #keys: readonly [ShortHashKey, ShortHashKey];
  #fingerprints = new Uint32Array(FIRST_CAPACITY * WORDS);
  /** Number of a fingerprint + 1 at its place, 0 where empty; the length is a power of two. */
  #index = new Uint32Array(2 * FIRST_CAPACITY);
  #size = 0;
  /** Of the secret that is being looked up. */
  readonly #wanted = new Uint32Array(WORDS);

  constructor(box: Box) {
    this.#box = box;
    const freshKey = (): ShortHashKey =>
      box.keepShortHashKey(crypto.getRandomValues(new Uint8Array(16)));
    this.#keys = [freshKey(), freshKey()];
  }

  /** How many secrets are in the set. */
  get size(): number {
    return this.#size;
  }

  /** Adds a secret; a second time does nothing. */
  add(secret: Uint8Array): void {
    if (this.has(secret)) return;
    if (2 * (this.#size + 1) > this.#index.length) this.#grow();
    this.#fingerprints.set(this.#wanted, this.#size * WORDS);
    this.#place(this.#size++);
  }

  /** Whether these bytes are a registered secret. */
  has(secret: Uint8Array): boolean {
    const part = { data: secret, length: secret.length };
    this.#box.shortHash(this.#keys[0], part, { out: this.#wanted, at: 0 });
    this.#box.shortHash(this.#keys[1], part, { out: this.#wanted, at: 2 });
    const mask = this.#index.length - 1;
    for (let place = (this.#wanted[0] ?? 0) & mask;; place = (place + 1) & mask) {
      const number = (this.#index[place] ?? 0) - 1;
      if (number < 0) return false;
      if (this.#isWanted(number)) return true;
    }
  }

  #isWanted(number: number): boolean {
    let difference = 0;
    for (let i = 0; i < WORDS; i++) {
      difference |= (this.#fingerprints[number * WORDS + i] ?? 0) ^ (this.#wanted[i] ?? 0);
    }
    return difference === 0;
  }

  #place(number: number): void {
    const mask = this.#index.length - 1;
    let place = (this.#fingerprints[number * WORDS] ?? 0) & mask;
    while (this.#index[place] !== 0) place = (place + 1) & mask;
    this.#index[place] = number + 1;
  }

  #grow(): void {
    const fingerprints = new Uint32Array(2 * this.#fingerprints.length);
    fingerprints.set(this.#fingerprints);
    this.#fingerprints = fingerprints;
    this.#index = new Uint32Array(2 * this.#index.length);
    for (let number = 0; number < this.#size; number++) this.#place(number);
  }
}
