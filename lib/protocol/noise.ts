/**
 * @module
 * The functions of a Noise handshake on the server: SHA-256 by node:crypto, the others by libsodium.
 * The handshake itself is client/noise_ik.ts, which clients use too.
 */
import type { NoisePrimitives } from "../../client/noise_ik.ts";
import type { Aead } from "../crypto/aead.ts";
import { hashPair } from "../crypto/digest.ts";

/** The functions, by libsodium and node:crypto. */
export function noisePrimitives(aead: Aead): NoisePrimitives {
  return {
    hash: hashPair,
    hkdf: (salt, input) => aead.hkdf(salt, input),
    seal: (key, data) => aead.sealOnce(key, data),
    open: (key, data) => aead.openOnce(key, data),
  };
}
