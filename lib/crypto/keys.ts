/**
 * @module
 * The text forms of keys and secrets (docs/protocol.md §1) and the types that keep them apart.
 * Holds no library: boxes are in box.ts (libsodium) and nacl.ts (tweetnacl).
 */
import { describeKeyText } from "./key_text.ts";
import { decodeBase64, encodeBase64 } from "../protocol/base64.ts";

/** Bytes of a private, a public and a shared key. */
export const KEY_BYTES = 32;
/** Characters of a key in base64, with its padding. */
export const KEY_TEXT_LENGTH = 44;
/** Random bytes in a client secret; on the wire it is twice as many lower-case hex digits. */
export const SECRET_BYTES = 64;

declare const brand: unique symbol;
/** An X25519 public key, 32 bytes. Any 32 bytes: `publicKeyFault()` tells whether it is safe. */
export type PublicKey = Uint8Array<ArrayBuffer> & { readonly [brand]: "PublicKey" };
/** An X25519 private key, 32 bytes. */
export type PrivateKey = Uint8Array<ArrayBuffer> & { readonly [brand]: "PrivateKey" };
/** A client secret, 128 hex digits, used as this text. */
export type SecretHex = string & { readonly [brand]: "SecretHex" };

/** A private key and the public key that belongs to it. */
export interface KeyPair {
  readonly publicKey: PublicKey;
  readonly privateKey: PrivateKey;
}

/**
 * What a text that should be a key is instead, which completes "the text is …"; never the text itself,
 * which may be a secret.
 */
export type KeyTextFault = string;

/**
 * The 32 bytes of a key text: 44 characters of standard base64, with white space, line ends and a
 * byte order mark around them forgiven, since such files are edited by hand.
 */
function decodeKey(text: string): Uint8Array<ArrayBuffer> | KeyTextFault {
  const trimmed = text.trim();
  const bytes = trimmed.length === KEY_TEXT_LENGTH ? decodeBase64(trimmed) : undefined;
  // The second condition leaves one text for each key.
  if (bytes?.length === KEY_BYTES && encodeBase64(bytes) === trimmed) return bytes;
  return describeKeyText(text, decodeBase64(trimmed)?.length);
}

/**
 * The public key that a text holds, or what is wrong with the text.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(parsePublicKey("AAAA"), "not 32 bytes but 3");
 * assert.equal(formatKey(parsePublicKey(`  ${"A".repeat(43)}=\r\n`) as PublicKey), "A".repeat(43) + "=");
 * ```
 */
export function parsePublicKey(text: string): PublicKey | KeyTextFault {
  return decodeKey(text) as PublicKey | KeyTextFault;
}

/** The private key that a text holds, or what is wrong with the text. */
export function parsePrivateKey(text: string): PrivateKey | KeyTextFault {
  return decodeKey(text) as PrivateKey | KeyTextFault;
}

/** A key as 44 characters of standard base64, without a line end. */
export function formatKey(key: PublicKey | PrivateKey): string {
  return encodeBase64(key);
}

/**
 * The client secret that a text holds, or `undefined`: 128 hex digits, white space around them
 * forgiven. Upper case stays as it is written: secrets are compared as text.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(parseSecret("ab".repeat(64) + "\n"), "ab".repeat(64));
 * assert.equal(parseSecret("ab".repeat(63)), undefined);
 * ```
 */
export function parseSecret(text: string): SecretHex | undefined {
  const trimmed = text.trim();
  return /^[0-9a-fA-F]{128}$/.test(trimmed) ? trimmed as SecretHex : undefined;
}

/** A fresh client secret from the platform's random source. */
export function generateSecret(): SecretHex {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("") as SecretHex;
}
