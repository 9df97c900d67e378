/**
 * @module
 * The calls of one function: those that wait, those that run, and the workers that take them. A worker
 * gets its next calls when it has taken the last ones: calls behind one that never returns are not
 * lost with it, and under load they go in batches.
 */
import type { CallOutcome, ToHost } from "./messages.ts";

/** Why a call brought no result. */
export type CallRefusal =
  | "unknown function"
  | "function failed"
  | "function timed out"
  | "function is busy"
  | "function is broken";

/** A result as text, or why there is none; `error` is for the operator's log. */
export type CallResult =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: CallRefusal; readonly error?: string };

/** Most calls that go to a worker in one message. */
const MAX_BATCH = 64;
/** Milliseconds for a call, beyond which a worker gets one at a time. */
const SLOW_CALL_MS = 4;

interface PendingCall {
  readonly id: number;
  readonly deadlineMs: number;
  readonly resolve: (result: CallResult) => void;
  /** The worker that it went to. */
  slot?: WorkerSlot;
}

/** What limits the calls of a function. */
export interface QueueLimits {
  readonly timeoutMs: number;
  /** Calls that wait or run. */
  readonly queueLimit: number;
}

/** One worker of one host, as the server sees it. */
export class WorkerSlot {
  readonly #worker: number;
  readonly #send: (message: ToHost) => void;
  #sentAtMs = 0;
  #sentCount = 0;
  #batchLimit = 1;
  /** When it got calls that it has not taken yet; `undefined` when it is free. */
  busySinceMs: number | undefined;
  /** Calls that run there, also those nobody waits for any more. */
  running = 0;
  /** Calls that run there and are waited for. */
  awaited = 0;

  constructor(worker: number, send: (message: ToHost) => void) {
    this.#worker = worker;
    this.#send = send;
  }

  /** How many calls it takes now. */
  get room(): number {
    return this.busySinceMs === undefined ? this.#batchLimit : 0;
  }

  call(ids: readonly number[]): void {
    this.#sentAtMs = performance.now();
    this.busySinceMs = this.#sentAtMs;
    this.#sentCount = ids.length;
    this.running += ids.length;
    this.awaited += ids.length;
    this.#send(["call", this.#worker, ids]);
  }

  abort(id: number): void {
    this.awaited--;
    this.#send(["abort", this.#worker, [id]]);
  }

  /** The worker has taken its last calls. */
  returned(): void {
    const perCallMs = (performance.now() - this.#sentAtMs) / this.#sentCount;
    this.#batchLimit = perCallMs > SLOW_CALL_MS ? 1 : Math.min(MAX_BATCH, 2 * this.#batchLimit);
    this.busySinceMs = undefined;
  }
}

let lastId = 0;

/** The calls of one function. */
export class CallQueue {
  readonly #calls = new Map<number, PendingCall>();
  /** Of {@link #calls}, those that no worker has. */
  #waiting: PendingCall[] = [];
  #slots: readonly WorkerSlot[] = [];
  readonly #beforeCalls: () => void;
  limits: QueueLimits;

  /** @param beforeCalls called before calls leave for a worker */
  constructor(limits: QueueLimits, beforeCalls: () => void = () => {}) {
    this.limits = limits;
    this.#beforeCalls = beforeCalls;
  }

  /** Whether anybody waits for a result. */
  get isEmpty(): boolean {
    return this.#calls.size === 0;
  }

  /** Calls that wait or run. */
  get length(): number {
    return this.#calls.size;
  }

  /** The workers that get new calls. */
  get slots(): readonly WorkerSlot[] {
    return this.#slots;
  }

  /** From now on calls go to these workers, those that wait already too. */
  useSlots(slots: readonly WorkerSlot[]): void {
    this.#slots = slots;
    this.#dispatch();
  }

  /** Calls the function; never rejects. */
  call(): CallResult | Promise<CallResult> {
    const { timeoutMs, queueLimit } = this.limits;
    if (this.#calls.size >= queueLimit) {
      return { ok: false, reason: "function is busy", error: `${queueLimit} calls wait or run` };
    }
    return new Promise((resolve) => {
      const call = { id: ++lastId, deadlineMs: performance.now() + timeoutMs, resolve };
      this.#calls.set(call.id, call);
      this.#waiting.push(call);
      this.#dispatch();
    });
  }

  /** What a worker reports. */
  receive(slot: WorkerSlot, hasReturned: boolean, outcomes: readonly CallOutcome[]): void {
    for (const [id, isOk, text] of outcomes) {
      slot.running--;
      const call = this.#calls.get(id);
      if (call?.slot !== slot) continue;
      slot.awaited--;
      this.#calls.delete(id);
      call.resolve(
        isOk ? { ok: true, text } : { ok: false, reason: "function failed", error: text },
      );
    }
    if (hasReturned) {
      slot.returned();
      this.#dispatch();
    }
  }

  /** Answers the calls whose time is over. */
  expire(nowMs: number): void {
    let isAnyWaiting = false;
    for (const call of this.#calls.values()) {
      if (call.deadlineMs > nowMs) continue;
      this.#calls.delete(call.id);
      if (call.slot === undefined) isAnyWaiting = true;
      else call.slot.abort(call.id);
      call.resolve({ ok: false, reason: "function timed out" });
    }
    if (isAnyWaiting) this.#waiting = this.#waiting.filter(({ id }) => this.#calls.has(id));
  }

  /** Answers the calls that some workers had, because they ended with their host. */
  failSlots(slots: readonly WorkerSlot[], error: string): void {
    for (const call of this.#calls.values()) {
      if (call.slot !== undefined && slots.includes(call.slot)) this.#fail(call, error);
    }
  }

  /** Answers every call that no worker has. */
  failWaiting(error: string): void {
    for (const call of this.#waiting) this.#fail(call, error);
    this.#waiting = [];
  }

  #fail(call: PendingCall, error: string): void {
    this.#calls.delete(call.id);
    call.resolve({ ok: false, reason: "function failed", error });
  }

  /** Gives waiting calls to the worker that runs the fewest, of those that take any. */
  #dispatch(): void {
    while (this.#waiting.length > 0) {
      let best: WorkerSlot | undefined;
      for (const slot of this.#slots) {
        if (slot.room > 0 && (best === undefined || slot.running < best.running)) best = slot;
      }
      if (best === undefined) return;
      const share = Math.ceil(this.#waiting.length / this.#slots.length);
      const batch = this.#waiting.splice(0, Math.min(share, best.room));
      for (const call of batch) call.slot = best;
      this.#beforeCalls();
      best.call(batch.map(({ id }) => id));
    }
  }
}
