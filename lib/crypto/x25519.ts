/**
 * @module
 * X25519 (RFC 7748) by node:crypto, which takes half the time of libsodium in WebAssembly.
 */
import { Buffer } from "node:buffer";
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import type { NoiseKeyPair } from "../../client/noise_ik.ts";
import type { PrivateKey } from "./keys.ts";

/** What comes before the 32 bytes of a key in DER (RFC 8410 §4 and §7). */
const PUBLIC_HEAD = Buffer.from("302a300506032b656e032100", "hex");
const PRIVATE_HEAD = Buffer.from("302e020100300506032b656e04220420", "hex");

type Bytes = Uint8Array<ArrayBuffer>;

/** A pair whose private key is in the hands of node:crypto. */
export class X25519Pair implements NoiseKeyPair {
  readonly #privateKey: KeyObject;
  readonly publicKey: Bytes;

  private constructor(privateKey: KeyObject, publicKey: KeyObject) {
    this.#privateKey = privateKey;
    const der = publicKey.export({ type: "spki", format: "der" });
    this.publicKey = Uint8Array.from(der.subarray(PUBLIC_HEAD.length));
  }

  /** The pair of a private key. */
  static of(privateKey: PrivateKey): X25519Pair {
    const der = Buffer.concat([PRIVATE_HEAD, privateKey]);
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    der.fill(0);
    return new X25519Pair(key, createPublicKey(key));
  }

  /** A fresh pair. */
  static generate(): X25519Pair {
    const { privateKey, publicKey } = generateKeyPairSync("x25519");
    return new X25519Pair(privateKey, publicKey);
  }

  /** The shared secret with a public key, 32 bytes; `undefined` where it is all zeros. */
  agree(publicKey: Uint8Array): Bytes | undefined {
    const der = Buffer.concat([PUBLIC_HEAD, publicKey]);
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    let secret: Uint8Array;
    try {
      secret = diffieHellman({ privateKey: this.#privateKey, publicKey: key });
    } catch {
      // Deno 2.9 throws for a result of all zeros, 2.4 returns it.
      return undefined;
    }
    let any = 0;
    for (const byte of secret) any |= byte;
    return any === 0 ? undefined : Uint8Array.from(secret);
  }
}
