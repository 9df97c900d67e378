/**
 * @module
 * How many requests are in flight at once: of all addresses together, and of each (IPv6: each network of
 * 64 bits). Bounded by itself: what is not in flight is not counted.
 */
import type { Refusal } from "../refusals.ts";
import { networkOf } from "./failures.ts";

/** Limits of a gate, and how it can free a slot. */
export interface GateOptions {
  readonly requests: number;
  readonly requestsPerAddress: number;
  /** Refuses the request whose body has been arriving for longest; false when there is none. */
  readonly makeRoom: () => boolean;
}

const ADDRESS_FULL = { ok: false, code: "address_full" } as const;
const SERVER_FULL = { ok: false, code: "server_full" } as const;

/** Counts requests in and out. */
export class RequestGate {
  readonly #options: GateOptions;
  readonly #counts = new Map<string, number>();
  #inFlight = 0;
  /** Mostly one address asks again and again, and an IPv6 network takes 1 µs to compute. */
  #last = { address: "", network: "" };

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Requests that are in. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Lets a request in, which then must {@link leave}; or says why not. */
  enter(address: string): Refusal<"server_full" | "address_full"> | undefined {
    const { requests, requestsPerAddress, makeRoom } = this.#options;
    const network = this.#networkOf(address);
    const count = this.#counts.get(network) ?? 0;
    if (count >= requestsPerAddress) return ADDRESS_FULL;
    if (this.#inFlight >= requests && !makeRoom()) return SERVER_FULL;
    this.#inFlight++;
    this.#counts.set(network, count + 1);
    return undefined;
  }

  /** Notes that a request that was let in is over. */
  leave(address: string): void {
    const network = this.#networkOf(address);
    const count = this.#counts.get(network) ?? 0;
    this.#inFlight--;
    if (count > 1) this.#counts.set(network, count - 1);
    else this.#counts.delete(network);
  }

  #networkOf(address: string): string {
    if (this.#last.address !== address) this.#last = { address, network: networkOf(address) };
    return this.#last.network;
  }
}
