/**
 * @module
 * The tickets of protocol v2 (docs/protocol-v2.md): who they are for and the keys of their calls, sealed
 * under the keys of a ring (ticket_ring.ts), and the promise that each number of a ticket is used once on
 * this server. A ticket lives as long as its key. What is not used leaves nothing behind.
 */
import { CALLS_PER_TICKET, type LongNonceCipher, NONCE_BYTES } from "../../client/messages.ts";
import { encodeBase64 } from "./base64.ts";
import {
  KEY_BYTES,
  KID_BYTES,
  MemoryRing,
  randomBytes,
  type RingOptions,
  type TicketRing,
} from "./ticket_ring.ts";

const TAG_BYTES = 16;
const HEAD_BYTES = KID_BYTES + NONCE_BYTES;
/** Public key, both keys of calls, serial. */
const CONTENT_BYTES = 3 * KEY_BYTES + 8;
/** Bytes of a ticket. */
export const TICKET_BYTES = HEAD_BYTES + CONTENT_BYTES + TAG_BYTES;
/** Room for the first 256 numbers, which is enough for most. */
const FIRST_BITMAP_BYTES = 32;
const LAST_BITMAP_BYTES = CALLS_PER_TICKET / 8;
const LABEL = new TextEncoder().encode("msp/2 ticket");

type Bytes = Uint8Array<ArrayBuffer>;

/** What a handshake agreed on. */
export interface Session {
  /** The client's. */
  readonly publicKey: Uint8Array;
  /** Seals calls, `k1`. */
  readonly callKey: Uint8Array;
  /** Seals answers, `k2`. */
  readonly answerKey: Uint8Array;
}

/** A ticket that this server issued. */
export interface OpenedTicket extends Session {
  /** Grows with every ticket. */
  readonly serial: number;
  readonly kid: number;
  /** The client's public key in base64, by which its tickets are kept. */
  readonly clientName: string;
}

/** `retired`: the numbers of this ticket are forgotten, because newer ones were used or its key is gone. */
export type NumberUse = "fresh" | "seen" | "retired";

/** How tickets are issued. */
export interface TicketOptions extends RingOptions {
  readonly cipher: LongNonceCipher;
  /** Keys that replicas share; keys of this server alone when absent. */
  readonly ring?: TicketRing;
  /** Used tickets of a client that are kept; the one with the lowest serial goes first. */
  readonly ticketsPerClient: number;
}

/** The numbers of a ticket that were used. */
interface UsedTicket {
  readonly kid: number;
  bits: Bytes;
}

/** What is remembered of a client; gone when none of its used tickets can be opened any more. */
interface ClientUse {
  /** Tickets with a lower serial are not accepted. */
  floor: number;
  /** By serial. */
  readonly tickets: Map<number, UsedTicket>;
}

/** Issues tickets, opens them, and lets each of their numbers be used once. */
export class Tickets {
  readonly #options: TicketOptions;
  readonly #ring: TicketRing;
  readonly #randomBytes: (length: number) => Bytes;
  /** By the client's public key in base64. */
  readonly #clients = new Map<string, ClientUse>();

  constructor(options: TicketOptions) {
    this.#options = options;
    this.#randomBytes = options.randomBytes ?? randomBytes;
    this.#ring = options.ring ?? new MemoryRing(options);
  }

  /** Tickets whose numbers are remembered, and the bytes that takes. */
  get fill(): { readonly clients: number; readonly tickets: number; readonly bytes: number } {
    let tickets = 0, bytes = 0;
    for (const client of this.#clients.values()) {
      tickets += client.tickets.size;
      for (const { bits } of client.tickets.values()) bytes += bits.length;
    }
    return { clients: this.#clients.size, tickets, bytes };
  }

  /** Whether there is a key for tickets: those that replicas share may not have been read yet. */
  get canIssue(): boolean {
    this.dropOldKeys();
    return this.#ring.current() !== undefined;
  }

  /**
   * A ticket for a session, and how many seconds it lives.
   *
   * @throws {Error} unless {@link canIssue}.
   */
  issue(session: Session): { readonly ticket: Bytes; readonly lifetimeSeconds: number } {
    this.dropOldKeys();
    const key = this.#ring.current();
    if (key === undefined) throw new Error("there is no key for tickets");
    const content = new Uint8Array(CONTENT_BYTES);
    content.set(session.publicKey);
    content.set(session.callKey, KEY_BYTES);
    content.set(session.answerKey, 2 * KEY_BYTES);
    new DataView(content.buffer).setBigUint64(3 * KEY_BYTES, BigInt(this.#ring.nextSerial()));
    const ticket = new Uint8Array(TICKET_BYTES);
    new DataView(ticket.buffer).setUint32(0, key.kid);
    ticket.set(this.#randomBytes(NONCE_BYTES), KID_BYTES);
    ticket.set(
      this.#options.cipher.seal(key.bytes, ticket.subarray(KID_BYTES, HEAD_BYTES), {
        ad: labelled(ticket),
        plaintext: content,
      }),
      HEAD_BYTES,
    );
    content.fill(0);
    return { ticket, lifetimeSeconds: Math.floor(this.#ring.leftMs(key) / 1000) };
  }

  /** What is in a ticket; `undefined` when no key of the ring opens it. */
  open(ticket: Uint8Array): OpenedTicket | undefined {
    if (ticket.length !== TICKET_BYTES) return undefined;
    const kid = new DataView(ticket.buffer, ticket.byteOffset).getUint32(0);
    this.dropOldKeys();
    const key = this.#ring.find(kid);
    const content = key && this.#options.cipher.open(
      key.bytes,
      ticket.subarray(KID_BYTES, HEAD_BYTES),
      { ad: labelled(ticket), sealed: ticket.subarray(HEAD_BYTES) },
    );
    if (content === undefined) return undefined;
    const serial = new DataView(content.buffer).getBigUint64(3 * KEY_BYTES);
    const publicKey = content.subarray(0, KEY_BYTES);
    return {
      kid,
      publicKey,
      clientName: encodeBase64(publicKey),
      callKey: content.subarray(KEY_BYTES, 2 * KEY_BYTES),
      answerKey: content.subarray(2 * KEY_BYTES, 3 * KEY_BYTES),
      serial: Number(serial),
    };
  }

  /** Whether a ticket is older than those that its client may still use. */
  isRetired({ clientName, serial }: OpenedTicket): boolean {
    const client = this.#clients.get(clientName);
    return client !== undefined && serial < client.floor;
  }

  /**
   * Uses a number of a ticket, in one step: `fresh` for one of any number of copies. Only for a call that
   * opened, so that nobody but the client can use its numbers up.
   *
   * @param number below 65,536
   */
  use(ticket: OpenedTicket, number: number): NumberUse {
    // Nothing is remembered of a key that is gone.
    if (this.#ring.find(ticket.kid) === undefined) return "retired";
    const name = ticket.clientName;
    const client = this.#clients.get(name) ?? { floor: 0, tickets: new Map() };
    if (ticket.serial < client.floor) return "retired";
    let used = client.tickets.get(ticket.serial);
    if (used === undefined) {
      used = { kid: ticket.kid, bits: new Uint8Array(FIRST_BITMAP_BYTES) };
      client.tickets.set(ticket.serial, used);
      this.#clients.set(name, client);
      this.#retire(client);
      if (ticket.serial < client.floor) return "retired";
    }
    return setBit(used, number) ? "fresh" : "seen";
  }

  /**
   * Wipes keys whose time is over, with all that is remembered of their tickets. Happens by itself when
   * a ticket is issued or opened; to be called from time to time where nobody calls.
   */
  dropOldKeys(): void {
    if (this.#ring.dropOld()) this.#forget();
  }

  /** Wipes everything: no ticket can be opened any more. */
  close(): void {
    this.#ring.close();
    this.#forget();
  }

  /** Forgets the tickets of keys that are gone. */
  #forget(): void {
    for (const [name, { tickets }] of this.#clients) {
      for (const [serial, { kid }] of tickets) {
        if (this.#ring.find(kid) === undefined) tickets.delete(serial);
      }
      // Tickets below the floor are older than these were: their keys are gone as well.
      if (tickets.size === 0) this.#clients.delete(name);
    }
  }

  #retire(client: ClientUse): void {
    if (client.tickets.size <= this.#options.ticketsPerClient) return;
    const lowest = Math.min(...client.tickets.keys());
    client.tickets.delete(lowest);
    client.floor = lowest + 1;
  }
}

/** What a ticket is bound to: what it is, and the name of its key. Valid until the next call. */
function labelled(ticket: Uint8Array): Bytes {
  LABELLED.set(ticket.subarray(0, KID_BYTES), LABEL.length);
  return LABELLED;
}

const LABELLED = new Uint8Array(LABEL.length + KID_BYTES);
LABELLED.set(LABEL);

/** Sets the bit of a number. @returns whether it was unset. */
function setBit(used: UsedTicket, number: number): boolean {
  const at = number >>> 3, mask = 1 << (number & 7);
  if (at >= used.bits.length) {
    let length = used.bits.length;
    while (length <= at) length *= 2;
    const bits = new Uint8Array(Math.min(length, LAST_BITMAP_BYTES));
    bits.set(used.bits);
    used.bits = bits;
  }
  const byte = used.bits[at] ?? 0;
  used.bits[at] = byte | mask;
  return (byte & mask) === 0;
}
