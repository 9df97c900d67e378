/**
 * @module
 * A hello of protocol v2 whose sender is not registered, but may have an invite (docs/protocol-v2.md §8,
 * checks 7 to 9).
 */
import type { Bytes } from "../../client/bytes.ts";
import type { Responder } from "../../client/noise_ik.ts";
import type { PublicKey } from "../crypto/keys.ts";
import type { InviteDesk, JoinRequest } from "../keys/invite_desk.ts";
import type { Arrival, SenderFinder } from "../keys/sender.ts";
import type { BudgetGate } from "../limits/budget.ts";
import type { Observer } from "../observer.ts";
import type { Refusal } from "../refusals.ts";
import type { Answered, Authentic, Soon } from "./protocol.ts";
import type { HelloExchange } from "./v2_exchange.ts";
import { readHelloInvite, sealWelcome } from "./v2_hello.ts";

/** The parts that such a hello meets. */
export interface JoinParts {
  readonly invites: InviteDesk;
  readonly senders: Pick<SenderFinder, "accepted" | "failed">;
  readonly unknownSenders: Pick<BudgetGate, "spend">;
  readonly observer: Pick<Observer, "welcomed">;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** What is known of a hello before its payload is opened. */
export interface ArrivedHello {
  readonly arrival: Arrival;
  readonly reference: string;
}

/** Lets unknown senders join. */
export class Joins {
  readonly #parts: JoinParts;

  constructor(parts: JoinParts) {
    this.#parts = parts;
  }

  /** Opens the payload, for one more Diffie-Hellman, and uses the invite in it. */
  read(
    publicKey: Bytes,
    responder: Responder,
    hello: ArrivedHello,
  ): Soon<Authentic<HelloExchange> | Answered | Refusal> {
    const { unknownSenders, invites } = this.#parts;
    const startedMs = performance.now();
    const payload = responder.readPayload();
    unknownSenders.spend(performance.now() - startedMs);
    const request = payload && joinRequest(payload, publicKey, hello);
    if (request === undefined) return this.#refuseUnknown(hello);
    return invites.join(request).then((outcome) => {
      switch (outcome.status) {
        case "joined": {
          const { client, v1, isNew } = outcome;
          // Others at its address may have failed to join.
          if (isNew) this.#parts.senders.accepted({ client }, hello.arrival);
          return { ok: true, client, content: { kind: "hello", client, publicKey, responder, v1 } };
        }
        case "closed":
          return this.#refuseInvite(responder, hello);
        case "unknown":
          return this.#refuseUnknown(hello);
        case "busy":
          return { ok: false, code: "invite_busy" };
        case "failed":
          return { ok: false, code: "invite_failed" };
      }
    });
  }

  #refuseUnknown({ arrival }: ArrivedHello): Refusal {
    this.#parts.senders.failed(arrival);
    return { ok: false, code: "unknown_sender" };
  }

  /** The token proves that its sender was given the invite once: it may know that this is over. */
  #refuseInvite(responder: Responder, { arrival }: ArrivedHello): Answered | Refusal {
    const { senders, unknownSenders, observer, clock } = this.#parts;
    senders.failed(arrival);
    const startedMs = performance.now();
    const body = sealWelcome(responder, () => ({
      status: "invite not valid",
      lifetimeSeconds: 0,
      timeMs: clock(),
      ticket: new Uint8Array(),
      info: "{}",
    }));
    unknownSenders.spend(performance.now() - startedMs);
    if (body === undefined) return { ok: false, code: "malformed_message" };
    observer.welcomed("invite not valid");
    return { ok: true, answer: { ok: true, body } };
  }
}

/** The request in the payload of a hello; `undefined` where there is no invite in it. */
export function joinRequest(
  payload: Uint8Array,
  publicKey: Bytes,
  { arrival: { address }, reference }: ArrivedHello,
): JoinRequest | undefined {
  const invite = readHelloInvite(payload);
  return invite && { ...invite, publicKey: publicKey as PublicKey, address, reference };
}
