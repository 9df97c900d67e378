/**
 * @module
 * NaCl boxes (X25519, XSalsa20-Poly1305) for protocol v1, by the @noble packages. Apart from
 * primitives.ts, because programs that speak v2 only need none of it.
 */
import { hsalsa, xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { type Bytes, concat } from "./bytes.ts";
import { pairOf, randomBytes } from "./primitives.ts";

/** Bytes of a nonce, which open every sealed value. */
export const BOX_NONCE_BYTES = 24;
const TAG_BYTES = 16;
const SIGMA = new TextEncoder().encode("expand 32-byte k");

/** One client's box with one server. */
export interface Box {
  /** `nonce ‖ tag ‖ ciphertext` under a fresh random nonce. */
  seal(plaintext: Uint8Array): Bytes;
  /** The plaintext of `nonce ‖ tag ‖ ciphertext`, or `undefined` when it does not authenticate. */
  open(sealed: Uint8Array): Bytes | undefined;
}

/** The box of a private and a public key; `undefined` when the public key is a point of low order. */
export function boxOf(privateKey: Uint8Array, publicKey: Uint8Array): Box | undefined {
  const shared = pairOf(privateKey).agree(publicKey);
  if (shared === undefined) return undefined;
  // crypto_box_beforenm: HSalsa20 of the shared secret and zeros.
  const key = new Uint32Array(8);
  hsalsa(wordsOf(SIGMA), wordsOf(shared), new Uint32Array(4), key);
  const keyBytes = new Uint8Array(key.buffer);
  return {
    seal(plaintext): Bytes {
      const nonce = randomBytes(BOX_NONCE_BYTES);
      return concat(nonce, xsalsa20poly1305(keyBytes, nonce).encrypt(plaintext));
    },
    open(sealed): Bytes | undefined {
      if (sealed.length < BOX_NONCE_BYTES + TAG_BYTES) return undefined;
      try {
        return xsalsa20poly1305(keyBytes, sealed.slice(0, BOX_NONCE_BYTES))
          .decrypt(sealed.slice(BOX_NONCE_BYTES));
      } catch {
        return undefined;
      }
    },
  };
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}
