/**
 * @module
 * What a hello of protocol v2 carries, and what its welcome carries back (docs/protocol-v2.md §4).
 */
import { type Bytes, concat, fromBase64 } from "../../client/bytes.ts";
import { decodeUtf8, KIND, type Welcome, writeWelcomePayload } from "../../client/messages.ts";
import type { Responder, TransportKeys } from "../../client/noise_ik.ts";
import { X25519Pair } from "../crypto/x25519.ts";

const TOKEN_BYTES = 16;

/** An invite in the payload of a hello. */
export interface HelloInvite {
  readonly token: Bytes;
  readonly name?: string;
  readonly wantsV1: boolean;
}

/**
 * The invite in a payload; `undefined` where there is none. Members that are unknown mean nothing.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const payload = new TextEncoder().encode(`{"invite": "${"A".repeat(22)}", "v1": true}`);
 * assert.deepEqual(readHelloInvite(payload), { token: new Uint8Array(16), wantsV1: true });
 * assert.equal(readHelloInvite(new Uint8Array()), undefined);
 * ```
 */
export function readHelloInvite(payload: Uint8Array): HelloInvite | undefined {
  if (payload.length === 0) return undefined;
  let members: unknown;
  try {
    members = JSON.parse(decodeUtf8(payload) ?? "");
  } catch {
    return undefined;
  }
  if (typeof members !== "object" || members === null) return undefined;
  const { invite, name, v1 } = members as Readonly<Record<string, unknown>>;
  const token = typeof invite === "string" ? fromBase64(invite) : undefined;
  if (token?.length !== TOKEN_BYTES) return undefined;
  return { token, ...typeof name === "string" ? { name } : {}, wantsV1: v1 === true };
}

/**
 * The answer to a hello, with a fresh ephemeral key; `undefined` where the sender's keys are of low order.
 *
 * @param content what it says, once the keys of the session are known
 */
export function sealWelcome(
  responder: Responder,
  content: (keys: TransportKeys) => Welcome,
): Bytes | undefined {
  const ephemeral = X25519Pair.generate();
  const keys = responder.agree(ephemeral);
  if (keys === undefined) return undefined;
  const { sealed } = responder.writePayload(writeWelcomePayload(content(keys)));
  return concat(Uint8Array.of(KIND.welcome), ephemeral.publicKey, sealed);
}
