/**
 * @module
 * The text forms of keys and secrets (docs/protocol.md §1) and the types that keep them apart.
 * Holds no library: boxes are in box.ts (libsodium) and nacl.ts (tweetnacl).
 */
import { decodeBase64, encodeBase64 } from "../protocol/base64.ts";

/** Bytes of a private, a public and a shared key. */
export const KEY_BYTES = 32;
/** Characters of a key in base64, with its padding. */
export const KEY_TEXT_LENGTH = 44;
/** Random bytes in a client secret; on the wire it is twice as many lower-case hex digits. */
export const SECRET_BYTES = 64;

declare const brand: unique symbol;
/** An X25519 public key, 32 bytes. Not yet known to be of large order: `Box.deriveSharedKey` tells. */
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

/** What a text that should be a key is instead; never the text itself, which may be a secret. */
export type KeyTextFault = "not base64" | "not 32 bytes";

/**
 * The 32 bytes of a key text: 44 characters of standard base64, with white space, line ends and a
 * byte order mark around them forgiven, since such files are edited by hand.
 */
function decodeKey(text: string): Uint8Array<ArrayBuffer> | KeyTextFault {
  const trimmed = text.trim();
  const bytes = decodeBase64(trimmed);
  if (bytes === undefined) return "not base64";
  if (bytes.length !== KEY_BYTES || trimmed.length !== KEY_TEXT_LENGTH) return "not 32 bytes";
  if (encodeBase64(bytes) !== trimmed) return "not base64";
  return bytes;
}

/**
 * The public key that a text holds, or what is wrong with the text.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(parsePublicKey("AAAA"), "not 32 bytes");
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
