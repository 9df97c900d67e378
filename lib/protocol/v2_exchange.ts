/**
 * @module
 * Protocol v2 behind the seam of protocol.ts, in two exchanges: a hello, which is answered with a welcome
 * and calls nothing, and a call. What each holds between two steps.
 */
import type { Bytes } from "../../client/bytes.ts";
import type { SealedCall } from "../../client/messages.ts";
import type { Responder } from "../../client/noise_ik.ts";
import type { V1Values } from "../keys/invite_desk.ts";
import type { ClientRecord } from "../keys/keyring.ts";
import type { RpcRequest } from "./jsonrpc.ts";
import type { OpenedTicket } from "./tickets.ts";

/** A message of a client. */
export type V2Message =
  | {
    readonly kind: "hello";
    readonly keyId: Uint8Array;
    readonly noise: Uint8Array;
    readonly reference: string;
  }
  | { readonly kind: "call"; readonly call: SealedCall; readonly reference: string };

/** A hello of a registered client, to be answered. */
export interface HelloExchange {
  readonly kind: "hello";
  readonly client: ClientRecord;
  readonly publicKey: Bytes;
  readonly responder: Responder;
  /** What a client that joins with an invite gets for protocol v1. */
  readonly v1?: V1Values | undefined;
}

/** A call of a registered client, opened. */
export interface CallExchange {
  readonly kind: "call";
  readonly client: ClientRecord;
  readonly ticket: OpenedTicket;
  readonly number: number;
  readonly nonce: Uint8Array;
  readonly request: RpcRequest;
  readonly reference: string;
}

/** What a sender was found to have sent. */
export type V2Exchange = HelloExchange | CallExchange;

/** What makes a call unique. */
export type NumberClaim = Pick<CallExchange, "ticket" | "number">;
