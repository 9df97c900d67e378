/**
 * @module
 * Memory for bytes that do not live long: Deno's V8 keeps no typed array in its own heap, so that one of 24
 * bytes takes 1 µs to make, more than it takes to seal what is in it. A view of an array takes 0.02 µs.
 */

/** Shared by what fits in. As long as one of them is in use, all of it is. */
const BLOCK_BYTES = 8192;
/** More than this gets memory of its own. */
const MOST_BYTES = BLOCK_BYTES / 4;

type Bytes = Uint8Array<ArrayBuffer>;

/** Gives memory that nobody else gets. */
export class ShortBytes {
  #block = new Uint8Array(0);
  #used = 0;

  /** Bytes of zero. */
  take(length: number): Bytes {
    if (length > MOST_BYTES) return new Uint8Array(length);
    if (this.#used + length > this.#block.length) {
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#used = 0;
    }
    this.#used += length;
    return this.#block.subarray(this.#used - length, this.#used);
  }

  /** The same bytes, somewhere else. */
  copy(bytes: Uint8Array): Bytes {
    const copy = this.take(bytes.length);
    copy.set(bytes);
    return copy;
  }
}
