/**
 * @module
 * Which registered key opened this? A request does not say who sent it (docs/protocol.md §3), so
 * keys are tried. `check` is the value to try, because it is the shortest; the others must then open
 * under the same key.
 *
 * First come the key that was last used from the same address and those that were used around it
 * (clients behind one address take turns, mostly in the same order), at once. Whoever is not among
 * them is looked for among all keys (search.ts).
 */
import type { Box, SharedKey } from "../crypto/box.ts";
import { keepWithin } from "../limits/bounded_map.ts";
import type { FailureCounter } from "../limits/failures.ts";
import type { OpenedRequest, SealedRequest } from "../protocol/v1.ts";
import type { Keyring, Slot } from "./keyring.ts";
import type { SenderSearch } from "./search.ts";

/** An address that was accepted within so many seconds is trusted with more of our time. */
const TRUST_SECONDS = 3600;
/** Keys that are tried at once, about 0.4 µs each, for a request from … */
const TRIES = {
  /** … an address that is trusted: as many clients may take turns there in any order. */
  trusted: 256,
  /** … an address that is trusted but fails a lot: enough where clients take turns in order. */
  failing: 32,
  /** … any other address: the latest, in case one of them has moved. */
  other: 8,
} as const;
/** Keys that are collected before they are tried: most are found among the first few. */
const FIRST_TRIES = 8;

/** What a search found. */
export interface FoundSlot {
  readonly slot: Slot;
  /** The key that was last used from the address when the search began; -1 when none was. */
  readonly after: Slot;
}

/** A request that authenticated. */
export interface Sender {
  readonly slot: Slot;
  /** Set when it had to be searched for: {@link FoundSlot.after}. */
  readonly after?: Slot;
  /** The key for the answer. */
  readonly key: SharedKey;
  /** Valid until the next search. */
  readonly opened: OpenedRequest;
}

/** What is known of an address from which requests were accepted. */
interface AddressMemory {
  lastSlot: Slot;
  /** The key that was used next after the last likely one, the last time around; -1 when unknown. */
  expected: Slot;
  /**
   * The same after the last one that had to be searched for. Kept apart: who comes out of turn does
   * not change whose turn it is, unless others follow there.
   */
  expectedAfterSearch: Slot;
  acceptedAtSeconds: number;
}

/** The parts of a finder. */
export interface SenderFinderParts {
  readonly box: Box;
  readonly keyring: Keyring;
  readonly search: SenderSearch;
  readonly failures: FailureCounter;
  /** Addresses that are remembered at most; the one unused for longest goes first. */
  readonly maxAddresses: number;
}

/** Finds senders, and remembers which keys an address used. */
export class SenderFinder {
  readonly #parts: SenderFinderParts;
  readonly #addresses = new Map<string, AddressMemory>();
  readonly #candidates = new Uint32Array(TRIES.trusted);
  readonly #candidateSlots = new Int32Array(TRIES.trusted);

  constructor(parts: SenderFinderParts) {
    this.#parts = parts;
  }

  /** How many addresses are remembered. */
  get addressCount(): number {
    return this.#addresses.size;
  }

  /**
   * The sender of a request, if it is one of those that are likely from this address. "tampered"
   * when `check` is by one of them but another value is not, so that no search can help.
   */
  findLikely(
    request: SealedRequest,
    address: string,
    nowSeconds: number,
  ): Sender | "tampered" | undefined {
    const memory = this.#addresses.get(address);
    if (memory !== undefined) {
      const sender = this.#open(memory.lastSlot, request);
      if (sender !== undefined) return sender;
    }
    const slot = this.#tryLikely(
      request.check,
      this.#likelyCount(address, memory, nowSeconds),
      memory,
    );
    return slot < 0 ? undefined : this.#open(slot, request) ?? "tampered";
  }

  /**
   * Looks for the sender among all keys.
   *
   * @param check the request's value, which must not change in the meantime
   * @returns what {@link SenderFinder.open} takes, "none" for a stranger, or "busy" when the address
   * or all strangers together have used up their share of our time.
   */
  async search(
    check: Uint8Array,
    address: string,
    nowSeconds: number,
  ): Promise<FoundSlot | "none" | "busy"> {
    const { search, failures } = this.#parts;
    if (failures.isOverLimit(address, nowSeconds)) return "busy";
    const memory = this.#addresses.get(address);
    // Others go on while this one is searched for, but its turn is now.
    const after = memory?.lastSlot ?? -1;
    const result = await search.find(check, this.#isTrusted(memory, nowSeconds));
    return typeof result === "string" ? result : { slot: result, after };
  }

  /** Counts a request that was found to be by nobody, or was tampered with, against its address. */
  noteFailure(address: string, nowSeconds: number): void {
    this.#parts.failures.add(address, nowSeconds);
  }

  /** Opens a request under the key that a search found; `undefined` when any value does not open. */
  open(found: FoundSlot, request: SealedRequest): Sender | undefined {
    const sender = this.#open(found.slot, request);
    return sender && { ...sender, after: found.after };
  }

  #open(slot: Slot, request: SealedRequest): Sender | undefined {
    const { box, keyring } = this.#parts;
    const key = keyring.keyAt(slot);
    if (key === undefined) return undefined;
    const [check, id, ts, entry] =
      box.openAll(key, [request.check, request.id, request.ts, request.entry]) ?? [];
    if (check === undefined || id === undefined || ts === undefined || entry === undefined) {
      return undefined;
    }
    return { slot, key, opened: { id, check, ts, entry } };
  }

  /** Notes that the request of a sender was accepted, which came from this address. */
  remember(address: string, { slot, after }: Sender, nowSeconds: number): void {
    const { keyring, maxAddresses } = this.#parts;
    // Who was never heard from before has no place in the turns yet.
    const expected = keyring.wasUsed(slot) ? keyring.order.newerThan(slot) : -1;
    keyring.touch(slot, after);
    const memory = this.#addresses.get(address);
    if (memory === undefined) {
      this.#addresses.set(address, {
        lastSlot: slot,
        expected,
        expectedAfterSearch: expected,
        acceptedAtSeconds: nowSeconds,
      });
      keepWithin(this.#addresses, maxAddresses);
      return;
    }
    memory.lastSlot = slot;
    const place = after === undefined ? "expected" : "expectedAfterSearch";
    if (expected >= 0) memory[place] = expected;
    if (memory.acceptedAtSeconds === nowSeconds) return;
    memory.acceptedAtSeconds = nowSeconds;
    this.#addresses.delete(address);
    this.#addresses.set(address, memory);
  }

  #isTrusted(memory: AddressMemory | undefined, nowSeconds: number): boolean {
    return memory !== undefined && Math.abs(nowSeconds - memory.acceptedAtSeconds) <= TRUST_SECONDS;
  }

  #likelyCount(address: string, memory: AddressMemory | undefined, nowSeconds: number): number {
    if (!this.#isTrusted(memory, nowSeconds)) return TRIES.other;
    return this.#parts.failures.isOverLimit(address, nowSeconds) ? TRIES.failing : TRIES.trusted;
  }

  /** Tries the keys around the expected one and the latest ones, a few of each first. */
  #tryLikely(check: Uint8Array, count: number, memory: AddressMemory | undefined): number {
    const walk = new LikelyWalk(this.#parts.keyring, memory);
    for (let tried = 0; tried < count;) {
      const limit = tried === 0 ? Math.min(FIRST_TRIES, count) : count - tried;
      const found = walk.take(limit, this.#candidateSlots);
      if (found === 0) return -1;
      for (let i = 0; i < found; i++) {
        this.#candidates[i] = this.#parts.keyring.keyAt(this.#candidateSlots[i] ?? -1) ?? 0;
      }
      const index = this.#parts.box.findKey(this.#candidates.subarray(0, found), check);
      if (index >= 0) return this.#candidateSlots[index] ?? -1;
      tried += found;
    }
    return -1;
  }
}

/**
 * The slots that are likely, likeliest first: by turns one on the newer and one on the older side of
 * each expected one, and one of the latest.
 */
class LikelyWalk {
  readonly #order: Keyring["order"];
  /** Where each part of the walk goes on; -1 at its end. */
  readonly #newer: [Slot, Slot];
  readonly #older: [Slot, Slot, Slot];

  constructor(keyring: Keyring, memory: AddressMemory | undefined) {
    const { order } = keyring;
    const usable = (slot: Slot): Slot => keyring.keyAt(slot) === undefined ? -1 : slot;
    const expected = usable(memory?.expected ?? -1);
    const afterSearch = usable(memory?.expectedAfterSearch ?? -1);
    this.#order = order;
    this.#newer = [expected, afterSearch];
    this.#older = [order.olderThan(expected), order.newest, order.olderThan(afterSearch)];
  }

  /** Writes the next slots, at most `limit`. @returns how many there were. */
  take(limit: number, slots: Int32Array): number {
    let count = 0;
    for (let before = -1; count > before;) {
      before = count;
      for (let i = 0; i < this.#newer.length && count < limit; i++) {
        const slot = this.#newer[i] ?? -1;
        if (slot < 0) continue;
        slots[count++] = slot;
        this.#newer[i] = this.#order.newerThan(slot);
      }
      for (let i = 0; i < this.#older.length && count < limit; i++) {
        const slot = this.#older[i] ?? -1;
        if (slot < 0) continue;
        slots[count++] = slot;
        this.#older[i] = this.#order.olderThan(slot);
      }
    }
    return count;
  }
}

/** A copy of a request, for use after its turn of the event loop. */
export function copyRequest(request: SealedRequest): SealedRequest {
  const { id, check, ts, entry } = request;
  return { id: id.slice(), check: check.slice(), ts: ts.slice(), entry: entry.slice() };
}
