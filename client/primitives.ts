/**
 * @module
 * The library's one door to cryptography: X25519, ChaCha20-Poly1305, XChaCha20-Poly1305, SHA-256 and
 * HKDF by the @noble packages, which are plain JavaScript and run everywhere.
 */
import { chacha20poly1305, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { pow } from "@noble/curves/abstract/modular.js";
import { montgomery } from "@noble/curves/abstract/montgomery.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat } from "./bytes.ts";
import type { LongNonceCipher } from "./messages.ts";
import type { NoiseKeyPair, NoisePrimitives } from "./noise_ik.ts";

const NO_NONCE = new Uint8Array(12);
/** The prime of curve 25519 (RFC 7748 §4.1). */
const P = 2n ** 255n - 19n;

/**
 * X25519 (RFC 7748 §5), without what the package has for signatures on the same curve: that would be a
 * fifth of what a page loads.
 */
const x25519 = montgomery({
  P,
  type: "x25519",
  powPminus2: (x) => pow(x, P - 2n, P),
  adjustScalarBytes(bytes: Uint8Array): Bytes {
    const clamped = Uint8Array.from(bytes);
    clamped[0] = (clamped[0] ?? 0) & 248;
    clamped[31] = (clamped[31] ?? 0) & 127 | 64;
    return clamped;
  },
});

/** The functions of a handshake. */
export const PRIMITIVES: NoisePrimitives = {
  hash: (first, second) => sha256(concat(first, second)),
  hkdf: (salt, input) => hkdf(sha256, input, salt, undefined, 64),
  seal: (key, { ad, plaintext }) => chacha20poly1305(key, NO_NONCE, ad).encrypt(plaintext),
  open: (key, { ad, sealed }) =>
    orUndefined(() => chacha20poly1305(key, NO_NONCE, ad).decrypt(sealed)),
};

/** What seals calls and answers. */
export const CIPHER: LongNonceCipher = {
  seal: (key, nonce, { ad, plaintext }) => xchacha20poly1305(key, nonce, ad).encrypt(plaintext),
  open: (key, nonce, { ad, sealed }) =>
    orUndefined(() => xchacha20poly1305(key, nonce, ad).decrypt(sealed)),
};

/** The X25519 pair of a private key, 32 bytes. */
export function pairOf(privateKey: Uint8Array): NoiseKeyPair {
  return {
    publicKey: x25519.getPublicKey(privateKey),
    // The library refuses results of all zeros by an exception.
    agree: (publicKey) => orUndefined(() => x25519.getSharedSecret(privateKey, publicKey)),
  };
}

/** Random bytes of the platform. */
export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

function orUndefined(action: () => Bytes): Bytes | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
