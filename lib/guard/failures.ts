/**
 * @module
 * Requests of strangers, counted by address: an IPv4 address, or an IPv6 network of 64 bits (one
 * customer has at least that much). Bounded: the address that failed longest ago goes first.
 */
import { keepWithin } from "./bounded_map.ts";

/** Addresses kept at most. */
const MAX_ADDRESSES = 10_000;
/** A count begins anew after so many seconds. */
const WINDOW_SECONDS = 60;

interface Count {
  readonly sinceSeconds: number;
  failures: number;
}

/** Counts failures. */
export class FailureCounter {
  readonly #limit: number;
  readonly #counts = new Map<string, Count>();

  /** @param limit failures a minute that an address may have */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether an address had its failures of this minute. */
  isOverLimit(address: string, nowSeconds: number): boolean {
    const count = this.#counts.get(networkOf(address));
    return count !== undefined && count.failures >= this.#limit &&
      Math.abs(nowSeconds - count.sinceSeconds) < WINDOW_SECONDS;
  }

  /** Counts a failure. */
  add(address: string, nowSeconds: number): void {
    const network = networkOf(address);
    const count = this.#counts.get(network);
    if (count !== undefined && Math.abs(nowSeconds - count.sinceSeconds) < WINDOW_SECONDS) {
      count.failures++;
      return;
    }
    this.#counts.delete(network);
    this.#counts.set(network, { sinceSeconds: nowSeconds, failures: 1 });
    keepWithin(this.#counts, MAX_ADDRESSES);
  }
}

/**
 * What counts as one sender's address: an IPv4 address as it is, of an IPv6 address the first 64
 * bits.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(networkOf("192.0.2.1"), "192.0.2.1");
 * assert.equal(networkOf("2001:db8::1"), networkOf("2001:db8:0:0:ffff::2"));
 * ```
 */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const tailGroups = tail === undefined || tail === "" ? [] : tail.split(":");
  while (tail !== undefined && groups.length + tailGroups.length < 8) groups.push("0");
  const network = [...groups, ...tailGroups].slice(0, 4);
  return `${network.map((group) => parseInt(group, 16).toString(16)).join(":")}::/64`;
}
