/**
 * @module
 * The messages of wire protocol v1 (docs/protocol.md): a request is a JSON object of four sealed
 * values, an answer one sealed value. Parses, verifies, encodes; no I/O, no clock of its own, no keys.
 */
import crc32 from "crc-32";
import { MAX_NAME_BYTES } from "../config/modules.ts";
import type { Refusal } from "../refusals.ts";
import { decodeBase64, decodeBase64Into, encodeBase64Url } from "./base64.ts";
import type { Parsed } from "./protocol.ts";

/** Names of the four values, in the order of the specification. */
export const VALUE_NAMES = ["id", "check", "ts", "entry"] as const;
/** One of the four values. */
export type ValueName = typeof VALUE_NAMES[number];

/** Each value as `nonce (24 bytes) ‖ tag (16 bytes) ‖ ciphertext`. */
export type SealedRequest = Readonly<Record<ValueName, Uint8Array>>;
/** Each value as plaintext. */
export type OpenedRequest = Readonly<Record<ValueName, Uint8Array>>;

/** Nonce and tag of a sealed value. */
const OVERHEAD = 40;
/** A client secret as text. */
const ID_LENGTH = 128;
/** `check` and `ts` are integers of 0 to 8 bytes. */
const MAX_INTEGER_LENGTH = 8;

const LENGTHS: Readonly<Record<ValueName, readonly [least: number, most: number]>> = {
  id: [OVERHEAD + ID_LENGTH, OVERHEAD + ID_LENGTH],
  check: [OVERHEAD, OVERHEAD + MAX_INTEGER_LENGTH],
  ts: [OVERHEAD, OVERHEAD + MAX_INTEGER_LENGTH],
  entry: [OVERHEAD + 1, OVERHEAD + MAX_NAME_BYTES],
};

/** Characters of a value at most, in base64 with padding. */
const MAX_VALUE_LENGTH = 4 * Math.ceil((OVERHEAD + MAX_NAME_BYTES) / 3);
/** Bytes of all four values at most. */
const MAX_REQUEST_BYTES = VALUE_NAMES.reduce((sum, name) => sum + LENGTHS[name][1], 0);

/**
 * Reads request bodies. All values of a request share one buffer, which the next request reuses: a
 * buffer for each value costs more than its cryptography.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(new RequestParser().parse("[]"), { ok: false, code: "malformed_value" });
 * ```
 */
export class RequestParser {
  readonly #buffer = new Uint8Array(MAX_REQUEST_BYTES + MAX_VALUE_LENGTH);
  #used = 0;

  /** Lengths that no valid request has are refused here, before any cryptography. */
  parse(body: string): Parsed<SealedRequest> | Refusal {
    let members: unknown;
    try {
      members = JSON.parse(body);
    } catch {
      return { ok: false, code: "not_json" };
    }
    this.#used = 0;
    const id = this.#value(members, "id");
    const check = this.#value(members, "check");
    const ts = this.#value(members, "ts");
    const entry = this.#value(members, "entry");
    if (id === undefined || check === undefined || ts === undefined || entry === undefined) {
      return { ok: false, code: "malformed_value" };
    }
    return { ok: true, message: { id, check, ts, entry } };
  }

  #value(members: unknown, name: ValueName): Uint8Array | undefined {
    if (typeof members !== "object" || members === null) return undefined;
    const text = (members as Record<string, unknown>)[name];
    if (typeof text !== "string" || text.length > MAX_VALUE_LENGTH) return undefined;
    const length = decodeBase64Into(text, this.#buffer, this.#used);
    const [least, most] = LENGTHS[name];
    if (length < least || length > most) return undefined;
    this.#used += length;
    return this.#buffer.subarray(this.#used - length, this.#used);
  }
}

/** What verification needs to know. */
export interface VerifyContext {
  /** Unix time of the server, whole seconds. */
  readonly nowSeconds: number;
  /** RequestTTL: how far `ts` may be from now, either way. */
  readonly requestTtlSeconds: number;
  /** Whether a secret is registered, in time that does not depend on its content. */
  readonly isRegisteredSecret: (secret: Uint8Array) => boolean;
}

/** When a request is valid. */
export interface RequestTimes {
  /** Its `ts`, Unix time in seconds. */
  readonly sentAtSeconds: number;
  /** The last second (Unix time) in which this request would be accepted. */
  readonly expiresAtSeconds: number;
}

/** What an authentic request asks for. */
export interface VerifiedRequest extends RequestTimes {
  /** Name of the function, folded to lower case. */
  readonly functionName: string;
}

/** Why a request is refused; with its times where it would be accepted later. */
export interface UnverifiedRequest extends Refusal {
  readonly times?: RequestTimes;
}

/** Checks an opened request: CRC of the secret, time, secret, form of the function's name. */
export function verifyRequest(
  opened: OpenedRequest,
  context: VerifyContext,
): { ok: true; request: VerifiedRequest } | UnverifiedRequest {
  if (readInteger(opened.check) !== crc32.buf(opened.id) >>> 0) {
    return { ok: false, code: "check_mismatch" };
  }
  const { nowSeconds, requestTtlSeconds } = context;
  const sentAt = readInteger(opened.ts);
  if (nowSeconds - sentAt > requestTtlSeconds) {
    return { ok: false, code: "expired", detail: `sent ${nowSeconds - sentAt} s ago` };
  }
  if (!context.isRegisteredSecret(opened.id)) return { ok: false, code: "unknown_secret" };
  const times = { sentAtSeconds: sentAt, expiresAtSeconds: sentAt + requestTtlSeconds };
  if (sentAt - nowSeconds > requestTtlSeconds) {
    return { ok: false, code: "too_early", detail: `dated ${sentAt - nowSeconds} s ahead`, times };
  }
  const name = decodeUtf8(opened.entry);
  if (name === undefined) return { ok: false, code: "malformed_name" };
  return { ok: true, request: { functionName: foldName(name), ...times } };
}

/**
 * A function's name as it is looked up: without regard to case.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(foldName("Time_Test"), "time_test");
 * ```
 */
export function foldName(name: string): string {
  return name.toLowerCase();
}

/**
 * Unsigned big-endian integer; leading zero bytes do not matter, no bytes are 0. Above 2^53 the
 * result is rounded, which no comparison here can notice: no valid value is near.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(readInteger(new Uint8Array([0, 1, 0])), 256);
 * ```
 */
export function readInteger(bytes: Uint8Array): number {
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value;
}

/**
 * Unsigned big-endian integer without leading zero bytes; 0 is an empty array.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(writeInteger(256), new Uint8Array([1, 0]));
 * ```
 */
export function writeInteger(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Uint8Array.from(bytes);
}

/** What a client puts into a request. */
export interface RequestContent {
  readonly secretHex: string;
  readonly functionName: string;
  /** Unix time of the client, whole seconds. */
  readonly nowSeconds: number;
}

/** Body of a request, each value sealed on its own by `seal` under a fresh nonce. */
export function encodeRequest(
  content: RequestContent,
  seal: (plaintext: Uint8Array) => Uint8Array,
): string {
  const id = ENCODER.encode(content.secretHex);
  const plain: OpenedRequest = {
    id,
    check: writeInteger(crc32.buf(id) >>> 0),
    ts: writeInteger(content.nowSeconds),
    entry: ENCODER.encode(content.functionName),
  };
  return JSON.stringify(
    Object.fromEntries(VALUE_NAMES.map((name) => [name, encodeBase64Url(seal(plain[name]))])),
  );
}

/** Body of an answer: the sealed value with padding, which the Python client needs. */
export function encodeResponse(sealed: Uint8Array): string {
  return `{"value":"${encodeBase64Url(sealed)}"}`;
}

/** The sealed value of an answer's body, or `undefined` when it is not an answer. */
export function parseResponse(body: string): Uint8Array | undefined {
  try {
    const members: unknown = JSON.parse(body);
    if (typeof members !== "object" || members === null || !("value" in members)) return undefined;
    return typeof members.value === "string" ? decodeBase64(members.value) : undefined;
  } catch {
    return undefined;
  }
}

const ENCODER = new TextEncoder();
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string | undefined {
  // Most names are short and ASCII, for which the platform's decoder is slow.
  let text = "";
  for (const byte of bytes) {
    if (byte >= 0x80) return decodeBeyondAscii(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}

function decodeBeyondAscii(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}
