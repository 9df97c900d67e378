/**
 * @module
 * The registered secrets, as keyed digests in flat arrays (40 bytes each). The time of a look-up
 * tells nothing of how much was right: what is looked up is a digest under a key that the sender
 * cannot know, and whole digests are compared in constant time.
 */
import { timingSafeEqual } from "node:crypto";
import type { Box } from "../crypto/box.ts";

const DIGEST_BYTES = 32;
const FIRST_CAPACITY = 64;

/** Digests with an index over them: open addressing, linear probing, at most half full. */
export class SecretSet {
  readonly #box: Box;
  /** Fresh in each process. */
  readonly #key = crypto.getRandomValues(new Uint8Array(32));
  #digests = new Uint8Array(FIRST_CAPACITY * DIGEST_BYTES);
  /** Number of a digest + 1 at its place, 0 where empty; always a power of two. */
  #index = new Uint32Array(2 * FIRST_CAPACITY);
  #size = 0;

  constructor(box: Box) {
    this.#box = box;
  }

  /** How many secrets are in the set. */
  get size(): number {
    return this.#size;
  }

  /** Adds a secret; a second time does nothing. */
  add(secret: Uint8Array): void {
    const digest = this.#box.hash(this.#key, secret);
    if (this.#find(digest)) return;
    if (2 * (this.#size + 1) > this.#index.length) this.#grow();
    this.#digests.set(digest, this.#size * DIGEST_BYTES);
    this.#place(this.#size++);
  }

  /** Whether these bytes are a registered secret. */
  has(secret: Uint8Array): boolean {
    return this.#find(this.#box.hash(this.#key, secret));
  }

  #find(digest: Uint8Array): boolean {
    const mask = this.#index.length - 1;
    for (let place = wordOf(digest) & mask;; place = (place + 1) & mask) {
      const number = (this.#index[place] ?? 0) - 1;
      if (number < 0) return false;
      if (timingSafeEqual(this.#digest(number), digest)) return true;
    }
  }

  #digest(number: number): Uint8Array {
    return this.#digests.subarray(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES);
  }

  #place(number: number): void {
    const mask = this.#index.length - 1;
    let place = wordOf(this.#digest(number)) & mask;
    while (this.#index[place] !== 0) place = (place + 1) & mask;
    this.#index[place] = number + 1;
  }

  #grow(): void {
    const digests = new Uint8Array(2 * this.#digests.length);
    digests.set(this.#digests);
    this.#digests = digests;
    this.#index = new Uint32Array(2 * this.#index.length);
    for (let number = 0; number < this.#size; number++) this.#place(number);
  }
}

function wordOf(digest: Uint8Array): number {
  return (digest[0] ?? 0) | (digest[1] ?? 0) << 8 | (digest[2] ?? 0) << 16 |
    (digest[3] ?? 0) << 24;
}
