/**
 * @module
 * One worker of one host, as calls see it: how many it takes now, and how many run there.
 */
import type { CallNumber, HostedCall } from "../wire/frames.ts";

/** Most calls that go to a worker in one message. */
const MAX_BATCH = 64;
/** Milliseconds for a call, beyond which a worker gets one at a time. */
const SLOW_CALL_MS = 4;

/** What a worker gets of its calls. */
export interface CallSender {
  calls(worker: number, calls: readonly HostedCall[]): void;
  abort(worker: number, call: CallNumber): void;
}

/** One worker of one host, as the calls see it. */
export class WorkerSlot {
  readonly #worker: number;
  readonly #sender: CallSender;
  #sentAtMs = -Infinity;
  #sentCount = 0;
  #batchLimit = 1;
  /** When it got calls that it has not taken yet; `undefined` when it is free. */
  busySinceMs: number | undefined;
  /** Calls that run there, also those nobody waits for any more. */
  running = 0;
  /** Calls that run there and are waited for. */
  awaited = 0;

  constructor(worker: number, sender: CallSender) {
    this.#worker = worker;
    this.#sender = sender;
  }

  /** When it was last given calls. */
  get calledAtMs(): number {
    return this.#sentAtMs;
  }

  /** How many calls it takes now. */
  get room(): number {
    return this.busySinceMs === undefined ? this.#batchLimit : 0;
  }

  call(calls: readonly HostedCall[]): void {
    this.#sentAtMs = performance.now();
    this.busySinceMs = this.#sentAtMs;
    this.#sentCount = calls.length;
    this.running += calls.length;
    this.awaited += calls.length;
    this.#sender.calls(this.#worker, calls);
  }

  abort(call: CallNumber): void {
    this.awaited--;
    this.#sender.abort(this.#worker, call);
  }

  /** The worker has taken its last calls. */
  returned(): void {
    const perCallMs = (performance.now() - this.#sentAtMs) / this.#sentCount;
    this.#batchLimit = perCallMs > SLOW_CALL_MS ? 1 : Math.min(MAX_BATCH, 2 * this.#batchLimit);
    this.busySinceMs = undefined;
  }
}
