/**
 * @module
 * Nonces of the server's own answers carry a mark that only the server can make, so that an answer
 * which somebody sends back as a request value (box keys are the same in both directions) is told
 * apart without a table: `16 random bytes ‖ SipHash-2-4(mark key, those 16 bytes)`.
 *
 * The mark key derives from the server's private key: answers stay marked across restarts. A
 * client's random nonce carries the mark by chance once in 2^64.
 */
import { type Box, NONCE_BYTES, type ShortHashKey } from "./box.ts";
import type { PrivateKey } from "./keys.ts";
import { RandomPool } from "./random_pool.ts";

const RANDOM_BYTES = 16;
const MARK_BYTES = NONCE_BYTES - RANDOM_BYTES;
const CONTEXT = new TextEncoder().encode("mini-share-point v1 nonce mark");

/** Makes marked nonces and recognises them. */
export class NonceMark {
  readonly #box: Box;
  /** Of the server's keys; answers are marked with the first one. */
  #keys: readonly ShortHashKey[];
  readonly #mark = new Uint32Array(2);
  readonly #random = new RandomPool();
  readonly #nonce = new Uint8Array(NONCE_BYTES);

  constructor(box: Box, serverPrivateKey: PrivateKey) {
    this.#box = box;
    this.#keys = [this.#keyFor(serverPrivateKey)];
  }

  /** The server has these keys now: it makes the mark of the first one, and recognises those of all. */
  useServerKeys(privateKeys: readonly PrivateKey[]): void {
    this.#keys = privateKeys.map((each) => this.#keyFor(each));
  }

  #keyFor(privateKey: PrivateKey): ShortHashKey {
    return this.#box.keepShortHashKey(this.#box.hash(privateKey, CONTEXT).subarray(0, 16));
  }

  /** A fresh marked nonce, 24 bytes that are valid until the next call. */
  make(): Uint8Array<ArrayBuffer> {
    const nonce = this.#nonce;
    this.#random.fill(nonce, RANDOM_BYTES);
    this.#computeMark(this.#keys[0], nonce);
    for (let i = 0; i < MARK_BYTES; i++) nonce[RANDOM_BYTES + i] = this.#markByte(i);
    return nonce;
  }

  /** Whether this server made the nonce that opens a sealed value. */
  isOwn(sealed: Uint8Array): boolean {
    for (let i = 0; i < this.#keys.length; i++) {
      this.#computeMark(this.#keys[i], sealed);
      if (this.#isMarked(sealed)) return true;
    }
    return false;
  }

  #isMarked(sealed: Uint8Array): boolean {
    for (let i = 0; i < MARK_BYTES; i++) {
      if (sealed[RANDOM_BYTES + i] !== this.#markByte(i)) return false;
    }
    return true;
  }

  #computeMark(key: ShortHashKey | undefined, data: Uint8Array): void {
    if (key === undefined) throw new Error("the server has no key");
    this.#box.shortHash(key, { data, length: RANDOM_BYTES }, { out: this.#mark, at: 0 });
  }

  #markByte(index: number): number {
    return (this.#mark[index >> 2] ?? 0) >>> (8 * (index & 3)) & 0xff;
  }
}
