/**
 * @module
 * Which registered key sealed this? A request does not say who sent it (docs/protocol.md §3), so
 * keys are tried on one of its values, and the other values must then open under the same key.
 *
 * The key that was last used from the same address and the keys that were used around it are tried at
 * once (likely.ts). A sender that is not among them is searched for among all keys (search.ts).
 */
import type { Box, SharedKey } from "../crypto/box.ts";
import { keepWithin } from "../limits/bounded_map.ts";
import { FailureCounter } from "../limits/failures.ts";
import type { Observer } from "../observer.ts";
import type { RefusalCode } from "../refusals.ts";
import type { ClientRecord, Keyring, Slot } from "./keyring.ts";
import { type AddressMemory, LikelyKeys } from "./likely.ts";
import type { SenderSearch } from "./search.ts";

/** An address that was accepted within this time gets more tries, and its searches may wait. */
const TRUST_SECONDS = 3600;
/** Keys that are tried at once, about 0.4 µs each, for a request from … */
const TRIES = {
  /** … an address that is trusted: the number of clients that may take turns there in any order. */
  trusted: 256,
  /** … an address that is trusted but fails a lot: enough where clients take turns in order. */
  failing: 32,
  /** … any other address: the latest, in case one of them has moved. */
  other: 8,
} as const;

/**
 * Values of a request that were sealed under one key, each on its own. The first is the probe, on
 * which keys are tried: the shortest is the cheapest.
 */
export type SealedValues = readonly [probe: Uint8Array, ...others: Uint8Array[]];

/** A request whose sender is known. */
export interface Sender<Values extends SealedValues = SealedValues> {
  readonly client: ClientRecord;
  /** The key for the answer. */
  readonly key: SharedKey;
  /** The values; copies when a search was needed. */
  readonly sealed: Values;
  /**
   * The plaintexts in the same order. When no search was needed they are valid until the next
   * request is opened.
   */
  readonly opened: Values;
  /** Set after a search: the slot that was last used from the address when the search began, or -1. */
  readonly after?: Slot;
}

/** Why there is no sender. */
export type SenderRefusal = Extract<RefusalCode, "unknown_sender" | "search_limit">;

/** Where and when a request arrived. */
export interface Arrival {
  readonly address: string;
  readonly nowSeconds: number;
}

/** The parts of a finder. */
export interface SenderFinderParts {
  readonly box: Box;
  readonly keyring: Keyring;
  readonly search: SenderSearch;
  /** Requests of unknown senders a minute for which an address gets a search. */
  readonly failuresPerMinute: number;
  /** Addresses that are remembered at most; the least recently used one goes first. */
  readonly maxAddresses: number;
  /** For how long an address counts as known, for {@link Observer.newAddress}. */
  readonly addressTtlSeconds: number;
  readonly observer: Pick<Observer, "newAddress" | "limitReached">;
}

/** Finds senders, and remembers which keys an address used. */
export class SenderFinder {
  readonly #parts: SenderFinderParts;
  readonly #failures: FailureCounter;
  readonly #addresses = new Map<string, AddressMemory>();
  readonly #likely: LikelyKeys;

  constructor(parts: SenderFinderParts) {
    this.#parts = parts;
    this.#likely = new LikelyKeys(parts.box, parts.keyring, TRIES.trusted);
    this.#failures = new FailureCounter({
      perMinute: parts.failuresPerMinute,
      addresses: parts.maxAddresses,
      onForgotten: () => parts.observer.limitReached("failing_addresses"),
    });
  }

  /** How many addresses are remembered. */
  get addressCount(): number {
    return this.#addresses.size;
  }

  /** The sender of a request; a promise only when it is not one of those that are likely. */
  find<Values extends SealedValues>(
    values: Values,
    arrival: Arrival,
  ): Sender<Values> | SenderRefusal | Promise<Sender<Values> | SenderRefusal> {
    const memory = this.#addresses.get(arrival.address);
    if (memory !== undefined) {
      const sender = this.#open(memory.lastSlot, values);
      if (sender !== undefined) return sender;
    }
    const slot = this.#likely.find(values[0], this.#likelyCount(arrival, memory), memory);
    if (slot < 0) return this.#search(copyOf(values), arrival);
    // When another value is not by the sender of the probe, no search can help.
    return this.#open(slot, values) ?? this.#refuseUnknown(arrival);
  }

  /** Whether the work of finding an unknown sender at this address may wait for its turn. */
  isTrusted({ address, nowSeconds }: Arrival): boolean {
    return this.#isTrusted(this.#addresses.get(address), nowSeconds);
  }

  /** Whether an address had its failures of this minute. */
  isFailing({ address, nowSeconds }: Arrival): boolean {
    return this.#failures.isOverLimit(address, nowSeconds);
  }

  /** Counts a request of an unknown sender against its address. */
  failed({ address, nowSeconds }: Arrival): void {
    this.#failures.add(address, nowSeconds);
  }

  /** Notes that the request of a sender was accepted. */
  accepted(
    { client, after }: Pick<Sender, "client" | "after">,
    { address, nowSeconds }: Arrival,
  ): void {
    const { keyring, addressTtlSeconds, observer } = this.#parts;
    const { slot } = client;
    // A key that was never used has no position in the order yet.
    const expected = keyring.wasUsed(slot) ? keyring.order.newerThan(slot) : -1;
    keyring.touch(slot, after);
    const memory = this.#addresses.get(address);
    if (memory === undefined) {
      this.#remember(address, slot, expected, nowSeconds);
      observer.newAddress(address);
      return;
    }
    memory.lastSlot = slot;
    const position = after === undefined ? "expected" : "expectedAfterSearch";
    if (expected >= 0) memory[position] = expected;
    const before = memory.acceptedAtSeconds;
    if (before === nowSeconds) return;
    memory.acceptedAtSeconds = nowSeconds;
    this.#addresses.delete(address);
    this.#addresses.set(address, memory);
    if (nowSeconds - before > addressTtlSeconds) observer.newAddress(address);
  }

  #remember(address: string, lastSlot: Slot, expected: Slot, acceptedAtSeconds: number): void {
    const memory = { lastSlot, expected, expectedAfterSearch: expected, acceptedAtSeconds };
    this.#addresses.set(address, memory);
    const forgotten = keepWithin(this.#addresses, this.#parts.maxAddresses);
    if (this.#isTrusted(forgotten, acceptedAtSeconds)) {
      this.#parts.observer.limitReached("sender_addresses");
    }
  }

  /** @param values must not change until the end of the search */
  async #search<Values extends SealedValues>(
    values: Values,
    arrival: Arrival,
  ): Promise<Sender<Values> | SenderRefusal> {
    const { address, nowSeconds } = arrival;
    if (this.#failures.isOverLimit(address, nowSeconds)) return "search_limit";
    const memory = this.#addresses.get(address);
    // Requests of others are answered meanwhile, but the position of this one is decided now.
    const after = memory?.lastSlot ?? -1;
    const isTrusted = this.#isTrusted(memory, nowSeconds);
    const found = await this.#parts.search.find(values[0], isTrusted);
    if (found === "busy") return "search_limit";
    const sender = found === "none" ? undefined : this.#open(found, values);
    if (sender === undefined) return this.#refuseUnknown(arrival);
    return { ...sender, opened: copyOf(sender.opened), after };
  }

  #refuseUnknown(arrival: Arrival): "unknown_sender" {
    this.failed(arrival);
    return "unknown_sender";
  }

  #open<Values extends SealedValues>(slot: Slot, sealed: Values): Sender<Values> | undefined {
    const { box, keyring } = this.#parts;
    const key = keyring.keyAt(slot);
    const client = keyring.recordAt(slot);
    if (key === undefined || client === undefined) return undefined;
    // openAll gives as many plaintexts as it gets values.
    const opened = box.openAll(key, sealed) as Values | undefined;
    return opened && { client, key, sealed, opened };
  }

  #isTrusted(memory: AddressMemory | undefined, nowSeconds: number): boolean {
    return memory !== undefined && Math.abs(nowSeconds - memory.acceptedAtSeconds) <= TRUST_SECONDS;
  }

  #likelyCount({ address, nowSeconds }: Arrival, memory: AddressMemory | undefined): number {
    if (!this.#isTrusted(memory, nowSeconds)) return TRIES.other;
    return this.#failures.isOverLimit(address, nowSeconds) ? TRIES.failing : TRIES.trusted;
  }
}

function copyOf<Values extends SealedValues>(values: Values): Values {
  return values.map((each) => each.slice()) as readonly Uint8Array[] as Values;
}
