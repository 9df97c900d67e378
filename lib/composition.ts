/**
 * @module
 * Puts the endpoint together: protocols, calls, limits. Starts nothing and listens nowhere, so that
 * tests compose what the server composes.
 */
import { Calls } from "./calls.ts";
import type { Settings } from "./config/settings.ts";
import type { Aead } from "./crypto/aead.ts";
import type { Box } from "./crypto/box.ts";
import { NonceMark } from "./crypto/nonce_mark.ts";
import type { PrivateKey } from "./crypto/keys.ts";
import type { FunctionCaller, FunctionDirectory } from "./functions/types.ts";
import { createEndpoint, type Endpoint } from "./http/endpoint.ts";
import { HandshakeKeys } from "./keys/handshake_keys.ts";
import { type InviteDesk, NO_INVITES } from "./keys/invite_desk.ts";
import type { Keyring } from "./keys/keyring.ts";
import type { RateCounter } from "./keys/shared_rates.ts";
import { SenderSearch } from "./keys/search.ts";
import { SenderFinder } from "./keys/sender.ts";
import { BodyReader } from "./limits/body.ts";
import { BudgetGate, WorkBudget } from "./limits/budget.ts";
import { RequestGate } from "./limits/gate.ts";
import { RefusalClock } from "./limits/refusal_clock.ts";
import type { Observer } from "./observer.ts";
import { TicketClaims } from "./protocol/ticket_claims.ts";
import type { TicketRing } from "./protocol/ticket_ring.ts";
import { Tickets } from "./protocol/tickets.ts";
import { V1 } from "./protocol/v1.ts";
import { V2 } from "./protocol/v2.ts";
import type { NumberClaim } from "./protocol/v2_exchange.ts";
import type { Claims, NonceClaim } from "./replay/claims.ts";

/** What an endpoint works with. */
export interface CompositionParts {
  readonly settings: Pick<
    Settings,
    "limits" | "proxy" | "requestTtlSeconds" | "ipAddressTtlSeconds" | "v2"
  >;
  readonly box: Box;
  readonly aead: Aead;
  /** The server's present private key of protocol v1. */
  readonly privateKey: PrivateKey;
  readonly keyring: Keyring;
  /** Of protocol v1. */
  readonly claims: Claims<NonceClaim>;
  readonly shared?: SharedParts | undefined;
  readonly functions: FunctionCaller & FunctionDirectory;
  /** Without, nobody can join. */
  readonly invites?: InviteDesk;
  readonly observer: Observer;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  /** Milliseconds by which keys of tickets age, never backwards; the default is the steady clock. */
  readonly ticketClock?: () => number;
  readonly refusalClock?: RefusalClock;
}

/** What replicas share. */
export interface SharedParts {
  /** Of protocol v2; nothing when it is off. */
  readonly tickets: SharedTickets | undefined;
  readonly rates: RateCounter;
  /** Reloads the key store: another replica may have changed it. */
  readonly reload: () => Promise<void>;
}

/** The tickets of replicas: their keys, and where the numbers of their calls are claimed. */
export interface SharedTickets {
  readonly ring: TicketRing;
  readonly claims: (tickets: Tickets) => Claims<NumberClaim>;
}

/** An endpoint, and the parts of it that the server goes on working with. */
export interface Composition {
  readonly endpoint: Endpoint;
  readonly search: SenderSearch;
  readonly nonceMark: NonceMark;
  readonly handshakeKeys: HandshakeKeys;
  readonly tickets: Tickets;
  readonly gate: RequestGate;
  /** Stops its clocks. */
  readonly close: () => void;
}

/** How many wait for a share of the CPU at most. */
const MAX_WAITING = {
  /** From addresses that were accepted lately. */
  unknownSenders: 64,
  /** After a restart every client of v2 says hello: some 650 a second with the default share. */
  handshakes: 1024,
} as const;

/** Composes an endpoint. */
export function composeEndpoint(parts: CompositionParts): Composition {
  const { settings, box, keyring, claims, functions, shared, observer } = parts;
  const { limits } = settings;
  const budget = new WorkBudget(limits.searchPercent / 100);
  const search = new SenderSearch(keyring, budget);
  const nonceMark = new NonceMark(box, parts.privateKey);
  const senders = new SenderFinder({
    box,
    keyring,
    search,
    failuresPerMinute: limits.failuresPerMinute,
    maxAddresses: limits.addresses,
    addressTtlSeconds: settings.ipAddressTtlSeconds,
    observer,
  });
  const v1 = new V1({
    box,
    keyring,
    senders,
    nonceMark,
    claims,
    requestTtlSeconds: settings.requestTtlSeconds,
    ...(parts.clock === undefined ? {} : { clock: parts.clock }),
  });
  const handshakeKeys = new HandshakeKeys();
  const tickets = new Tickets({
    cipher: parts.aead,
    lifetimeSeconds: settings.v2.ticketLifetimeSeconds,
    ticketsPerClient: settings.v2.ticketsPerClient,
    ...(parts.ticketClock === undefined ? {} : { clock: parts.ticketClock }),
    ...shared?.tickets === undefined ? {} : { ring: shared.tickets.ring },
  });
  const v2 = new V2({
    ...settings.v2,
    aead: parts.aead,
    keys: handshakeKeys,
    keyring,
    senders,
    unknownSenders: new BudgetGate(budget, MAX_WAITING.unknownSenders),
    handshakes: new BudgetGate(
      new WorkBudget(limits.searchPercent / 100),
      MAX_WAITING.handshakes,
    ),
    tickets,
    invites: parts.invites ?? NO_INVITES,
    claims: shared?.tickets?.claims(tickets) ?? new TicketClaims(tickets),
    ...shared === undefined ? {} : { reload: shared.reload },
    directory: functions,
    observer,
    maxBodyBytes: limits.bodyBytes,
    ...(parts.clock === undefined ? {} : { clock: parts.clock }),
  });
  const calls = new Calls({
    functions,
    observer,
    isRegistered: (client) => keyring.isRegistered(client),
    rates: shared?.rates,
    ...(parts.clock === undefined ? {} : { clock: parts.clock }),
  });
  const bodies = new BodyReader({
    maxBytes: limits.bodyBytes,
    timeoutMs: limits.bodyTimeoutSeconds * 1000,
  });
  const gate = new RequestGate({ ...limits, makeRoom: () => bodies.evictSlowest() });
  const refusalClock = parts.refusalClock ?? new RefusalClock();
  const endpoint = createEndpoint({
    calls,
    protocols: settings.v2.isEnabled ? [v1, v2] : [v1],
    bodies,
    gate,
    refusalClock,
    proxy: settings.proxy,
    observer,
  });
  const close = (): void => {
    bodies.close();
    refusalClock.close();
  };
  return { endpoint, search, nonceMark, handshakeKeys, tickets, gate, close };
}
