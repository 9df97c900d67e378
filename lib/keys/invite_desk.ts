/**
 * @module
 * What protocol v2 asks of invites. The server does it in another process (registrar.ts): it has given up
 * writing to the key store.
 */
import type { PublicKey } from "../crypto/keys.ts";
import type { ClientRecord } from "./keyring.ts";

/** A key that a handshake proved, with the token of an invite. */
export interface JoinRequest {
  /** 16 bytes. */
  readonly token: Uint8Array;
  readonly publicKey: PublicKey;
  /** What the client calls itself; not checked yet. */
  readonly name?: string;
  /** Whether it wants to call protocol v1 too. */
  readonly wantsV1: boolean;
  /** IP address that it comes from. */
  readonly address: string;
  /** What client and operator find the request by. */
  readonly reference: string;
}

/** What a client of protocol v1 needs beside its key. */
export interface V1Values {
  /** 128 hex digits. */
  readonly secret: string;
  /** The server's public key for protocol v1, base64. */
  readonly serverKey: string;
}

/**
 * What came of a request: the client that is registered now; `closed` for an invite that was used by
 * another, is expired or revoked; `unknown` without such an invite; `busy` or `failed` where it cannot be
 * used now.
 */
export type JoinOutcome =
  | {
    readonly status: "joined";
    readonly client: ClientRecord;
    readonly v1: V1Values | undefined;
    /** Registered by this request, which cannot be a copy then. */
    readonly isNew: boolean;
  }
  | { readonly status: "closed" | "unknown" | "busy" | "failed" };

/** Who registers clients with invites. */
export interface InviteDesk {
  /** Whether there are invites for which the first message of an unknown sender is opened. */
  hasInvites(): boolean | Promise<boolean>;
  /** Registers a key, once. The same key and token get the same again. */
  join(request: JoinRequest): Promise<JoinOutcome>;
  /** What a registered client got when it joined. */
  v1Of(request: JoinRequest): Promise<V1Values | undefined>;
}

/** Without invites. */
export const NO_INVITES: InviteDesk = {
  hasInvites: () => false,
  join: () => Promise.resolve({ status: "unknown" }),
  v1Of: () => Promise.resolve(undefined),
};
