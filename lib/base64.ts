/**
 * @module
 * Base64 as protocol v1 needs it: decoding takes the standard and the URL-safe alphabet, with and
 * without padding (RFC 4648 §4, §5), and refuses every other character; encoding writes padding.
 *
 * It decodes by table because the platform offers nothing that fits: `Buffer` skips bad characters
 * without a word and takes 2–18 µs for a 224-character value, `atob` takes one alphabet and gives a
 * string, `Uint8Array.fromBase64` is missing in Deno 2.4.2.
 */
import { Buffer } from "node:buffer";

const INVALID = 255;
const SIX_BITS = makeTable();

function makeTable(): Uint8Array {
  const table = new Uint8Array(256).fill(INVALID);
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  for (let i = 0; i < digits.length; i++) table[digits.charCodeAt(i)] = i;
  for (const c of "+-") table[c.charCodeAt(0)] = 62;
  for (const c of "/_") table[c.charCodeAt(0)] = 63;
  return table;
}

/**
 * Bytes of a base64 text in either alphabet, or `undefined` when it is not one: a foreign
 * character, an impossible length, or padding that does not complete the last group of four.
 * Unused bits of the last character are ignored, as Python's decoder does.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(decodeBase64("-_8"), new Uint8Array([0xfb, 0xff]));
 * assert.deepEqual(decodeBase64("+/8="), new Uint8Array([0xfb, 0xff]));
 * assert.equal(decodeBase64("a b"), undefined);
 * ```
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  let end = text.length;
  if (end > 0 && text.charCodeAt(end - 1) === 61) {
    if (end % 4 !== 0) return undefined;
    end -= text.charCodeAt(end - 2) === 61 ? 2 : 1;
  }
  if (end % 4 === 1) return undefined;
  const bytes = new Uint8Array((end * 3) >> 2);
  let length = 0, pending = 0, bits = 0;
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    const value = code < 256 ? SIX_BITS[code] ?? INVALID : INVALID;
    if (value === INVALID) return undefined;
    pending = (pending << 6 | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[length++] = pending >> bits & 0xff;
    }
  }
  return bytes;
}

/**
 * Standard base64 with padding: the form of key files.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(encodeBase64(new Uint8Array([0xfb, 0xff])), "+/8=");
 * ```
 */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/**
 * URL-safe base64 with padding: the form of values on the wire (the Python client needs the
 * padding).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(encodeBase64Url(new Uint8Array([0xfb, 0xff])), "-_8=");
 * ```
 */
export function encodeBase64Url(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
  return text + "===".slice(0, (4 - text.length % 4) % 4);
}
