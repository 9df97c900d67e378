/**
 * @module
 * Protocol v1 (docs/protocol.md) for old servers: one function by its name, one text back. Nothing falls
 * back to it by itself.
 */
import { type Bytes, fromBase64, isEqual, toBase64 } from "./bytes.ts";
import { type Clock, Deadline, PLATFORM_CLOCK } from "./deadline.ts";
import { CallError } from "./errors.ts";
import { decodeUtf8 } from "./messages.ts";
import { type Box, BOX_NONCE_BYTES, boxOf } from "./nacl_box.ts";
import { type Fetch, toCallError, Transport } from "./transport.ts";
import { parseUrl } from "./url.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
/** The largest MaxResult is 64 MiB, and base64 adds a third. */
const MAX_ANSWER_BYTES = 96 * 1024 * 1024;
const ENCODER = new TextEncoder();

/** What a client of v1 holds. */
export interface V1Keys {
  /** Base64, `client.key`. */
  readonly privateKey: string;
  /** 128 hex digits, `client.secret`. */
  readonly secret: string;
  /** Base64, `server.pub`. */
  readonly serverKey: string;
}

/** One call. */
export interface V1Call {
  /** The endpoint, such as `https://home.example/v1`. */
  readonly url: string;
  readonly functionName: string;
  readonly keys: V1Keys;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly fetch?: Fetch;
  /** For the time in the request, Unix time in milliseconds. */
  readonly time?: () => number;
  readonly clock?: Clock;
}

/**
 * Calls a function.
 *
 * @returns its answer, as text
 * @throws {TypeError} when a key, the secret or the URL is malformed
 * @throws {CallError} when there is no answer. `refused` is every refusal that v1 knows, without a reason:
 * whether the function ran is not known
 */
export async function callV1(call: V1Call): Promise<string> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, signal, clock = PLATFORM_CLOCK } = call;
  const box = boxFrom(call.keys);
  const url = parseUrl(call.url);
  if (url === undefined) {
    throw new TypeError("Cannot call: url, expected one such as https://home.example/v1");
  }
  const transport = new Transport({
    url,
    fetch: call.fetch ?? ((target, init) => fetch(target, init)),
    maxAnswerBytes: MAX_ANSWER_BYTES,
    contentType: "application/json",
  });
  const { body, nonces } = writeRequest(call, box);
  const what = `Cannot call ${call.functionName}`;
  const deadline = new Deadline(clock, { timeoutMs, signal });
  try {
    const answer = await deadline.race(transport.post(body, deadline.signal));
    if (answer === "refused") {
      throw new CallError("refused", `${what}: the server refused the call`, MAYBE);
    }
    return readAnswer(answer, { box, nonces, what });
  } catch (error) {
    throw toCallError(error, { what, isCall: true });
  } finally {
    deadline.end();
  }
}
const MAYBE = { executed: "maybe" } as const;

function boxFrom({ privateKey, serverKey, secret }: V1Keys): Box {
  if (!/^[0-9a-fA-F]{128}$/.test(secret)) {
    throw new TypeError("Cannot call: secret, expected 128 hex digits");
  }
  const keys = [privateKey, serverKey].map((text) => fromBase64(text.trim()));
  const [own, theirs] = keys;
  const box = own?.length === 32 && theirs?.length === 32 ? boxOf(own, theirs) : undefined;
  if (box !== undefined) return box;
  throw new TypeError(
    "Cannot call: privateKey and serverKey, expected keys of 44 base64 characters",
  );
}

/** The four values, and their nonces. */
function writeRequest(
  { keys, functionName, time = Date.now }: V1Call,
  box: Box,
): { body: Bytes; nonces: readonly Bytes[] } {
  const id = ENCODER.encode(keys.secret);
  const plain = {
    id,
    check: writeInteger(crc32(id)),
    ts: writeInteger(Math.floor(time() / 1000)),
    entry: ENCODER.encode(functionName),
  };
  const sealed = Object.entries(plain).map(([name, value]) => [name, box.seal(value)] as const);
  const texts = sealed.map(([name, value]) => [name, toBase64Url(value)]);
  return {
    body: ENCODER.encode(JSON.stringify(Object.fromEntries(texts))),
    nonces: sealed.map(([, value]) => value.slice(0, BOX_NONCE_BYTES)),
  };
}

/**
 * Box keys are symmetric: who sits in between can return a value of the request itself, such as the secret.
 * It is told from an answer by its nonce.
 */
function readAnswer(
  body: Bytes,
  { box, nonces, what }: { box: Box; nonces: readonly Bytes[]; what: string },
): string {
  const sealed = valueOf(decodeUtf8(body) ?? "");
  const plaintext = sealed && box.open(sealed);
  const text = plaintext && decodeUtf8(plaintext);
  if (sealed === undefined || text === undefined) {
    throw new CallError("protocol", `${what}: the answer does not open under these keys`, MAYBE);
  }
  if (nonces.some((nonce) => isEqual(nonce, sealed.subarray(0, BOX_NONCE_BYTES)))) {
    throw new CallError("protocol", `${what}: the answer is a part of the request`, MAYBE);
  }
  return text;
}

function valueOf(body: string): Bytes | undefined {
  try {
    const members: unknown = JSON.parse(body);
    if (typeof members !== "object" || members === null || !("value" in members)) return undefined;
    return typeof members.value === "string" ? fromBase64(members.value) : undefined;
  } catch {
    return undefined;
  }
}

function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replace(/\+/g, "-").replace(/\//g, "_");
}

/** Unsigned, big-endian, without leading zeros. */
function writeInteger(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Uint8Array.from(bytes);
}

/** CRC-32 (IEEE), bit by bit: it covers 128 bytes a call. */
function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
