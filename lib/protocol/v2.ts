/**
 * @module
 * Protocol v2 (docs/protocol-v2.md): a handshake that gives a ticket, and calls with that ticket. Every check
 * is in the order of §8 there; what fails before JSON-RPC is read gets the one refusal, what fails after it
 * an error that only the client can read.
 */
import {
  callReference,
  helloReference,
  NONCE_BYTES,
  readCall,
  readHello,
  sealAnswer,
  type SealedCall,
  type WelcomeStatus,
} from "../../client/messages.ts";
import { type NoisePrimitives, Responder } from "../../client/noise_ik.ts";
import { RandomPool } from "../crypto/random_pool.ts";
import type { CallResult, DescribedFunction } from "../functions/types.ts";
import type { HandshakeKey } from "../keys/handshake_keys.ts";
import type { ClientBar } from "../keys/policy.ts";
import type { Arrival } from "../keys/sender.ts";
import type { Refusal } from "../refusals.ts";
import type { Claims } from "../replay/claims.ts";
import { ShortBytes } from "../short_bytes.ts";
import { LateClients } from "./late_clients.ts";
import { noisePrimitives } from "./noise.ts";
import { Padding } from "./padding.ts";
import {
  type Answered,
  type Authentic,
  type Parsed,
  type Protocol,
  type Sealed,
  type Soon,
  then,
  type Verified,
} from "./protocol.ts";
import { answerCalls, wantedCalls } from "./v2_answers.ts";
import { openCall } from "./v2_call.ts";
import { sealWelcome } from "./v2_hello.ts";
import { joinRequest, Joins } from "./v2_join.ts";
import type {
  CallExchange,
  HelloExchange,
  NumberClaim,
  V2Exchange,
  V2Message,
} from "./v2_exchange.ts";
import type { V2Parts } from "./v2_parts.ts";

/** A hello on its way through the checks. */
interface Hello {
  readonly noise: Uint8Array;
  readonly key: HandshakeKey;
  readonly reference: string;
  readonly arrival: Arrival;
  /** Whether its address was accepted lately. */
  readonly isTrusted: boolean;
}

/** What a welcome says instead of giving a ticket. */
const BAR_STATUSES: Readonly<Record<ClientBar, WelcomeStatus>> = {
  client_expired: "key expired",
  client_source: "not from this address",
};
const NO_TICKET = { ticket: new Uint8Array(), lifetimeSeconds: 0 };
const MALFORMED: Refusal = { ok: false, code: "malformed_message" };

/** Protocol v2. */
export class V2 implements Protocol<Uint8Array, V2Message, V2Exchange, NumberClaim> {
  readonly name = "v2";
  readonly answerType = "application/octet-stream";
  readonly allowedOrigins: readonly string[];
  readonly bodyForm = "bytes";
  readonly claims: Claims<NumberClaim>;
  readonly #parts: V2Parts;
  readonly #lateClients: LateClients;
  readonly #primitives: NoisePrimitives;
  readonly #clock: () => number;
  readonly #info: string;
  readonly #joins: Joins;
  readonly #random = new RandomPool();
  /** Of answers; each is used before the next one is made. */
  readonly #answerNonce = new Uint8Array(NONCE_BYTES);
  readonly #padding = new Padding();
  readonly #memory = new ShortBytes();

  constructor(parts: V2Parts) {
    this.#parts = parts;
    this.allowedOrigins = parts.allowedOrigins;
    this.#primitives = noisePrimitives(parts.aead);
    this.#clock = parts.clock ?? Date.now;
    this.claims = parts.claims;
    this.#lateClients = new LateClients(parts.keyring, parts.reload);
    this.#joins = new Joins({ ...parts, clock: this.#clock });
    this.#info = JSON.stringify({ maxBody: parts.maxBodyBytes, maxBatch: parts.maxBatch });
  }

  acceptsType(contentType: string): boolean {
    // The expression takes 2 µs, and nearly all clients write exactly this.
    return contentType === "application/octet-stream" ||
      /^application\/octet-stream\s*(?:;|$)/i.test(contentType);
  }

  parse(body: Uint8Array): Parsed<V2Message> | Refusal {
    const hello = readHello(body);
    if (hello !== undefined) {
      const reference = helloReference(body);
      return { ok: true, message: { kind: "hello", reference, ...hello } };
    }
    const call = readCall(body);
    if (call === undefined) return MALFORMED;
    return { ok: true, message: { kind: "call", reference: callReference(call.nonce), call } };
  }

  referenceOf({ reference }: V2Message): string {
    return reference;
  }

  authenticate(
    message: V2Message,
    address: string,
  ): Soon<Authentic<V2Exchange> | Answered | Refusal> {
    if (message.kind === "call") return this.#openCall(message.call, message.reference);
    const key = this.#parts.keys.find(message.keyId);
    // Refused without any cryptography.
    if (key === undefined) return { ok: false, code: "unknown_server_key" };
    const arrival = { address, nowSeconds: Math.floor(this.#clock() / 1000) };
    const { senders, unknownSenders } = this.#parts;
    const isFailing = senders.isFailing(arrival);
    // Many share an address: a client there goes on beside one that fails.
    if (isFailing && !senders.isTrusted(arrival)) return { ok: false, code: "search_limit" };
    const isTrusted = !isFailing && senders.isTrusted(arrival);
    const hello = { ...message, key, arrival, isTrusted };
    return then(
      unknownSenders.admit(isTrusted),
      (isAdmitted) => isAdmitted ? this.#readSender(hello) : { ok: false, code: "search_limit" },
    );
  }

  /** Checks 4 to 6 of a hello: one Diffie-Hellman. */
  #readSender(hello: Hello): Soon<Authentic<V2Exchange> | Answered | Refusal> {
    const { noise, key, arrival, isTrusted } = hello;
    const { unknownSenders, handshakes, keyring, invites } = this.#parts;
    const startedMs = performance.now();
    const responder = new Responder({
      primitives: this.#primitives,
      staticPair: key.pair,
      prologue: key.prologue,
      start: key.start,
    });
    const publicKey = responder.readSender(noise);
    const spentMs = performance.now() - startedMs;
    const refuse = (): Refusal => {
      unknownSenders.spend(spentMs);
      return this.#refuseUnknown(arrival);
    };
    if (publicKey === undefined) return refuse();
    const isLoaded = keyring.recordOf(publicKey) !== undefined || !keyring.isLoading;
    return then(isLoaded ? undefined : keyring.whenLoaded(), () => {
      const client = keyring.recordOf(publicKey);
      if (client === undefined) {
        return then(invites.hasInvites(), (hasInvites) => {
          if (!hasInvites) return refuse();
          unknownSenders.spend(spentMs);
          return this.#joins.read(publicKey, responder, hello);
        });
      }
      return then(isTrusted || handshakes.admit(true), (isAdmitted) => {
        if (!isAdmitted) return { ok: false, code: "search_limit" };
        return this.#readPayload({ kind: "hello", client, publicKey, responder }, hello);
      });
    });
  }

  /** Checks 7 and 8 of a hello. */
  #readPayload(
    content: HelloExchange,
    { key, arrival, reference }: Hello,
  ): Soon<Authentic<V2Exchange> | Refusal> {
    const { client, publicKey, responder } = content;
    const startedMs = performance.now();
    const payload = responder.readPayload(key.agreeWith(client, publicKey));
    this.#parts.handshakes.spend(performance.now() - startedMs);
    if (payload === undefined) return this.#refuseUnknown(arrival);
    const request = joinRequest(payload, publicKey, { arrival, reference });
    if (!request?.wantsV1) return { ok: true, client, content };
    // It has joined before, and the answer was lost.
    return this.#parts.invites.v1Of(request).then((v1) => {
      return { ok: true, client, content: { ...content, v1 } };
    });
  }

  #refuseUnknown(arrival: Arrival): Refusal {
    this.#parts.senders.failed(arrival);
    return { ok: false, code: "unknown_sender" };
  }

  /** The checks of a call up to its opening. */
  #openCall(call: SealedCall, reference: string): Soon<Authentic<V2Exchange> | Refusal> {
    const { tickets, keyring } = this.#parts;
    const ticket = tickets.open(call.ticket);
    if (ticket === undefined) return { ok: false, code: "unknown_ticket" };
    if (tickets.isRetired(ticket)) return { ok: false, code: "retired_ticket" };
    const client = keyring.recordOf(ticket.publicKey) ?? this.#lateClients.find(ticket.publicKey);
    return then(
      client,
      (found) =>
        found === undefined
          ? { ok: false, code: "unknown_sender" }
          : openCall(this.#parts, { client: found, ticket, call, reference }),
    );
  }

  verify({ content }: Authentic<V2Exchange>): Verified<NumberClaim> {
    // A copy of a hello gets a ticket that only its sender can use.
    if (content.kind === "hello") return { ok: true, calls: [] };
    return { ok: true, claim: content, calls: wantedCalls(content.request) };
  }

  accepted({ content, client }: Authentic<V2Exchange>, address: string): void {
    // A hello may be a copy, by anybody.
    if (content.kind === "hello") return;
    const nowSeconds = Math.floor(this.#clock() / 1000);
    this.#parts.senders.accepted({ client }, { address, nowSeconds });
  }

  seal(
    { content }: Authentic<V2Exchange>,
    results: readonly CallResult[],
  ): Sealed | Refusal {
    return content.kind === "hello"
      ? this.#welcome(content, "welcome")
      : this.#answer(content, results);
  }

  /** Only a welcome has words for it: the client of a call says hello again, and reads them there. */
  sealBar({ content }: Authentic<V2Exchange>, code: ClientBar): Sealed | Refusal | undefined {
    return content.kind === "hello" ? this.#welcome(content, BAR_STATUSES[code]) : undefined;
  }

  #welcome({ responder, publicKey, v1 }: HelloExchange, status: WelcomeStatus): Sealed | Refusal {
    const { tickets, handshakes, observer } = this.#parts;
    if (!tickets.canIssue) return { ok: false, code: "redis_unavailable" };
    const startedMs = performance.now();
    const isWelcome = status === "welcome";
    const body = sealWelcome(responder, ({ toResponder: callKey, toInitiator: answerKey }) => ({
      status,
      timeMs: this.#clock(),
      info: v1 === undefined || !isWelcome
        ? this.#info
        : JSON.stringify({ ...JSON.parse(this.#info), v1 }),
      ...isWelcome ? tickets.issue({ publicKey, callKey, answerKey }) : NO_TICKET,
    }));
    handshakes.spend(performance.now() - startedMs);
    if (body === undefined) return MALFORMED;
    observer.welcomed(status);
    return { ok: true, body };
  }

  #answer(exchange: CallExchange, results: readonly CallResult[]): Sealed {
    const { aead, directory } = this.#parts;
    const { client: { policy }, ticket, nonce } = exchange;
    const functions = (): DescribedFunction[] =>
      directory.describe().filter(({ functionName }) => policy.mayCall(functionName));
    const text = answerCalls(exchange, { results, functions });
    this.#random.fill(this.#answerNonce);
    const body = sealAnswer(aead.views, ticket.answerKey, {
      callNonce: nonce,
      nonce: this.#answerNonce,
      plaintext: this.#padding.pad(text),
    }, (length) => this.#memory.take(length));
    return { ok: true, body };
  }
}
