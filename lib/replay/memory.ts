/**
 * @module
 * Accepted requests, in memory and in a journal: a request in which any of the four nonces was part of
 * an accepted request is refused (replay and splicing, docs/protocol.md §6). `id`, `check` and `ts` are
 * remembered until the request would be refused for its age; `entry`, which has no time of its own, for
 * a number of accepted requests. Both have a capacity.
 */
import { type Box, NONCE_BYTES, type ShortHashKey } from "../crypto/box.ts";
import { logger } from "../log.ts";
import type { Observer } from "../observer.ts";
import type { ClaimResult, Claims, ClaimsFill, NonceClaim } from "./claims.ts";
import { ENTRY_AT, FINGERPRINT_WORDS, FingerprintTable } from "./fingerprints.ts";
import type { ReplayJournal } from "./journal.ts";
import { RequestWindow } from "./window.ts";

const log = logger("replay");

/** The parts of {@link MemoryClaims}. */
export interface MemoryClaimsParts {
  readonly box: Box;
  /**
   * What was accepted before is restored from it. Closed together with the claims. Without one,
   * nothing outlives the process.
   */
  readonly journal?: ReplayJournal;
  /** Requests that are remembered until they expire. */
  readonly windowRequests: number;
  /** Requests whose `entry` is remembered beyond that. */
  readonly entryRequests: number;
  readonly observer: Pick<Observer, "limitReached">;
  readonly nowSeconds?: number;
}

/** Claims of one server, in its memory and its journal. */
export class MemoryClaims implements Claims<NonceClaim> {
  readonly #box: Box;
  readonly #fingerprintKey: ShortHashKey;
  readonly #journal: ReplayJournal | undefined;
  readonly #observer: MemoryClaimsParts["observer"];
  readonly #window: RequestWindow;
  readonly #entries: RecentSet;
  /** Fingerprints of the request that is being claimed. */
  readonly #words = new Uint32Array(FINGERPRINT_WORDS);

  /** @throws {ConfigError} when the journal cannot be read. */
  constructor(parts: MemoryClaimsParts) {
    this.#box = parts.box;
    this.#journal = parts.journal;
    this.#observer = parts.observer;
    const key = parts.journal?.key ?? crypto.getRandomValues(new Uint8Array(16));
    this.#fingerprintKey = parts.box.keepShortHashKey(key);
    this.#window = new RequestWindow(parts.windowRequests);
    this.#entries = new RecentSet(parts.entryRequests);
    this.#restore(parts.nowSeconds ?? Math.floor(Date.now() / 1000));
  }

  get fill(): ClaimsFill {
    return { window: this.#window.fill, entries: this.#entries.fill };
  }

  claim(claim: NonceClaim): ClaimResult {
    const { owner, nowSeconds, expiresAtSeconds } = claim;
    this.#computeFingerprints(claim.nonces);
    const words = this.#words;
    const hasRoom = this.#window.hasRoom(owner, nowSeconds);
    if (this.#isKnown(words)) return "replayed";
    if (!hasRoom || !this.#window.add(words, owner, expiresAtSeconds)) {
      this.#observer.limitReached("remembered_requests");
      return "memory_full";
    }
    this.#entries.add(words[ENTRY_AT] ?? 0, words[ENTRY_AT + 1] ?? 0);
    this.#journal?.append(words, expiresAtSeconds);
    return "fresh";
  }

  settle(): void {
    this.#journal?.flush();
  }

  close(): void {
    this.#journal?.close();
  }

  #restore(nowSeconds: number): void {
    const count = this.#journal?.restore((words, expiresAtSeconds) => {
      if (this.#isKnown(words)) return;
      if (expiresAtSeconds >= nowSeconds) this.#window.add(words, -1, expiresAtSeconds);
      this.#entries.add(words[ENTRY_AT] ?? 0, words[ENTRY_AT + 1] ?? 0);
    }) ?? 0;
    if (count > 0) log.info("Requests remembered from before: {count}", { count });
  }

  #isKnown(words: Uint32Array): boolean {
    for (let at = 0; at < FINGERPRINT_WORDS; at += 2) {
      const low = words[at] ?? 0, high = words[at + 1] ?? 0;
      if (this.#entries.has(low, high) || this.#window.has(low, high)) return true;
    }
    return false;
  }

  #computeFingerprints(nonces: NonceClaim["nonces"]): void {
    const out = this.#words;
    for (let i = 0; i < nonces.length; i++) {
      const data = nonces[i];
      if (data === undefined) continue;
      this.#box.shortHash(this.#fingerprintKey, { data, length: NONCE_BYTES }, { out, at: 2 * i });
    }
  }
}

/** The last `capacity` fingerprints: a ring. */
class RecentSet {
  readonly #table: FingerprintTable;
  readonly #capacity: number;
  #count = 0;

  constructor(capacity: number) {
    this.#table = new FingerprintTable(capacity);
    this.#capacity = capacity;
  }

  get fill(): { used: number; capacity: number } {
    return { used: Math.min(this.#count, this.#capacity), capacity: this.#capacity };
  }

  has(low: number, high: number): boolean {
    return this.#table.has(low, high);
  }

  add(low: number, high: number): void {
    const slot = this.#count % this.#capacity;
    if (this.#count >= this.#capacity) this.#table.remove(slot);
    this.#table.put(slot, low, high);
    this.#count++;
  }
}
