/**
 * @module
 * Accepted requests, in memory and in a journal: a request in which any of the four nonces was part of
 * an accepted request is refused (replay and splicing, docs/protocol.md §6). `id`, `check` and `ts` are
 * remembered until the request would be refused for its age; `entry`, which has no time of its own, for
 * a number of accepted requests. Both have a capacity.
 */
import { setImmediate } from "node:timers";
import { type Box, NONCE_BYTES, type ShortHashKey } from "../crypto/box.ts";
import { logger } from "../log.ts";
import type { Observer } from "../observer.ts";
import type { ClaimResult, Claims, ClaimsFill, NonceClaim } from "./claims.ts";
import { ENTRY_AT, FINGERPRINT_WORDS, FingerprintTable } from "./fingerprints.ts";
import { type JournalOptions, ReplayJournal } from "./journal.ts";
import { RequestWindow } from "./window.ts";

const log = logger("replay");

/** A request that is dated further ahead than this is not remembered: it would take its room for days. */
const MAX_AHEAD_SECONDS = 86_400;

/** The parts of {@link MemoryClaims}. */
export interface MemoryClaimsParts {
  readonly box: Box;
  /** Requests that are remembered until they expire. */
  readonly windowRequests: number;
  /** Requests whose `entry` is remembered beyond that. */
  readonly entryRequests: number;
  /** Where what is remembered outlives the process; nowhere when absent. The folder must exist. */
  readonly journal?: Omit<JournalOptions, keyof MemoryClaimsParts | "onRecord">;
  readonly observer: Pick<Observer, "limitReached" | "fault" | "recovered">;
  readonly nowSeconds?: () => number;
}

/** Claims of one server, in its memory and its journal. */
export class MemoryClaims implements Claims<NonceClaim> {
  readonly #box: Box;
  readonly #fingerprintKey: ShortHashKey;
  readonly #journal: ReplayJournal | undefined;
  readonly #observer: MemoryClaimsParts["observer"];
  readonly #window: RequestWindow;
  readonly #entries: RecentSet;
  /** Requests dated before this may have been accepted by an earlier process. */
  readonly #completeSince: number;
  readonly #startMs = performance.now();
  /** Resolves when every claim so far is on disk; absent when none is to be written. */
  #settling: Promise<void> | undefined;
  /** Fingerprints of the request that is being claimed. */
  readonly #words = new Uint32Array(FINGERPRINT_WORDS);

  /**
   * Remembers what the journal has.
   *
   * @throws {ConfigError} when the journal cannot be read or written.
   */
  constructor(parts: MemoryClaimsParts) {
    const { box, windowRequests, entryRequests, journal, observer } = parts;
    const nowSeconds = parts.nowSeconds ?? (() => Math.floor(Date.now() / 1000));
    this.#box = box;
    this.#observer = observer;
    this.#window = new RequestWindow(windowRequests);
    this.#entries = new RecentSet(entryRequests);
    const startSeconds = nowSeconds();
    let isTooSmall = false;
    const onRecord = (words: Uint32Array, expiresAtSeconds: number): void => {
      if (!this.#restore(words, expiresAtSeconds, startSeconds)) isTooSmall = true;
    };
    this.#journal = journal && new ReplayJournal({
      ...journal,
      windowRequests,
      entryRequests,
      nowSeconds,
      observer,
      onRecord,
    });
    const { key, found = 0, completeSince = 0 } = this.#journal ?? {};
    this.#completeSince = isTooSmall ? startSeconds : completeSince;
    this.#fingerprintKey = box.keepShortHashKey(key ?? crypto.getRandomValues(new Uint8Array(16)));
    if (found > 0) log.info("Requests remembered from before: {count}", { count: found });
  }

  get fill(): ClaimsFill {
    return { window: this.#window.fill, entries: this.#entries.fill };
  }

  claim(claim: NonceClaim): ClaimResult {
    const { owner, nowSeconds, sentAtSeconds, expiresAtSeconds } = claim;
    this.#computeFingerprints(claim.nonces);
    const words = this.#words;
    const aheadSeconds = sentAtSeconds - nowSeconds;
    const isEarly = aheadSeconds > expiresAtSeconds - sentAtSeconds;
    const hasRoom = this.#window.hasRoom(owner, nowSeconds, isEarly);
    if (this.#isKnown(words)) return "replayed";
    if (sentAtSeconds < this.#completeSince && this.#mayBeForgotten(claim)) {
      return "predates_memory";
    }
    if (isEarly && aheadSeconds > MAX_AHEAD_SECONDS) return "memory_full";
    if (!hasRoom || !this.#window.add(words, owner, expiresAtSeconds)) {
      if (!isEarly) this.#observer.limitReached("remembered_requests");
      return "memory_full";
    }
    this.#entries.add(words[ENTRY_AT] ?? 0, words[ENTRY_AT + 1] ?? 0);
    // The time of a request that is refused for being early does not move the journal's own.
    this.#journal?.append(words, isEarly ? { sentAtSeconds: 0, expiresAtSeconds } : claim);
    return "fresh";
  }

  /** One write for all claims of a turn of the event loop: a write for each costs more than the claim. */
  settle(): Promise<void> | void {
    const journal = this.#journal;
    if (journal === undefined) return;
    this.#settling ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#settling = undefined;
        journal.flush();
        resolve();
      });
    });
    return this.#settling;
  }

  close(): void {
    this.#journal?.close();
  }

  /**
   * Whether an earlier process could have accepted the request. Once the process is older than any
   * request that was valid at its start, the time in the request says enough. Measured without the
   * clock: one that was wrong at the start and is set right must not refuse requests for days.
   */
  #mayBeForgotten({ sentAtSeconds, expiresAtSeconds }: NonceClaim): boolean {
    const ageSeconds = (performance.now() - this.#startMs) / 1000;
    return ageSeconds <= 2 * (expiresAtSeconds - sentAtSeconds);
  }

  /** @returns false when there is no room for it. */
  #restore(words: Uint32Array, expiresAtSeconds: number, nowSeconds: number): boolean {
    if (this.#isKnown(words)) return true;
    this.#entries.add(words[ENTRY_AT] ?? 0, words[ENTRY_AT + 1] ?? 0);
    return expiresAtSeconds < nowSeconds || this.#window.add(words, -1, expiresAtSeconds);
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
