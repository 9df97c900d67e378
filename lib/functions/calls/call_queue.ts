/**
 * @module
 * The calls of one function that wait and run, and the workers that take them. A worker gets its next
 * calls when it has taken the last ones: calls behind one that never returns are not lost with it, and
 * under load they go in batches. A call that was handed to a worker is never handed to another one.
 */
import type { Executed } from "../../../client/errors.ts";
import { Places } from "../../limits/places.ts";
import { busy, misfit, resultOf } from "./call_result.ts";
import { type HostedCall, readResults } from "../wire/frames.ts";
import type { CallRequest, CallResult } from "../types.ts";
import type { WorkerSlot } from "./worker_slot.ts";

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

/** A call until its worker has answered it, or is gone. */
interface PendingCall extends HostedCall {
  place: number;
  readonly deadlineMs: number;
  readonly resolve: (result: CallResult) => void;
  /** The worker that it went to. */
  slot: WorkerSlot | undefined;
  /** Whether somebody waits for it. */
  isAwaited: boolean;
}

/** Serial numbers begin again beyond this. */
const SERIALS = 2 ** 32;

/** The calls of one function. */
export class CallQueue {
  /** Also those that nobody waits for, until their workers report them or are gone. */
  readonly #calls = new Places<PendingCall>();
  /** Of {@link #calls}, those that no worker has. */
  #waiting: PendingCall[] = [];
  #awaitedCount = 0;
  #nextSerial = 0;
  /** A dispatch follows in this turn of the event loop. */
  #isDispatching = false;
  #slots: readonly WorkerSlot[] = [];
  limits: CallLimits;

  constructor(limits: CallLimits) {
    this.limits = limits;
  }

  /** Calls that wait or run, and are waited for. */
  get length(): number {
    return this.#awaitedCount;
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
  call({ params, client }: CallRequest): CallResult | Promise<CallResult> {
    const { timeoutMs, queueLimit, maxParamsBytes, tellsCaller } = this.limits;
    if (this.#awaitedCount >= queueLimit) {
      return busy(queueLimit === 1 ? "1 call waits or runs" : `${queueLimit} calls wait or run`);
    }
    if (params !== undefined && byteLengthExceeds(params, maxParamsBytes)) {
      return misfit("", `at most ${maxParamsBytes} bytes`);
    }
    return new Promise((resolve) => {
      const call: PendingCall = {
        place: -1,
        serial: this.#nextSerial,
        params,
        client: tellsCaller ? client : undefined,
        deadlineMs: performance.now() + timeoutMs,
        resolve,
        slot: undefined,
        isAwaited: true,
      };
      this.#nextSerial = (this.#nextSerial + 1) % SERIALS;
      this.#awaitedCount++;
      this.#calls.add(call);
      this.#waiting.push(call);
      this.#dispatchSoon();
    });
  }

  /**
   * What a worker reports, as the payload of a frame. Only calls that it was given count, each once.
   *
   * @returns false when there is something else in it.
   */
  receive(slot: WorkerSlot, payload: Uint8Array): boolean {
    const results = readResults(payload);
    if (results === undefined) return false;
    let isAsked = true;
    for (const outcome of results.outcomes) {
      const call = this.#calls.at(outcome.place);
      if (call === undefined || call.slot !== slot || call.serial !== outcome.serial) {
        isAsked = false;
        continue;
      }
      slot.running--;
      this.#calls.remove(call);
      if (call.isAwaited) {
        slot.awaited--;
        this.#settle(call, resultOf(outcome, this.limits.maxResultBytes));
      }
    }
    const { hasReturned } = results;
    if (hasReturned && slot.busySinceMs !== undefined) {
      slot.returned();
      this.#dispatch();
    } else if (results.outcomes.length === 0) isAsked = false;
    return isAsked;
  }

  /** Answers the calls whose time is over. */
  expire(nowMs: number): void {
    let isAnyWaiting = false;
    for (const call of this.#calls) {
      if (!call.isAwaited || call.deadlineMs > nowMs) continue;
      if (call.slot === undefined) {
        isAnyWaiting = true;
        this.#calls.remove(call);
        this.#settle(call, busy("no worker was free for the call's Timeout"));
        continue;
      }
      call.slot.abort(call);
      const data = { timeoutMs: this.limits.timeoutMs };
      this.#settle(call, { ok: false, code: "function_timed_out", executed: "yes", data });
    }
    if (isAnyWaiting) this.#waiting = this.#waiting.filter(({ isAwaited }) => isAwaited);
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

  /** Some workers are gone: answers the calls that they had. */
  failSlots(slots: readonly WorkerSlot[], detail: string): void {
    for (const call of this.#calls) {
      if (call.slot === undefined || !slots.includes(call.slot)) continue;
      this.#calls.remove(call);
      this.#fail(call, detail, "maybe");
    }
  }

  /** Answers every call; workers are told that nobody waits for those that run. */
  failAll(detail: string): void {
    this.failWaiting(detail);
    for (const call of this.#calls) {
      if (!call.isAwaited) continue;
      call.slot?.abort(call);
      this.#fail(call, detail, "maybe");
    }
  }

  /** Answers every call that no worker has. */
  failWaiting(detail: string): void {
    for (const call of this.#waiting) {
      this.#calls.remove(call);
      this.#fail(call, detail, "no");
    }
    this.#waiting = [];
  }

  #fail(call: PendingCall, detail: string, executed: Executed): void {
    if (call.isAwaited) {
      this.#settle(call, { ok: false, code: "function_failed", detail, executed });
    }
  }

  /** The one answer of a call. */
  #settle(call: PendingCall, result: CallResult): void {
    call.isAwaited = false;
    this.#awaitedCount--;
    call.resolve(result);
  }

  /** Calls of one turn of the event loop go to a worker together. */
  #dispatchSoon(): void {
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    queueMicrotask(() => {
      this.#isDispatching = false;
      this.#dispatch();
    });
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
      best.call(batch);
    }
  }
}

/** Whether a text has more bytes of UTF-8; most are told by their length. */
function byteLengthExceeds(text: string, maxBytes: number): boolean {
  // A UTF-16 unit is three bytes at most.
  if (3 * text.length <= maxBytes) return false;
  return text.length > maxBytes || new TextEncoder().encode(text).length > maxBytes;
}
