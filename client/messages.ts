/**
 * @module
 * The messages of protocol v2 (docs/protocol-v2.md), byte by byte, for both sides: hello, welcome, call,
 * answer. Integers are big-endian. Seals and opens with what it is given; knows no tickets' content, no
 * JSON and no transport.
 */
import { type Bytes, concat, toHex } from "./bytes.ts";
import { FIRST_MESSAGE_BYTES, TAG_BYTES } from "./noise_ik.ts";

/** The first byte of a message. */
export const KIND = { hello: 0x01, welcome: 0x02, call: 0x03, answer: 0x04 } as const;
/** Bytes of the short name of a server's key, which opens a hello. */
export const KEY_ID_BYTES = 8;
/** Bytes of an XChaCha20 nonce. */
export const NONCE_BYTES = 24;
/** Number of calls for which a ticket is valid, numbered from 0. */
export const CALLS_PER_TICKET = 65_536;
/** Plaintexts of calls and answers are padded to a multiple of this. */
export const PADDING_BYTES = 64;

/** Kind and key id. */
const HELLO_HEAD_BYTES = 1 + KEY_ID_BYTES;
/** Kind and length of the ticket. */
const CALL_HEAD_BYTES = 1 + 2;
const NUMBER_BYTES = 4;
const MAX_TICKET_BYTES = 0xffff;

const ENCODER = new TextEncoder();

/** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03). Neither keeps nor changes what it is given. */
export interface LongNonceCipher {
  /** Ciphertext, then tag. */
  seal(key: Uint8Array, nonce: Uint8Array, data: { ad: Uint8Array; plaintext: Uint8Array }): Bytes;
  /** The plaintext, or `undefined` when it does not authenticate. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    data: { ad: Uint8Array; sealed: Uint8Array },
  ): Bytes | undefined;
}

/** The short name of a server's public key: `SHA-256("msp/2 key" ‖ key)`, its first 8 bytes. */
export function keyIdOf(
  publicKey: Uint8Array,
  hash: (first: Uint8Array, second: Uint8Array) => Bytes,
): Bytes {
  return hash(ENCODER.encode("msp/2 key"), publicKey).slice(0, KEY_ID_BYTES);
}

/** The Noise prologue of a hello: what comes before its Noise message is bound to it. */
export function prologueOf(keyId: Uint8Array): Bytes {
  return concat(ENCODER.encode("msp/2"), Uint8Array.of(KIND.hello), keyId);
}

/** `0x01 ‖ key id ‖ Noise message`. */
export function writeHello(keyId: Uint8Array, noise: Uint8Array): Bytes {
  return concat(Uint8Array.of(KIND.hello), keyId, noise);
}

/** The parts of a hello, as views; `undefined` when it is none. */
export function readHello(
  body: Uint8Array,
): { readonly keyId: Uint8Array; readonly noise: Uint8Array } | undefined {
  if (body[0] !== KIND.hello || body.length < HELLO_HEAD_BYTES + FIRST_MESSAGE_BYTES) {
    return undefined;
  }
  return { keyId: body.subarray(1, HELLO_HEAD_BYTES), noise: body.subarray(HELLO_HEAD_BYTES) };
}

/** What a server says to a hello, by number. With any but the first there is no ticket. */
export const WELCOME_STATUSES = [
  "welcome",
  "key expired",
  "not from this address",
  "invite not valid",
] as const;
/** See {@link WELCOME_STATUSES}. */
export type WelcomeStatus = typeof WELCOME_STATUSES[number];

/** The payload of a welcome. */
export interface Welcome {
  readonly status: WelcomeStatus;
  /** Seconds that the ticket lives from now on. */
  readonly lifetimeSeconds: number;
  /** The server's Unix time in milliseconds; for information only. */
  readonly timeMs: number;
  readonly ticket: Bytes;
  /** JSON: see {@link WelcomeInfo}. */
  readonly info: string;
}

/** What a client that joins with an invite gets for protocol v1. */
export interface V1Access {
  /** `client.secret`: 128 hex digits. */
  readonly secret: string;
  /** `server.pub`, base64. */
  readonly serverKey: string;
}

/** What the server's limits are. A member that is unknown means nothing. */
export interface WelcomeInfo {
  /** Bytes of a request at most. */
  readonly maxBody?: number;
  /** Calls in a batch at most. */
  readonly maxBatch?: number;
  /** For a client that joins and asks for it. */
  readonly v1?: V1Access;
}

/** Status, lifetime, time, length of the ticket. */
const WELCOME_HEAD_BYTES = 1 + 4 + 8 + 2;

/** The payload of a welcome, before it is sealed. */
export function writeWelcomePayload(welcome: Welcome): Bytes {
  const head = new DataView(new ArrayBuffer(WELCOME_HEAD_BYTES));
  head.setUint8(0, WELCOME_STATUSES.indexOf(welcome.status));
  head.setUint32(1, welcome.lifetimeSeconds);
  head.setBigUint64(5, BigInt(welcome.timeMs));
  head.setUint16(13, welcome.ticket.length);
  return concat(new Uint8Array(head.buffer), welcome.ticket, ENCODER.encode(welcome.info));
}

/** The content of a welcome's payload; `undefined` when it is malformed or of an unknown status. */
export function readWelcomePayload(payload: Uint8Array): Welcome | undefined {
  if (payload.length < WELCOME_HEAD_BYTES) return undefined;
  const view = viewOf(payload);
  const ticketEnd = WELCOME_HEAD_BYTES + view.getUint16(13);
  const status = WELCOME_STATUSES[view.getUint8(0)];
  const info = decodeUtf8(payload.subarray(ticketEnd));
  if (status === undefined || info === undefined || ticketEnd > payload.length) return undefined;
  return {
    status,
    lifetimeSeconds: view.getUint32(1),
    timeMs: Number(view.getBigUint64(5)),
    ticket: payload.slice(WELCOME_HEAD_BYTES, ticketEnd),
    info,
  };
}

/** A nonce for a call: its number and 20 random bytes. */
export function callNonce(number: number, random: Uint8Array): Bytes {
  const nonce = new Uint8Array(NONCE_BYTES);
  new DataView(nonce.buffer).setUint32(0, number);
  nonce.set(random, NUMBER_BYTES);
  return nonce;
}

/** What makes a call. */
export interface CallContent {
  readonly ticket: Uint8Array;
  /** See {@link callNonce}. */
  readonly nonce: Uint8Array;
  /** UTF-8 JSON, padded: see {@link padText}. */
  readonly plaintext: Uint8Array;
}

/** `0x03 ‖ length of the ticket ‖ ticket ‖ nonce ‖ sealed JSON`. */
export function sealCall(cipher: LongNonceCipher, key: Uint8Array, content: CallContent): Bytes {
  const { ticket, nonce, plaintext } = content;
  if (ticket.length > MAX_TICKET_BYTES) throw new RangeError(`ticket of ${ticket.length} bytes`);
  const head = Uint8Array.of(KIND.call, ticket.length >>> 8, ticket.length & 0xff);
  const ad = concat(head, ticket, nonce);
  return concat(ad, cipher.seal(key, nonce, { ad, plaintext }));
}

/** The parts of a call, as views. */
export interface SealedCall {
  readonly ticket: Uint8Array;
  readonly nonce: Uint8Array;
  /** The call's number, which is not proven before the call is opened, and may be too large. */
  readonly number: number;
  /** All bytes before {@link SealedCall.sealed}. */
  readonly ad: Uint8Array;
  readonly sealed: Uint8Array;
}

/** The parts of a call; `undefined` when it is none. */
export function readCall(body: Uint8Array): SealedCall | undefined {
  if (body[0] !== KIND.call || body.length < CALL_HEAD_BYTES) return undefined;
  const view = viewOf(body);
  const ticketEnd = CALL_HEAD_BYTES + view.getUint16(1);
  const nonceEnd = ticketEnd + NONCE_BYTES;
  if (body.length < nonceEnd + TAG_BYTES) return undefined;
  return {
    ticket: body.subarray(CALL_HEAD_BYTES, ticketEnd),
    nonce: body.subarray(ticketEnd, nonceEnd),
    number: view.getUint32(ticketEnd),
    ad: body.subarray(0, nonceEnd),
    sealed: body.subarray(nonceEnd),
  };
}

/** What an answer is bound to: both nonces. Valid until the next call. */
function answerData(callNonce: Uint8Array, nonce: Uint8Array): Bytes {
  ANSWER_DATA.set(callNonce, 1);
  ANSWER_DATA.set(nonce, 1 + NONCE_BYTES);
  return ANSWER_DATA;
}

const ANSWER_DATA = new Uint8Array(1 + 2 * NONCE_BYTES);
ANSWER_DATA[0] = KIND.answer;

/**
 * `0x04 ‖ nonce ‖ sealed JSON`.
 *
 * @param nonces that of the call that is answered, and a fresh random one
 * @param take gives the memory for it
 */
export function sealAnswer(
  cipher: LongNonceCipher,
  key: Uint8Array,
  { callNonce, nonce, plaintext }: {
    callNonce: Uint8Array;
    nonce: Uint8Array;
    plaintext: Uint8Array;
  },
  take: (length: number) => Bytes = (length) => new Uint8Array(length),
): Bytes {
  const sealed = cipher.seal(key, nonce, { ad: answerData(callNonce, nonce), plaintext });
  const body = take(1 + nonce.length + sealed.length);
  body[0] = KIND.answer;
  body.set(nonce, 1);
  body.set(sealed, 1 + nonce.length);
  return body;
}

/** The JSON of an answer to the call with this nonce; `undefined` when it is not that answer. */
export function openAnswer(
  cipher: LongNonceCipher,
  key: Uint8Array,
  { callNonce, body }: { callNonce: Uint8Array; body: Uint8Array },
): Bytes | undefined {
  if (body[0] !== KIND.answer || body.length < 1 + NONCE_BYTES + TAG_BYTES) return undefined;
  const nonce = body.subarray(1, 1 + NONCE_BYTES);
  const sealed = body.subarray(1 + NONCE_BYTES);
  return cipher.open(key, nonce, { ad: answerData(callNonce, nonce), sealed });
}

/**
 * UTF-8 of a JSON text, with spaces at its end up to a multiple of 64 bytes, so that lengths tell less.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(padText("1").length, 64);
 * assert.equal(padText("").length, 0);
 * ```
 */
export function padText(text: string): Bytes {
  const bytes = ENCODER.encode(text);
  const padded = new Uint8Array(Math.ceil(bytes.length / PADDING_BYTES) * PADDING_BYTES);
  padded.set(bytes);
  return padded.fill(0x20, bytes.length);
}

/** The text of UTF-8 bytes, `undefined` when they are not. A byte order mark stays in it. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The reference of a hello: the first 4 bytes of its ephemeral key, 8 hex digits. */
export function helloReference(body: Uint8Array): string {
  return toHex(body.subarray(HELLO_HEAD_BYTES, HELLO_HEAD_BYTES + 4));
}

/** The reference of a call: the first 4 random bytes of its nonce, 8 hex digits. */
export function callReference(nonce: Uint8Array): string {
  return toHex(nonce.subarray(NUMBER_BYTES, NUMBER_BYTES + 4));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
