/**
 * @module
 * Addresses from which authenticated requests came, each remembered for IPAddressTTL seconds after
 * its last one. Bounded: the address unused for longest goes first.
 */
import { keepWithin } from "./bounded_map.ts";

/** What an {@link AddressBook} keeps. */
export interface AddressBookOptions {
  readonly ttlSeconds: number;
  readonly capacity: number;
  /** An address was forgotten before its time. */
  readonly onForgotten?: () => void;
}

/** Remembers addresses. */
export class AddressBook {
  readonly #options: AddressBookOptions;
  readonly #lastSeen = new Map<string, number>();

  constructor(options: AddressBookOptions) {
    this.#options = options;
  }

  /** Notes an authenticated request. @returns whether its address was not remembered before. */
  see(address: string, nowSeconds: number): boolean {
    const { ttlSeconds, capacity, onForgotten } = this.#options;
    const last = this.#lastSeen.get(address);
    if (last === nowSeconds) return false;
    this.#lastSeen.delete(address);
    this.#lastSeen.set(address, nowSeconds);
    const forgotten = keepWithin(this.#lastSeen, capacity);
    if (forgotten !== undefined && nowSeconds - forgotten <= ttlSeconds) onForgotten?.();
    return last === undefined || nowSeconds - last > ttlSeconds;
  }
}
