/**
 * @module
 * What protocol v2 stands on.
 */
import type { Aead } from "../crypto/aead.ts";
import type { FunctionDirectory } from "../functions/types.ts";
import type { HandshakeKeys } from "../keys/handshake_keys.ts";
import type { InviteDesk } from "../keys/invite_desk.ts";
import type { Keyring } from "../keys/keyring.ts";
import type { SenderFinder } from "../keys/sender.ts";
import type { BudgetGate } from "../limits/budget.ts";
import type { Observer } from "../observer.ts";
import type { Claims } from "../replay/claims.ts";
import type { Tickets } from "./tickets.ts";
import type { NumberClaim } from "./v2_exchange.ts";

/** The parts of protocol v2. */
export interface V2Parts {
  readonly aead: Aead;
  readonly keys: HandshakeKeys;
  readonly keyring: Keyring;
  readonly senders: SenderFinder;
  /** For finding out who says hello: the budget that v1's search draws on too. */
  readonly unknownSenders: BudgetGate;
  /** For the rest of a handshake: a copy of a registered client's hello costs as much as the hello. */
  readonly handshakes: BudgetGate;
  readonly tickets: Tickets;
  readonly invites: InviteDesk;
  /** Reloads the key store, where replicas share the tickets. */
  readonly reload?: () => Promise<void>;
  /** Where the numbers of calls are claimed. */
  readonly claims: Claims<NumberClaim>;
  readonly directory: FunctionDirectory;
  readonly observer: Pick<Observer, "welcomed">;
  readonly allowedOrigins: readonly string[];
  /** Calls in a batch. */
  readonly maxBatch: number;
  /** Bytes of a request, for clients to know. */
  readonly maxBodyBytes: number;
  /** Milliseconds since 1970; nothing here is refused for its time. */
  readonly clock?: () => number;
}
