/**
 * @module
 * Protocol v2 (docs/protocol-v2.md): a handshake that gives a ticket, and calls with that ticket. Every check
 * is in the order of §8 there; what fails before JSON-RPC is read gets the one refusal, what fails after it
 * an error that only the client can read.
 */
import {
  callReference,
  CALLS_PER_TICKET,
  decodeUtf8,
  helloReference,
  KIND,
  padText,
  prologueOf,
  readCall,
  readHello,
  sealAnswer,
  type SealedCall,
  writeWelcomePayload,
} from "../../client/messages.ts";
import { concat } from "../../client/bytes.ts";
import { type NoisePrimitives, Responder } from "../../client/noise_ik.ts";
import type { Aead } from "../crypto/aead.ts";
import { X25519Pair } from "../crypto/x25519.ts";
import type { CallResult, FunctionDirectory } from "../functions/types.ts";
import type { HandshakeKey, HandshakeKeys } from "../keys/handshake_keys.ts";
import type { Keyring } from "../keys/keyring.ts";
import type { Arrival, SenderFinder } from "../keys/sender.ts";
import type { BudgetGate } from "../limits/budget.ts";
import type { Observer } from "../observer.ts";
import type { Refusal, RefusalCode } from "../refusals.ts";
import type { Claims } from "../replay/claims.ts";
import { readRequest } from "./jsonrpc.ts";
import { noisePrimitives } from "./noise.ts";
import {
  type Authentic,
  type Parsed,
  type Protocol,
  type Sealed,
  type Soon,
  then,
  type Verified,
} from "./protocol.ts";
import { TicketClaims } from "./ticket_claims.ts";
import type { Tickets } from "./tickets.ts";
import { answerCalls, wantedCalls } from "./v2_answers.ts";
import type {
  CallExchange,
  HelloExchange,
  NumberClaim,
  V2Exchange,
  V2Message,
} from "./v2_exchange.ts";

/** The parts of protocol v2. */
export interface V2Parts {
  readonly aead: Aead;
  readonly keys: HandshakeKeys;
  readonly keyring: Keyring;
  readonly senders: SenderFinder;
  /** For finding out who says hello: the budget that v1's search draws on too. */
  readonly unknownSenders: BudgetGate;
  /** For the rest of a handshake: a copy of a registered client's hello costs as much as the hello. */
  readonly handshakes: BudgetGate;
  readonly tickets: Tickets;
  readonly directory: FunctionDirectory;
  readonly observer: Pick<Observer, "welcomed">;
  readonly allowedOrigins: readonly string[];
  /** Calls in a batch. */
  readonly maxBatch: number;
  /** Bytes of a request, for clients to know. */
  readonly maxBodyBytes: number;
  /** Milliseconds since 1970; nothing here is refused for its time. */
  readonly clock?: () => number;
}

/** A hello on its way through the checks. */
interface Hello {
  readonly keyId: Uint8Array;
  readonly noise: Uint8Array;
  readonly key: HandshakeKey;
  readonly arrival: Arrival;
  /** Whether its address was accepted lately. */
  readonly isTrusted: boolean;
}

const MALFORMED: Refusal = { ok: false, code: "malformed_message" };

/** Protocol v2. */
export class V2 implements Protocol<Uint8Array, V2Message, V2Exchange, NumberClaim> {
  readonly name = "v2";
  readonly answerType = "application/octet-stream";
  readonly allowedOrigins: readonly string[];
  readonly bodyForm = "bytes";
  readonly claims: Claims<NumberClaim>;
  readonly #parts: V2Parts;
  readonly #primitives: NoisePrimitives;
  readonly #clock: () => number;
  readonly #info: string;

  constructor(parts: V2Parts) {
    this.#parts = parts;
    this.allowedOrigins = parts.allowedOrigins;
    this.#primitives = noisePrimitives(parts.aead);
    this.#clock = parts.clock ?? Date.now;
    this.claims = new TicketClaims(parts.tickets);
    this.#info = JSON.stringify({ maxBody: parts.maxBodyBytes, maxBatch: parts.maxBatch });
  }

  acceptsType(contentType: string): boolean {
    return /^application\/octet-stream\s*(?:;|$)/i.test(contentType);
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

  authenticate(message: V2Message, address: string): Soon<Authentic<V2Exchange> | Refusal> {
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
  #readSender(hello: Hello): Soon<Authentic<V2Exchange> | Refusal> {
    const { noise, keyId, key, arrival, isTrusted } = hello;
    const { unknownSenders, handshakes, keyring } = this.#parts;
    const startedMs = performance.now();
    const responder = new Responder({
      primitives: this.#primitives,
      staticPair: key.pair,
      prologue: prologueOf(keyId),
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
      if (client === undefined) return refuse();
      return then(isTrusted || handshakes.admit(true), (isAdmitted) => {
        if (!isAdmitted) return { ok: false, code: "search_limit" };
        return this.#readPayload({ kind: "hello", client, publicKey, responder }, hello);
      });
    });
  }

  /** Checks 7 and 8 of a hello. */
  #readPayload(
    content: HelloExchange,
    { key, arrival }: Hello,
  ): Authentic<V2Exchange> | Refusal {
    const { client, publicKey, responder } = content;
    const startedMs = performance.now();
    const payload = responder.readPayload(key.agreeWith(client, publicKey));
    this.#parts.handshakes.spend(performance.now() - startedMs);
    return payload === undefined ? this.#refuseUnknown(arrival) : { ok: true, client, content };
  }

  #refuseUnknown(arrival: Arrival): Refusal {
    this.#parts.senders.failed(arrival);
    return { ok: false, code: "unknown_sender" };
  }

  /** The checks of a call up to its opening. */
  #openCall(call: SealedCall, reference: string): Authentic<V2Exchange> | Refusal {
    const { tickets, keyring, aead, maxBatch } = this.#parts;
    const ticket = tickets.open(call.ticket);
    if (ticket === undefined) return { ok: false, code: "unknown_ticket" };
    if (tickets.isRetired(ticket)) return { ok: false, code: "retired_ticket" };
    const client = keyring.recordOf(ticket.publicKey);
    if (client === undefined) return { ok: false, code: "unknown_sender" };
    const { nonce, number } = call;
    const plaintext = aead.open(ticket.callKey, nonce, call);
    if (plaintext === undefined) return withClient("tampered_call");
    if (number >= CALLS_PER_TICKET) return withClient("malformed_message");
    // What is not UTF-8 is not JSON either.
    const request = readRequest(decodeUtf8(plaintext) ?? "", maxBatch);
    const content = { kind: "call", client, ticket, number, nonce, request, reference } as const;
    return { ok: true, client, content };
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
    return content.kind === "hello" ? this.#welcome(content) : this.#answer(content, results);
  }

  #welcome({ responder, publicKey }: HelloExchange): Sealed | Refusal {
    const { tickets, handshakes, observer } = this.#parts;
    const startedMs = performance.now();
    const ephemeral = X25519Pair.generate();
    const keys = responder.agree(ephemeral);
    if (keys === undefined) return MALFORMED;
    const { toResponder: callKey, toInitiator: answerKey } = keys;
    const issued = tickets.issue({ publicKey, callKey, answerKey });
    const { sealed } = responder.writePayload(writeWelcomePayload({
      status: "welcome",
      timeMs: this.#clock(),
      info: this.#info,
      ...issued,
    }));
    handshakes.spend(performance.now() - startedMs);
    observer.welcomed("welcome");
    return { ok: true, body: concat(Uint8Array.of(KIND.welcome), ephemeral.publicKey, sealed) };
  }

  #answer(exchange: CallExchange, results: readonly CallResult[]): Sealed {
    const { aead, directory } = this.#parts;
    const { ticket, nonce } = exchange;
    const text = answerCalls(exchange, { results, functions: () => directory.describe() });
    const body = sealAnswer(aead, ticket.answerKey, {
      callNonce: nonce,
      nonce: crypto.getRandomValues(new Uint8Array(nonce.length)),
      plaintext: padText(text),
    });
    return { ok: true, body };
  }
}

function withClient(code: RefusalCode): Refusal {
  return { ok: false, code };
}
