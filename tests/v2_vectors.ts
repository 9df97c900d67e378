/**
 * @module
 * The wire vectors of protocol v2, typed, and the two sets of primitives that are held against them.
 */
import { Buffer } from "node:buffer";
import type { LongNonceCipher } from "../client/messages.ts";
import type { NoiseKeyPair, NoisePrimitives } from "../client/noise_ik.ts";
import { CIPHER, pairOf, PRIMITIVES } from "../client/primitives.ts";
import { Aead } from "../lib/crypto/aead.ts";
import type { PrivateKey } from "../lib/crypto/keys.ts";
import { loadSodium } from "../lib/crypto/sodium.ts";
import { X25519Pair } from "../lib/crypto/x25519.ts";
import { noisePrimitives } from "../lib/protocol/noise.ts";

/** tests/vectors/v2.json; values are hex unless they are text. */
export interface V2Vectors {
  readonly server_key: string;
  readonly server_pub: string;
  readonly client_key: string;
  readonly client_pub: string;
  readonly stranger_key: string;
  readonly key_id: string;
  readonly ticket_key: string;
  readonly ticket_kid: string;
  readonly handshakes: readonly {
    readonly e: string;
    readonly payload: string;
    readonly hello: string;
    readonly server_e: string;
    readonly status: number;
    readonly lifetime_s: number;
    readonly time_ms: number;
    readonly serial: number;
    readonly ticket_nonce: string;
    readonly ticket: string;
    readonly info: string;
    readonly welcome: string;
    readonly k1: string;
    readonly k2: string;
    readonly handshake_hash: string;
    readonly reference: string;
  }[];
  readonly calls: readonly {
    readonly handshake: number;
    readonly n: number;
    readonly random: string;
    readonly request: string;
    readonly call: string;
    readonly answer_nonce: string;
    readonly response: string;
    readonly answer: string;
    readonly reference: string;
  }[];
  readonly refused_hellos: readonly { readonly kind: string; readonly hello: string }[];
  readonly refused_calls: readonly { readonly kind: string; readonly call: string }[];
  readonly bad_answers: readonly {
    readonly kind: string;
    readonly to_call: number;
    readonly answer: string;
  }[];
  readonly counts: Readonly<Record<string, number>>;
}

/** The vectors. */
export const VECTORS: V2Vectors = JSON.parse(
  await Deno.readTextFile(new URL("vectors/v2.json", import.meta.url)),
);

/** The bytes of a hex text. */
export function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

/** A set of primitives. */
export interface Implementation {
  readonly name: string;
  readonly primitives: NoisePrimitives;
  readonly cipher: LongNonceCipher;
  pairOf(privateKey: Uint8Array): NoiseKeyPair;
}

const aead = new Aead(await loadSodium());

/** The client's and the server's. */
export const IMPLEMENTATIONS: readonly Implementation[] = [
  { name: "@noble", primitives: PRIMITIVES, cipher: CIPHER, pairOf },
  {
    name: "libsodium and node:crypto",
    primitives: noisePrimitives(aead),
    cipher: aead,
    pairOf: (privateKey) => X25519Pair.of(Uint8Array.from(privateKey) as PrivateKey),
  },
];
