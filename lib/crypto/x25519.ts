/**
 * @module
 * X25519 (RFC 7748) by node:crypto, which takes half the time of libsodium in WebAssembly, and at the
 * start of a program, before tweetnacl is compiled, a hundredth of its time.
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
import type { PrivateKey, PublicKey } from "./keys.ts";

const PUBLIC_KEY_BYTES = 32;
/** What comes before the 32 bytes of a key in DER (RFC 8410 §4 and §7). */
const PUBLIC_HEAD = Buffer.from("302a300506032b656e032100", "hex");
/** A public key in DER, filled anew for each: nothing keeps it. */
const PUBLIC_DER = Buffer.concat([PUBLIC_HEAD, new Uint8Array(PUBLIC_KEY_BYTES)]);
const PRIVATE_HEAD = Buffer.from("302e020100300506032b656e04220420", "hex");

type Bytes = Uint8Array<ArrayBuffer>;

/** The public key that belongs to a private one. */
export function publicKeyOf(privateKey: PrivateKey): PublicKey {
  return X25519Pair.of(privateKey).publicKey as PublicKey;
}

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

  /**
   * The shared secret with a public key, 32 bytes; `undefined` where it is all zeros.
   *
   * @throws {RangeError} when the public key has another length than 32 bytes.
   */
  agree(publicKey: Uint8Array): Bytes | undefined {
    if (publicKey.length !== PUBLIC_KEY_BYTES) {
      throw new RangeError(`public key of ${publicKey.length} bytes`);
    }
    PUBLIC_DER.set(publicKey, PUBLIC_HEAD.length);
    const key = createPublicKey({ key: PUBLIC_DER, format: "der", type: "spki" });
    let secret: Uint8Array;
    try {
      secret = diffieHellman({ privateKey: this.#privateKey, publicKey: key });
    } catch {
      // Deno 2.9 throws for a result of all zeros, 2.4 returns it.
      return undefined;
    }
    let any = 0;
    for (const byte of secret) any |= byte;
    return any === 0 ? undefined : new Uint8Array(secret);
  }
}
