/**
 * @module
 * How many requests are in flight at once: of all addresses together, and of each (IPv6: each network of
 * 64 bits). Bounded by itself: what is not in flight is not counted.
 */
import { networkOf } from "./failures.ts";

/** Why a request may not come in now. */
export type GateRefusal =
  | "too many requests at once"
  | "too many requests of this address at once";

/** What a gate lets in, and whom it can ask for room. */
export interface GateOptions {
  readonly requests: number;
  readonly requestsPerAddress: number;
  /** Gives up the request that has kept a place for longest without being there yet; false when none does. */
  readonly makeRoom: () => boolean;
}

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
  enter(address: string): GateRefusal | undefined {
    const { requests, requestsPerAddress, makeRoom } = this.#options;
    const network = this.#networkOf(address);
    const count = this.#counts.get(network) ?? 0;
    if (count >= requestsPerAddress) return "too many requests of this address at once";
    if (this.#inFlight >= requests && !makeRoom()) return "too many requests at once";
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
