/**
 * @module
 * The seam between the way of a call (calls.ts) and a wire protocol: what each protocol does at each
 * step. Nothing outside of a protocol's own files knows its messages. A third protocol is one more
 * implementation of {@link Protocol}, and one more line in server.ts.
 */
import type { CallResult } from "../functions/types.ts";
import type { ClientRecord } from "../keys/keyring.ts";
import type { Refusal } from "../refusals.ts";
import type { Claim } from "../replay/claims.ts";

/** A result of one step, now or later; a promise only where something had to be waited for. */
export type Soon<T> = T | Promise<T>;

/** A client that proved its key, and what its request holds. `Content` belongs to the protocol. */
export interface Authentic<Content = unknown> {
  readonly ok: true;
  readonly client: ClientRecord;
  readonly content: Content;
}

/** A function that a request asks for. */
export interface WantedCall {
  /** Folded to lower case. */
  readonly functionName: string;
  /** JSON text, parsed by the function's worker only; `undefined` in v1. */
  readonly params?: string;
}

/** A verified request: what it asks for, and what must be claimed before that runs. */
export interface Verified {
  readonly ok: true;
  readonly claim: Claim;
  readonly calls: readonly WantedCall[];
}

/** A protocol, step by step. `Body` is text or bytes, `Message` a parsed body. */
export interface Protocol<Body = unknown, Message = unknown, Content = unknown> {
  /** `v1`; a label of metrics, and the path of the endpoint. */
  readonly name: string;
  /** How the endpoint reads the body for {@link Protocol.parse}. */
  readonly bodyForm: "text" | "bytes";
  /** Whether a request with this content type is read at all. */
  acceptsType(contentType: string): boolean;
  /** Content type of answers. */
  readonly answerType: string;
  /** Form only; no keys, no cryptography. The result may share memory with the next call's. */
  parse(body: Body): { readonly ok: true; readonly message: Message } | Refusal;
  /** Which registered client sent this. */
  authenticate(message: Message, address: string): Soon<Authentic<Content> | Refusal>;
  /** Everything else that must hold before the request may run. */
  verify(message: Message, sender: Authentic<Content>): Verified | Refusal;
  /** Told when a request was claimed. */
  accepted(sender: Authentic<Content>, address: string): void;
  /** The answer; a refusal where the protocol has no words for the outcome. */
  seal(sender: Authentic<Content>, results: readonly CallResult[]): BodyInit | Refusal;
}
