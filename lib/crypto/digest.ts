/**
 * @module
 * SHA-256 (FIPS 180-4), for what is kept in place of secrets and for names of public keys.
 */
import { createHash } from "node:crypto";
import type { PublicKey } from "./keys.ts";

/** Bytes of a digest. */
export const DIGEST_BYTES = 32;

/** SHA-256 of some bytes, 32 bytes. */
export function sha256(bytes: Uint8Array | string): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/**
 * A short name for a public key, in the form of OpenSSH: `SHA256:` and the digest of its 32 bytes in
 * base64 without padding.
 */
export function fingerprintOf(publicKey: PublicKey): string {
  return `SHA256:${createHash("sha256").update(publicKey).digest("base64").replace(/=+$/, "")}`;
}

/** SHA-256 of two values, one after the other. */
export function hashPair(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(first).update(second).digest());
}
