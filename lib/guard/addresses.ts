/**
 * @module
 * Addresses from which authenticated requests came, each remembered for IPAddressTTL seconds after
 * its last one. Bounded: the address unused for longest goes first.
 */
import { keepWithin } from "./bounded_map.ts";

/** Addresses kept at most. */
const MAX_ADDRESSES = 10_000;

/** Remembers addresses. */
export class AddressBook {
  readonly #ttlSeconds: number;
  readonly #capacity: number;
  readonly #lastSeen = new Map<string, number>();

  constructor(ttlSeconds: number, capacity = MAX_ADDRESSES) {
    this.#ttlSeconds = ttlSeconds;
    this.#capacity = capacity;
  }

  /** Notes an authenticated request. @returns whether its address was not remembered before. */
  see(address: string, nowSeconds: number): boolean {
    const last = this.#lastSeen.get(address);
    if (last === nowSeconds) return false;
    this.#lastSeen.delete(address);
    this.#lastSeen.set(address, nowSeconds);
    keepWithin(this.#lastSeen, this.#capacity);
    return last === undefined || nowSeconds - last > this.#ttlSeconds;
  }
}
