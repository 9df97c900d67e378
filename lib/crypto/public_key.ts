/**
 * @module
 * Whether 32 bytes can be the public key of a key pair: a point of Curve25519's subgroup of prime order,
 * in its one canonical form. X25519 (RFC 7748 §5) computes with any 32 bytes, but:
 *
 * - it ignores the top bit and reduces by p, so that one key has several texts;
 * - points of low order give a shared key that everybody knows;
 * - 31 of 32 private keys are not such a point, which tells most of them from public keys.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import type { Box } from "./box.ts";
import type { PrivateKey, PublicKey } from "./keys.ts";

const FIELD = ed25519.Point.Fp;

/** What is wrong with a public key; completes "it is …". */
export type PublicKeyFault =
  | "a point of low order, under which everybody could read and write"
  | "not in canonical form: one key could be registered as two clients"
  | "not the public key of any key pair; a private key looks like this";

/**
 * What is wrong with a public key. It takes about 0.2 ms, which is right for registration and doctor and
 * too much for each load of a key store.
 */
export function publicKeyFault(box: Box, publicKey: PublicKey): PublicKeyFault | undefined {
  const u = littleEndian(publicKey);
  if (isPointOfPairs(box, u)) return undefined;
  if (isOfLowOrder(box, publicKey)) {
    return "a point of low order, under which everybody could read and write";
  }
  return u < FIELD.ORDER
    ? "not the public key of any key pair; a private key looks like this"
    : "not in canonical form: one key could be registered as two clients";
}

/** The bytes that X25519 computes with: the same key in its canonical form. */
export function canonicalPublicKey(publicKey: PublicKey): PublicKey {
  // Numbers below 2^255 - 2^248 are smaller than p.
  if ((publicKey[31] ?? 0) < 0x7f) return publicKey;
  const key = publicKey.slice();
  key[31] = (key[31] ?? 0) & 0x7f;
  return FIELD.toBytes(FIELD.create(littleEndian(key))) as PublicKey;
}

function isPointOfPairs(box: Box, u: bigint): boolean {
  // u = -1 has no counterpart on Edwards25519; it is of low order.
  if (u >= FIELD.ORDER - 1n) return false;
  // RFC 7748 §4.1: the point's y on Edwards25519. The twist has none, and the library refuses it.
  const y = FIELD.div(FIELD.sub(u, FIELD.ONE), FIELD.add(u, FIELD.ONE));
  return box.isOfPrimeOrder(FIELD.toBytes(y));
}

/** Whether its shared key is all zeros with every private key: private keys are multiples of 8. */
function isOfLowOrder(box: Box, publicKey: PublicKey): boolean {
  const shared = box.deriveSharedKey(publicKey, new Uint8Array(32).fill(1) as PrivateKey);
  if (shared !== undefined) box.forget(shared);
  return shared === undefined;
}

function littleEndian(bytes: Uint8Array): bigint {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).reverse().join("");
  return BigInt(`0x${hex}`);
}
