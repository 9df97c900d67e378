/**
 * @module
 * The functions of a Noise handshake on the server: SHA-256 by node:crypto, the others by libsodium.
 * The handshake itself is client/noise_ik.ts, which clients use too.
 */
import { createHash } from "node:crypto";
import type { NoisePrimitives } from "../../client/noise_ik.ts";
import type { Aead } from "../crypto/aead.ts";

/** SHA-256 of two values, one after the other. */
export function hashPair(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHash("sha256").update(first).update(second).digest());
}

/** The functions, by libsodium and node:crypto. */
export function noisePrimitives(aead: Aead): NoisePrimitives {
  return {
    hash: hashPair,
    hkdf: (salt, input) => aead.hkdf(salt, input),
    seal: (key, data) => aead.sealOnce(key, data),
    open: (key, data) => aead.openOnce(key, data),
  };
}
