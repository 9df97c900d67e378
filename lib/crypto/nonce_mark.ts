/**
 * @module
 * Nonces of the server's own answers carry a mark that only the server can make, so that an answer
 * which somebody sends back as a request value (box keys are the same in both directions) is told
 * apart without a table: `16 random bytes ‖ SipHash-2-4(mark key, those 16 bytes)`.
 *
 * The mark key derives from the server's private key: answers stay marked across restarts. A
 * client's random nonce carries the mark by chance once in 2^64.
 */
import { type Box, NONCE_BYTES } from "./box.ts";
import type { PrivateKey } from "./keys.ts";

const RANDOM_BYTES = 16;
const CONTEXT = new TextEncoder().encode("mini-share-point v1 nonce mark");

/** Makes marked nonces and recognises them. */
export class NonceMark {
  readonly #box: Box;
  readonly #key: Uint8Array;

  constructor(box: Box, serverPrivateKey: PrivateKey) {
    this.#box = box;
    this.#key = box.hash(serverPrivateKey, CONTEXT).subarray(0, 16);
  }

  /** A fresh marked nonce, 24 bytes. */
  make(): Uint8Array<ArrayBuffer> {
    const nonce = new Uint8Array(NONCE_BYTES);
    const random = crypto.getRandomValues(nonce.subarray(0, RANDOM_BYTES));
    nonce.set(this.#box.shortHash(this.#key, random), RANDOM_BYTES);
    return nonce;
  }

  /** Whether this server made the nonce that opens a sealed value. */
  isOwn(sealed: Uint8Array): boolean {
    const mark = this.#box.shortHash(this.#key, sealed.subarray(0, RANDOM_BYTES));
    return mark.every((byte, i) => byte === sealed[RANDOM_BYTES + i]);
  }
}
