/**
 * @module
 * The seam between the way of a call (calls.ts) and a wire protocol: what each protocol does at each
 * step. Nothing outside of a protocol's own files knows its messages. A third protocol is one more
 * implementation of {@link Protocol}, and one more line in server.ts.
 */
import type { CallResult } from "../functions/types.ts";
import type { ClientRecord } from "../keys/keyring.ts";
import type { ClientBar } from "../keys/policy.ts";
import type { Refusal } from "../refusals.ts";
import type { Claims } from "../replay/claims.ts";

/** A result of one step, now or later; a promise only where something had to be waited for. */
export type Soon<T> = T | Promise<T>;

/** Goes on with a value, at once where it is there: a promise costs a turn of the event loop. */
export function then<T, U>(value: Soon<T>, next: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** A client that proved its key, and what its request holds. `Content` belongs to the protocol. */
export interface Authentic<Content = unknown> {
  readonly ok: true;
  readonly client: ClientRecord;
  readonly content: Content;
}

/** A request whose sender is not registered and gets an answer nevertheless. */
export interface Answered {
  readonly ok: true;
  readonly answer: Sealed;
}

/** A function that a request asks for. */
export interface WantedCall {
  /** Folded to lower case. */
  readonly functionName: string;
  /** JSON text, parsed by the function's worker only; absent in v1. */
  readonly params?: string;
}

/** A verified request: what it asks for, and what must be claimed before that runs. */
export interface Verified<Claim = unknown> {
  readonly ok: true;
  /** Absent where a copy of the request does no harm. */
  readonly claim?: Claim;
  readonly calls: readonly WantedCall[];
}

/** A request that is refused. */
export interface Unverified<Claim = unknown> extends Refusal {
  /** Set where the request would be accepted later: it is claimed, so that it never is. */
  readonly claim?: Claim;
}

/** A body in its parsed form. */
export interface Parsed<Message> {
  readonly ok: true;
  readonly message: Message;
}

/**
 * A protocol, step by step, in the order of the members. `Body` is text or bytes, `Message` a parsed
 * body, `Content` what {@link Protocol.authenticate} found in it, `Claim` what makes a request unique.
 */
export interface Protocol<
  Body = unknown,
  Message = unknown,
  Content = unknown,
  Claim = unknown,
> {
  /** `v1`: the path of the endpoint, and a label of metrics. */
  readonly name: string;
  /** Content type of answers. */
  readonly answerType: string;
  /** Origins of web pages elsewhere that may call; `*` for all. */
  readonly allowedOrigins: readonly string[];
  /** How the endpoint reads a body for {@link Protocol.parse}. */
  readonly bodyForm: "text" | "bytes";
  /** Where its requests are claimed. */
  readonly claims: Claims<Claim>;
  /** Whether a request with this content type is read at all. */
  acceptsType(contentType: string): boolean;
  /** Form only: no keys, no cryptography. */
  parse(body: Body): Parsed<Message> | Refusal;
  /** What client and operator can find the request by, eight hex digits; nothing where there is none. */
  referenceOf(message: Message): string | undefined;
  /** Finds the registered client that sent this. */
  authenticate(message: Message, address: string): Soon<Authentic<Content> | Answered | Refusal>;
  /** Checks everything else that must hold before the request may run. */
  verify(sender: Authentic<Content>): Verified<Claim> | Unverified<Claim>;
  /** Notes that the request was claimed. */
  accepted(sender: Authentic<Content>, address: string): void;
  /**
   * Tells a client that its rules refuse it as a whole, where the protocol has words for it; nothing where
   * it has none.
   */
  sealBar(sender: Authentic<Content>, code: ClientBar): Sealed | Refusal | undefined;
  /** The answer; a refusal where the protocol has no words for an outcome. */
  seal(sender: Authentic<Content>, results: readonly CallResult[]): Sealed | Refusal;
}

/** An answer, sealed to the client. */
export interface Sealed {
  readonly ok: true;
  readonly body: string | Uint8Array<ArrayBuffer>;
}
