/**
 * @module
 * The register of secrets: one line a secret, either the secret itself (128 hex digits, as the original
 * writes it) or `sha256:` and the SHA-256 of those digits, and behind it, where its time is limited,
 * `until=` and the Unix time in seconds. A secret has 512 random bits: its digest needs neither salt nor
 * slowness (docs/protocol.md §1).
 */
import { Buffer } from "node:buffer";
import { DIGEST_BYTES, sha256 } from "../crypto/digest.ts";
import { parseSecret, type SecretHex } from "../crypto/keys.ts";

/** A line of the register. */
export type RegisterLine =
  | { readonly kind: "plain"; readonly secret: SecretHex; readonly until?: undefined }
  /** `until`: Unix time in seconds from which it is not valid any more. */
  | { readonly kind: "hashed"; readonly digest: Uint8Array; readonly until?: number };

const HASHED = /^sha256:([0-9a-f]{64})(?:\s+until=(\d{1,12}))?$/i;

/**
 * What a line of the register says, or `undefined` when it is malformed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(parseRegisterLine("ab".repeat(64))?.kind, "plain");
 * assert.equal(parseRegisterLine(`sha256:${"ab".repeat(32)} until=17`)?.until, 17);
 * assert.equal(parseRegisterLine("sha256:ab"), undefined);
 * ```
 */
export function parseRegisterLine(line: string): RegisterLine | undefined {
  const trimmed = line.trim();
  const secret = parseSecret(trimmed);
  if (secret !== undefined) return { kind: "plain", secret };
  const [, hex = "", until] = HASHED.exec(trimmed) ?? [];
  const digest = new Uint8Array(Buffer.from(hex, "hex"));
  if (digest.length !== DIGEST_BYTES) return undefined;
  return { kind: "hashed", digest, ...(until === undefined ? {} : { until: Number(until) }) };
}

/** The line for a secret that does not hold the secret. */
export function hashedLine(secret: SecretHex): string {
  return `sha256:${Buffer.from(sha256(secret)).toString("hex")}`;
}
