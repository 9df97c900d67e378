/**
 * @module
 * A function as the server serves it: what it is allowed, its calls, and whether it can be called.
 */
import type { FunctionConfig } from "../config/modules.ts";
import type { WorkerPermissions } from "./messages.ts";
import { CallQueue, type CallResult, type WorkerSlot } from "./queue.ts";

/** A function that may be loaded: its file was found, its permissions can be granted. */
export interface FunctionPlan {
  readonly config: FunctionConfig;
  /** Path of the module. */
  readonly file: string;
  readonly moduleUrl: string;
  readonly permissions: WorkerPermissions;
}

/** Whether a function can be called. */
export type FunctionState = "loading" | "ready" | "broken";

/** A function of modules.ini. It outlives reloads; only what stands behind it changes. */
export class ServedFunction {
  readonly functionName: string;
  readonly queue: CallQueue;
  plan: FunctionPlan | undefined;
  #state: FunctionState = "loading";
  #fault = "";
  /** A worker did not take its calls in time; what it runs may never end. */
  isStuck = false;

  /** @param beforeCalls called before calls leave for a worker */
  constructor(functionName: string, beforeCalls?: () => void) {
    this.functionName = functionName;
    this.queue = new CallQueue({ timeoutMs: 10_000, queueLimit: 256 }, beforeCalls);
  }

  get state(): FunctionState {
    return this.#state;
  }

  /** Why it, or its latest version, cannot be loaded, as a message; empty when it can. */
  get fault(): string {
    return this.#fault;
  }

  /** Whether calls would be run by a worker, of this version or an earlier one. */
  get isServed(): boolean {
    return this.queue.slots.length > 0 && !this.isStuck;
  }

  /** Whether a host should load it. */
  get isLoadable(): boolean {
    return this.plan !== undefined && this.#fault === "";
  }

  /** What it is from now on. The version that serves goes on until another one is loaded. */
  become(plan: FunctionPlan): void {
    this.plan = plan;
    this.#fault = "";
    if (this.#state === "broken") this.#state = "loading";
  }

  /**
   * It cannot be loaded until its module or modules.ini changes. An earlier version that serves goes on.
   *
   * @returns whether one does.
   */
  fail(fault: string): boolean {
    this.#fault = fault;
    if (this.isServed) return true;
    this.#state = "broken";
    this.queue.useSlots([]);
    this.queue.failWaiting(fault);
    return false;
  }

  /** Workers of a new host have loaded it. */
  serveWith(slots: readonly WorkerSlot[]): void {
    const { timeoutSeconds, queueLimit } = this.plan?.config ?? {};
    if (timeoutSeconds !== undefined && queueLimit !== undefined) {
      this.queue.limits = { timeoutMs: timeoutSeconds * 1000, queueLimit };
    }
    this.#state = "ready";
    this.#fault = "";
    this.isStuck = false;
    this.queue.useSlots(slots);
  }

  /** Its workers are gone. Calls wait for others, if it can be loaded. */
  loseWorkers(): void {
    this.isStuck = false;
    this.queue.useSlots([]);
    if (this.#fault === "") this.#state = "loading";
    else this.fail(this.#fault);
  }

  /** modules.ini does not name it any more. Calls that run may end. */
  remove(): void {
    this.queue.useSlots([]);
    this.queue.failWaiting("it was removed from modules.ini");
  }

  call(): CallResult | Promise<CallResult> {
    if (this.#state === "broken") {
      return { ok: false, reason: "function is broken", error: this.#fault };
    }
    return this.queue.call();
  }
}
