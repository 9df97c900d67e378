/**
 * @module
 * What happened, for the log and for metrics: the only way up. Parts of the server tell an observer;
 * they neither write log lines about requests nor count.
 */
import type { WelcomeStatus } from "../client/messages.ts";
import type { CallRefusalCode, RefusalCode } from "./refusals.ts";

/** Where a request came from, as far as trusted proxies say so. */
export interface Origin {
  /** IP address, without a port or brackets. */
  readonly address: string;
  readonly host?: string;
  readonly port?: string;
  readonly prefix?: string;
  readonly protocol?: string;
}

/** A registered key, for the log: what the operator knows it by. */
export interface ObservedClient {
  /** File name of its key. */
  readonly file: string;
  readonly name?: string | undefined;
  /** Its name, or the number of its file. */
  readonly label: string;
  readonly publicKeyBase64: string;
}

/** A request that was answered. */
export interface Answered {
  /** Name of the protocol, `v1`. */
  readonly protocol: string;
  readonly origin: Origin;
  /** Milliseconds from the head of the request to its answer. */
  readonly durationMs: number;
}

/** A request that was refused. */
export interface Refused {
  readonly protocol: string;
  readonly code: RefusalCode;
  readonly origin: Origin;
  /** Milliseconds, without the time for which the refusal is held. */
  readonly durationMs: number;
  /** Set when the request reached a registered function. */
  readonly functionName?: string | undefined;
  /** What a function threw, or numbers; never a value of the request. */
  readonly detail?: string | undefined;
  /** Set when the sender is a registered client. */
  readonly client?: ObservedClient | undefined;
  /** What the sender can find it by; in protocol v2. */
  readonly reference?: string | undefined;
}

/** A client that its rules refuse, and that was told so. */
export interface Barred {
  readonly protocol: string;
  readonly code: RefusalCode;
  readonly client: ObservedClient;
  readonly address: string;
  readonly reference: string | undefined;
}

/** A call of a function, or an attempt. */
export interface Called {
  /** Absent where no function has the name that was asked for. */
  readonly functionName: string | undefined;
  /** Why it brought no result. */
  readonly refusal: CallRefusalCode | undefined;
  /** What a function threw, or numbers; never a value of the request. */
  readonly detail: string | undefined;
  /** Set where the caller is told; without one, the request as a whole is refused. */
  readonly reference: string | undefined;
  readonly client: ObservedClient;
  readonly durationMs: number;
}

/** An invite that somebody used, or tried to. */
export interface InviteUsed {
  /** Its id. */
  readonly invite: string;
  /** The client that joined, where one did. */
  readonly client?: ObservedClient | undefined;
  /** Why none did: what the invite is, or what failed. */
  readonly refusal?: string;
  readonly address: string;
  readonly reference: string;
}

/** What can be reloaded while the server runs. */
export type Reloaded = "key_store" | "server_key" | "modules" | "certificate";

/** Tables and queues that are full; each drops the entry that was unused for longest. */
export type ReachedLimit = "remembered_requests" | "sender_addresses" | "failing_addresses";

/** Parts that go on although something in them fails. */
export type FaultyPart =
  | "key_store"
  | "journal"
  | "state"
  | "log"
  | "listener"
  | "admin_listener"
  | "modules"
  | "redis";

/** How a command to Redis ended: with its reply, with an error, or without either in time. */
export type RedisOutcome = "ok" | "error" | "timeout";

/** Who is told what happened. No method may throw. */
export interface Observer {
  answered(event: Answered): void;
  refused(event: Refused): void;
  called(event: Called): void;
  /** A registered client was told that its rules refuse it. */
  barred(event: Barred): void;
  /** A handshake of a registered client was answered. */
  welcomed(status: WelcomeStatus): void;
  /** A client joined with an invite, or did not. */
  inviteUsed(event: InviteUsed): void;
  /** An authenticated request came from an address that was not remembered. */
  newAddress(address: string): void;
  /** Whatever changed on disk is in use now. */
  reloaded(what: Reloaded, detail: string): void;
  /** The registered clients are complete in memory. */
  storeLoaded(counts: { readonly keys: number; readonly secrets: number }): void;
  limitReached(limit: ReachedLimit): void;
  /** Something cannot be used; the part goes on as it was, and tries again where that can help. */
  fault(part: FaultyPart, what: string): void;
  /** A part works again after {@link Observer.fault}. */
  recovered(part: FaultyPart, what: string): void;
  /** A function process ended by itself. */
  processExited(reason: string): void;
  /** A connection to Redis is in use. */
  redisConnected(): void;
  redisAsked(outcome: RedisOutcome, durationMs: number): void;
  /** A request was accepted without asking Redis, which could not be asked. */
  acceptedAlone(): void;
}

/** An observer that does nothing: a base for those that care about few events. */
export const SILENT: Observer = {
  answered: () => {},
  refused: () => {},
  called: () => {},
  barred: () => {},
  welcomed: () => {},
  inviteUsed: () => {},
  newAddress: () => {},
  reloaded: () => {},
  storeLoaded: () => {},
  limitReached: () => {},
  fault: () => {},
  recovered: () => {},
  processExited: () => {},
  redisConnected: () => {},
  redisAsked: () => {},
  acceptedAlone: () => {},
};

/** One observer that tells all of them. */
export function observers(all: readonly Observer[]): Observer {
  const [first, ...others] = all;
  if (first !== undefined && others.length === 0) return first;
  return {
    answered: (event) => all.forEach((each) => each.answered(event)),
    refused: (event) => all.forEach((each) => each.refused(event)),
    called: (event) => all.forEach((each) => each.called(event)),
    barred: (event) => all.forEach((each) => each.barred(event)),
    welcomed: (status) => all.forEach((each) => each.welcomed(status)),
    inviteUsed: (event) => all.forEach((each) => each.inviteUsed(event)),
    newAddress: (address) => all.forEach((each) => each.newAddress(address)),
    reloaded: (what, detail) => all.forEach((each) => each.reloaded(what, detail)),
    storeLoaded: (counts) => all.forEach((each) => each.storeLoaded(counts)),
    limitReached: (limit) => all.forEach((each) => each.limitReached(limit)),
    fault: (part, what) => all.forEach((each) => each.fault(part, what)),
    recovered: (part, what) => all.forEach((each) => each.recovered(part, what)),
    processExited: (reason) => all.forEach((each) => each.processExited(reason)),
    redisConnected: () => all.forEach((each) => each.redisConnected()),
    redisAsked: (outcome, durationMs) =>
      all.forEach((each) => each.redisAsked(outcome, durationMs)),
    acceptedAlone: () => all.forEach((each) => each.acceptedAlone()),
  };
}
