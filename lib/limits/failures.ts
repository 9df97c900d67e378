/**
 * @module
 * Requests of unknown senders, counted by address: an IPv4 address, or an IPv6 network of 64 bits
 * (one customer has at least that much). At its limit, the table drops the oldest address.
 */
import { keepWithin } from "./bounded_map.ts";

/** Seconds after which a count starts again at zero. */
const WINDOW_SECONDS = 60;

interface Count {
  readonly sinceSeconds: number;
  failures: number;
}

/** What a {@link FailureCounter} allows. */
export interface FailureLimits {
  /** Failures a minute that an address may have. */
  readonly perMinute: number;
  /** Addresses that are counted at most. */
  readonly addresses: number;
  /** An address was forgotten while its count was still of use. */
  readonly onForgotten?: () => void;
}

/** Counts failures. */
export class FailureCounter {
  readonly #limits: FailureLimits;
  readonly #counts = new Map<string, Count>();

  constructor(limits: FailureLimits) {
    this.#limits = limits;
  }

  /** Whether an address had its failures of this minute. */
  isOverLimit(address: string, nowSeconds: number): boolean {
    const count = this.#counts.get(networkOf(address));
    return count !== undefined && count.failures >= this.#limits.perMinute &&
      isOpen(count, nowSeconds);
  }

  /** Counts a failure. */
  add(address: string, nowSeconds: number): void {
    const network = networkOf(address);
    const count = this.#counts.get(network);
    if (count !== undefined && isOpen(count, nowSeconds)) {
      count.failures++;
      return;
    }
    this.#counts.delete(network);
    this.#counts.set(network, { sinceSeconds: nowSeconds, failures: 1 });
    const forgotten = keepWithin(this.#counts, this.#limits.addresses);
    if (forgotten !== undefined && isOpen(forgotten, nowSeconds)) this.#limits.onForgotten?.();
  }
}

/** Whether a count is of the present minute; a clock that jumped back begins a new one. */
function isOpen({ sinceSeconds }: Count, nowSeconds: number): boolean {
  return Math.abs(nowSeconds - sinceSeconds) < WINDOW_SECONDS;
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
