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
import type { Keyring } from "./keys/keyring.ts";
import { SenderSearch } from "./keys/search.ts";
import { SenderFinder } from "./keys/sender.ts";
import { BodyReader } from "./limits/body.ts";
import { BudgetGate, WorkBudget } from "./limits/budget.ts";
import { RequestGate } from "./limits/gate.ts";
import { RefusalClock } from "./limits/refusal_clock.ts";
import type { Observer } from "./observer.ts";
import { Tickets } from "./protocol/tickets.ts";
import { V1 } from "./protocol/v1.ts";
import { V2 } from "./protocol/v2.ts";
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
  readonly functions: FunctionCaller & FunctionDirectory;
  readonly observer: Observer;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  readonly refusalClock?: RefusalClock;
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
  const { settings, box, keyring, claims, functions, observer } = parts;
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
    directory: functions,
    observer,
    maxBodyBytes: limits.bodyBytes,
    ...(parts.clock === undefined ? {} : { clock: parts.clock }),
  });
  const calls = new Calls({
    functions,
    observer,
    isRegistered: (client) => keyring.isRegistered(client),
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
