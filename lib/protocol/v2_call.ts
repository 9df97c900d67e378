/**
 * @module
 * A call of protocol v2 whose ticket was opened: checks 6 to 8 of docs/protocol-v2.md, §8, up to its text.
 */
import { CALLS_PER_TICKET, decodeUtf8, type SealedCall } from "../../client/messages.ts";
import type { Aead } from "../crypto/aead.ts";
import type { ClientRecord } from "../keys/keyring.ts";
import type { Refusal } from "../refusals.ts";
import { readRequest } from "./jsonrpc.ts";
import type { Authentic } from "./protocol.ts";
import type { OpenedTicket } from "./tickets.ts";
import type { CallExchange } from "./v2_exchange.ts";

/** A call, and the client that its ticket is for. */
export interface ArrivedCall {
  readonly client: ClientRecord;
  readonly ticket: OpenedTicket;
  readonly call: SealedCall;
  readonly reference: string;
}

/** Opens a call. */
export function openCall(
  { aead, maxBatch }: { readonly aead: Aead; readonly maxBatch: number },
  { client, ticket, call, reference }: ArrivedCall,
): Authentic<CallExchange> | Refusal {
  const { nonce, number } = call;
  const plaintext = aead.views.open(ticket.callKey, nonce, call);
  if (plaintext === undefined) return { ok: false, code: "tampered_call" };
  if (number >= CALLS_PER_TICKET) return { ok: false, code: "malformed_message" };
  // What is not UTF-8 is not JSON either.
  const request = readRequest(decodeUtf8(plaintext) ?? "", maxBatch);
  const content = { kind: "call", client, ticket, number, nonce, request, reference } as const;
  return { ok: true, client, content };
}
