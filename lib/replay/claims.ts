/**
 * @module
 * The promise that a call runs at most once, as an interface: a claim is made once, or it was made
 * before. Implemented in memory with a journal on disk (memory.ts); nothing else of the server knows
 * fingerprints, tables or files.
 */
import type { RefusalCode } from "../refusals.ts";

/** What makes a request of protocol v1 unique, and until when it matters. */
export interface NonceClaim {
  /**
   * Values whose first 24 bytes (the nonce) are unique to the request: none of them may ever have
   * been part of an accepted one. For v1 the sealed `id`, `check`, `ts` and `entry`. The last one has
   * no time of its own and is remembered beyond {@link NonceClaim.expiresAtSeconds}.
   * Valid during the call of {@link Claims.claim} only.
   */
  readonly nonces: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  /** Slot of the client: each client has a share of the memory. */
  readonly owner: number;
  /** The time in the request, Unix seconds. */
  readonly sentAtSeconds: number;
  /** Unix time in seconds after which the request would be refused for its age. */
  readonly expiresAtSeconds: number;
  readonly nowSeconds: number;
}

/** `fresh` for exactly one of any number of copies; otherwise why the request must not run. */
export type ClaimResult =
  | "fresh"
  | Extract<
    RefusalCode,
    | "replayed"
    | "memory_full"
    | "predates_memory"
    | "retired_ticket"
    | "unknown_ticket"
    | "redis_unavailable"
  >;

/** Fill of the tables: requests in the window, `entry` nonces beyond it. */
export type ClaimsFill = Readonly<Record<"window" | "entries", { used: number; capacity: number }>>;

/** Remembers what was accepted. `Content` is what makes a request of a protocol unique. */
export interface Claims<Content> {
  /** Claims a request in one step: copies cannot pass side by side. */
  claim(claim: Content): ClaimResult | Promise<ClaimResult>;
  /** Puts every claim so far where it survives the process. Called before a function runs. */
  settle(): void | Promise<void>;
}
