/**
 * @module
 * A session: hello, welcome, and the ticket with its keys and numbers until it ends.
 */
import { type Bytes, fromBase64 } from "./bytes.ts";
import { CallError } from "./errors.ts";
import {
  CALLS_PER_TICKET,
  helloReference,
  keyIdOf,
  KIND,
  prologueOf,
  readWelcomePayload,
  type V1Access,
  type Welcome,
  type WelcomeInfo,
  writeHello,
} from "./messages.ts";
import { Initiator, type NoiseKeyPair, type TransportKeys } from "./noise_ik.ts";
import { pairOf, PRIMITIVES, randomBytes } from "./primitives.ts";

/** A ticket is not used for the last part of its life: a call may be on its way for long. */
const MARGIN_MS = 30_000;
/** … nor for its last tenth. */
const MARGIN_SHARE = 0.1;

/** A ticket with its keys, and the numbers of it that are left. */
export class Session {
  readonly ticket: Bytes;
  readonly keys: TransportKeys;
  readonly info: WelcomeInfo;
  readonly #usableUntilMs: number;
  #nextNumber = 0;

  /** @param saidAtMs when the hello was sent: its answer may have been on its way for long */
  constructor(welcome: Welcome, keys: TransportKeys, saidAtMs: number) {
    this.ticket = welcome.ticket;
    this.keys = keys;
    this.info = readInfo(welcome.info);
    const lifetimeMs = welcome.lifetimeSeconds * 1000;
    this.#usableUntilMs = saidAtMs + lifetimeMs -
      Math.min(MARGIN_MS, lifetimeMs * MARGIN_SHARE);
  }

  /** Whether another call may use it. */
  isUsable(nowMs: number): boolean {
    return nowMs < this.#usableUntilMs && this.#nextNumber < CALLS_PER_TICKET;
  }

  /** A number for one call; `undefined` when all are used up. */
  takeNumber(): number | undefined {
    return this.#nextNumber < CALLS_PER_TICKET ? this.#nextNumber++ : undefined;
  }
}

function readInfo(text: string): WelcomeInfo {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return {};
    const { maxBody, maxBatch, v1 } = value as Record<string, unknown>;
    return {
      ...typeof maxBody === "number" ? { maxBody } : {},
      ...typeof maxBatch === "number" ? { maxBatch } : {},
      ...isV1Access(v1) ? { v1 } : {},
    };
  } catch {
    return {};
  }
}

function isV1Access(value: unknown): value is V1Access {
  if (typeof value !== "object" || value === null) return false;
  const { secret, serverKey } = value as Record<string, unknown>;
  return typeof secret === "string" && /^[0-9a-f]{128}$/.test(secret) &&
    typeof serverKey === "string" && fromBase64(serverKey)?.length === 32;
}

/** The client that says hello, and the server. */
export interface HelloOptions {
  readonly serverKey: Bytes;
  readonly staticPair: NoiseKeyPair;
  /** JSON text, or nothing. */
  readonly payload?: string;
}

/** One handshake. */
export class Hello {
  readonly #initiator: Initiator;
  /** The first message. */
  readonly body: Bytes;
  readonly ref: string;

  /** @throws {TypeError} when the server's key is a point of low order, which no server has */
  constructor({ serverKey, staticPair, payload = "" }: HelloOptions) {
    const keyId = keyIdOf(serverKey, PRIMITIVES.hash);
    this.#initiator = new Initiator(
      { primitives: PRIMITIVES, staticPair, prologue: prologueOf(keyId) },
      { responderKey: serverKey, ephemeral: pairOf(randomBytes(32)) },
    );
    const noise = this.#initiator.writeFirst(new TextEncoder().encode(payload));
    if (noise === undefined) {
      throw new TypeError("Cannot use profile: serverKey, expected the public key of a server");
    }
    this.body = writeHello(keyId, noise);
    this.ref = helloReference(this.body);
  }

  /**
   * The session that the server's answer opens.
   *
   * @throws {CallError} `protocol` when it is not by the server, `refused` when the server says no
   */
  finish(answer: Bytes, saidAtMs: number): Session {
    const { ref } = this;
    const second = answer[0] === KIND.welcome
      ? this.#initiator.readSecond(answer.subarray(1))
      : undefined;
    const welcome = second && readWelcomePayload(second.payload);
    if (second === undefined || welcome === undefined) {
      const message = "Cannot connect: the answer does not open with the server's key";
      throw new CallError("protocol", message, { executed: "no", ref });
    }
    if (welcome.status !== "welcome") {
      const message = `Cannot connect: the server says: ${welcome.status}`;
      throw new CallError("refused", message, { executed: "no", ref, data: welcome.status });
    }
    return new Session(welcome, second.keys, saidAtMs);
  }
}
