/**
 * @module
 * The calls of one function that wait and run, and the workers that take them. A worker gets its next
 * calls when it has taken the last ones: calls behind one that never returns are not lost with it, and
 * under load they go in batches. A call that was handed to a worker is never handed to another one.
 */
import type { Executed } from "../../client/errors.ts";
import type { BatchExtras, CallExtras, CallOutcome, ToHost } from "./messages.ts";
import type { CallRequest, CallResult, FailedCall } from "./types.ts";

/** Most calls that go to a worker in one message. */
const MAX_BATCH = 64;
/** Milliseconds for a call, beyond which a worker gets one at a time. */
const SLOW_CALL_MS = 4;

/** What limits the calls of a function. */
export interface CallLimits {
  readonly timeoutMs: number;
  /** Calls that wait or run. */
  readonly queueLimit: number;
  readonly maxResultBytes: number;
  /** Of the text that comes with a call. */
  readonly maxParamsBytes: number;
  /** Whether the function is told who calls. */
  readonly tellsCaller: boolean;
}

/** After this time a caller may try a busy function again. */
const RETRY_AFTER_MS = 1000;

interface PendingCall {
  readonly id: number;
  readonly extras: CallExtras | undefined;
  readonly deadlineMs: number;
  readonly resolve: (result: CallResult) => void;
  /** The worker that it went to. */
  slot?: WorkerSlot;
}

/** One worker of one host, as the calls see it. */
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

  call(ids: readonly number[], extras: BatchExtras | undefined): void {
    this.#sentAtMs = performance.now();
    this.busySinceMs = this.#sentAtMs;
    this.#sentCount = ids.length;
    this.running += ids.length;
    this.awaited += ids.length;
    this.#send(
      extras === undefined ? ["call", this.#worker, ids] : ["call", this.#worker, ids, extras],
    );
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
  limits: CallLimits;

  constructor(limits: CallLimits) {
    this.limits = limits;
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

  /** Calls the function; never rejects. Not a promise when it is answered at once. */
  call(request: CallRequest): CallResult | Promise<CallResult> {
    const { timeoutMs, queueLimit, maxParamsBytes } = this.limits;
    if (this.#calls.size >= queueLimit) return busy(`${queueLimit} calls wait or run`);
    const { params } = request;
    if (params !== undefined && byteLengthExceeds(params, maxParamsBytes)) {
      return misfit("", `at most ${maxParamsBytes} bytes`);
    }
    const extras = this.#extrasOf(request);
    return new Promise((resolve) => {
      const call = { id: ++lastId, extras, deadlineMs: performance.now() + timeoutMs, resolve };
      this.#calls.set(call.id, call);
      this.#waiting.push(call);
      this.#dispatch();
    });
  }

  /** What a worker reports. */
  receive(slot: WorkerSlot, hasReturned: boolean, outcomes: readonly CallOutcome[]): void {
    for (const outcome of outcomes) {
      slot.running--;
      const call = this.#calls.get(outcome[0]);
      if (call?.slot !== slot) continue;
      slot.awaited--;
      this.#calls.delete(call.id);
      call.resolve(resultOf(outcome, this.limits));
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
      if (call.slot === undefined) {
        isAnyWaiting = true;
        call.resolve(busy("no worker was free for the call's Timeout"));
        continue;
      }
      call.slot.abort(call.id);
      const data = { timeoutMs: this.limits.timeoutMs };
      call.resolve({ ok: false, code: "function_timed_out", executed: "yes", data });
    }
    if (isAnyWaiting) this.#waiting = this.#waiting.filter(({ id }) => this.#calls.has(id));
  }

  /** Whether a worker kept calls beyond their time, or runs more that nobody waits for than may wait. */
  stuckness(nowMs: number): "is stuck" | "leaves calls behind" | undefined {
    const { timeoutMs, queueLimit } = this.limits;
    const isOverdue = this.#slots.some(({ busySinceMs }) =>
      busySinceMs !== undefined && nowMs - busySinceMs > timeoutMs
    );
    if (isOverdue) return "is stuck";
    const hasLeft = this.#slots.some(({ running, awaited }) => running - awaited > queueLimit);
    return hasLeft ? "leaves calls behind" : undefined;
  }

  /** Answers the calls that some workers had, because they ended with their host. */
  failSlots(slots: readonly WorkerSlot[], detail: string): void {
    for (const call of this.#calls.values()) {
      if (call.slot !== undefined && slots.includes(call.slot)) this.#fail(call, detail, "maybe");
    }
  }

  /** Answers every call; those that run are told that nobody waits for them. */
  failAll(detail: string): void {
    this.failWaiting(detail);
    for (const call of this.#calls.values()) {
      call.slot?.abort(call.id);
      this.#fail(call, detail, "maybe");
    }
  }

  /** Answers every call that no worker has. */
  failWaiting(detail: string): void {
    for (const call of this.#waiting) this.#fail(call, detail, "no");
    this.#waiting = [];
  }

  #fail(call: PendingCall, detail: string, executed: Executed): void {
    this.#calls.delete(call.id);
    call.resolve({ ok: false, code: "function_failed", detail, executed });
  }

  #extrasOf({ params, client }: CallRequest): CallExtras | undefined {
    const told = this.limits.tellsCaller ? client : undefined;
    if (told !== undefined) return [params ?? null, told];
    return params === undefined ? undefined : [params];
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
      const hasExtras = batch.some(({ extras }) => extras !== undefined);
      best.call(
        batch.map(({ id }) => id),
        hasExtras ? batch.map(({ extras }) => extras ?? NO_EXTRAS) : undefined,
      );
    }
  }
}

const NO_EXTRAS: CallExtras = [null];

/** What came of a call that a worker reports. */
function resultOf([, kind, text, more]: CallOutcome, { maxResultBytes }: CallLimits): CallResult {
  if (kind === "text" || kind === "json") return { ok: true, text, isJson: kind === "json" };
  if (kind === "params") return misfit(more ?? "", text);
  if (kind === "large") {
    const data = { maxResultBytes };
    const detail = `${maxResultBytes} bytes`;
    return { ok: false, code: "function_result_too_large", executed: "yes", detail, data };
  }
  const failed = { ok: false, code: "function_failed", detail: text, executed: "yes" } as const;
  if (kind === "error") return failed;
  return { ...failed, message: text, ...more === undefined ? {} : { messageData: more } };
}

function busy(detail: string): FailedCall {
  const data = { retryAfterMs: RETRY_AFTER_MS };
  return { ok: false, code: "function_busy", detail, executed: "no", data };
}

/** The params do not fit. Their path is the caller's text, which stays out of the log. */
function misfit(path: string, expected: string): FailedCall {
  const data = { path, expected };
  const detail = `expected ${expected}`;
  return { ok: false, code: "function_params", detail, executed: "no", data };
}

/** Whether a text has more bytes of UTF-8; most are told by their length. */
function byteLengthExceeds(text: string, maxBytes: number): boolean {
  // A UTF-16 unit is three bytes at most.
  if (3 * text.length <= maxBytes) return false;
  return text.length > maxBytes || new TextEncoder().encode(text).length > maxBytes;
}
