/**
 * @module
 * One function of modules.ini: which version of it is wanted, which one is being loaded and which one
 * serves, and whether it can be called. Its calls are in a {@link CallQueue}. It knows no processes.
 */
import { type PauseOptions, Pauses } from "../retry.ts";
import type { FunctionAbout } from "./wire/about.ts";
import { type CallLimits, CallQueue } from "./calls/call_queue.ts";
import type { FunctionPlan } from "./plan/plan.ts";
import type { CallRequest, CallResult } from "./types.ts";
import type { WorkerSlot } from "./calls/worker_slot.ts";

/** Whether a function can be called. */
export type FunctionState = "loading" | "ready" | "broken";

/** Exits of a host while it loads a function, after which the function gets a host of its own. */
const EXITS_BEFORE_SUSPECT = 2;

/** Until a version of a function has loaded. */
const FIRST_LIMITS: CallLimits = {
  timeoutMs: 10_000,
  queueLimit: 256,
  maxResultBytes: 1_048_576,
  maxParamsBytes: 1_048_576,
  tellsCaller: false,
};

/** A version that loaded: its workers, and what its module says of it. */
export interface LoadedFunction {
  readonly slots: readonly WorkerSlot[];
  readonly about: FunctionAbout;
}

/** What a function is made with. */
export interface FunctionOptions {
  /** Between attempts to load a version that failed. */
  readonly pauses?: PauseOptions | undefined;
}

/** A function of modules.ini. It outlives reloads; only what stands behind it changes. */
export class ServedFunction {
  readonly functionName: string;
  readonly queue: CallQueue;
  readonly #pauses: Pauses;
  /** The version that is wanted. */
  #plan: FunctionPlan | undefined;
  /** The version whose workers get the calls. */
  #served: FunctionPlan | undefined;
  /** The version that is being loaded. */
  #loading: FunctionPlan | undefined;
  #about: FunctionAbout = {};
  #state: FunctionState = "loading";
  /** Why the wanted version cannot be loaded; empty when it can. */
  #fault = "";
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  /** A worker did not take its calls in time; what it runs may never end. */
  #isStuck = false;
  /** Its workers are to be replaced by others of the same version. */
  #isOutdated = false;
  /** Its address is in use by its earlier version, which exits first. */
  #waitsForRoom = false;
  #exitsWhileLoading = 0;
  /** Somebody asked to try again while an attempt to load it was going on. */
  #isAskedAgain = false;

  constructor(functionName: string, { pauses }: FunctionOptions = {}) {
    this.functionName = functionName;
    this.#pauses = new Pauses(pauses);
    this.queue = new CallQueue(FIRST_LIMITS);
  }

  /** What modules.ini asks for, as far as it can be had. */
  get plan(): FunctionPlan | undefined {
    return this.#plan;
  }

  get state(): FunctionState {
    return this.#state;
  }

  /** What the module of the version in use says of it. */
  get about(): FunctionAbout {
    return this.#about;
  }

  /** Why it, or its latest version, cannot be loaded, as a message; empty when it can. */
  get fault(): string {
    return this.#fault && `Cannot load function ${this.functionName}: ${this.#fault}`;
  }

  /** Calls that wait or run. */
  get queueLength(): number {
    return this.queue.length;
  }

  /** Whether calls would be run by a worker, of this version or an earlier one. */
  get isServed(): boolean {
    return this.queue.slots.length > 0 && !this.#isStuck;
  }

  /** Whether a version is being loaded, or will be as soon as its host is there. */
  get isLoading(): boolean {
    return this.#loading !== undefined || this.#state === "loading" && !this.#waitsForRoom;
  }

  /** Whether the wanted version should be loaded now. */
  get wantsLoad(): boolean {
    if (this.#plan === undefined || this.#fault !== "" || this.#waitsForRoom) return false;
    if (this.#loading === this.#plan) return false;
    return !this.isServed || this.#isOutdated || this.#served?.version !== this.#plan.version;
  }

  /** Whether it ended or blocked hosts while it loaded, and gets one of its own. */
  get isSuspect(): boolean {
    return this.#exitsWhileLoading >= EXITS_BEFORE_SUSPECT;
  }

  /** Whether it waits until the earlier version has exited. */
  get waitsForRoom(): boolean {
    return this.#waitsForRoom;
  }

  /**
   * What it is from now on. The version that serves goes on until another one is loaded; one that
   * failed is not loaded again before its time when nothing changed.
   *
   * @returns whether anything changed.
   */
  become(plan: FunctionPlan): boolean {
    const isPending = this.#retryTimer !== undefined || this.#loading === this.#plan;
    const isKnown = this.#plan?.version === plan.version;
    if (isKnown && (this.#fault === "" || isPending)) return false;
    this.#plan = plan;
    this.#stopRetrying();
    this.#fault = "";
    this.#exitsWhileLoading = 0;
    if (this.#state === "broken") this.#state = "loading";
    return true;
  }

  /**
   * modules.ini or the file system do not allow to load it. An earlier version that serves goes on.
   *
   * @returns what to report: nothing when it is known already.
   */
  refuse(fault: string): string | undefined {
    this.#stopRetrying();
    this.#plan = undefined;
    return this.#fail(fault);
  }

  /**
   * What it was granted may not be granted any more: no version of it may go on.
   *
   * @returns what to report: nothing when it is known already.
   */
  stop(fault: string): string | undefined {
    this.queue.useSlots([]);
    const report = this.refuse(fault);
    this.queue.failAll(fault);
    return report;
  }

  /**
   * Somebody wants it to be tried again at once: an attempt that is going on may have begun too early.
   *
   * @returns whether to begin now; otherwise another attempt follows, however often it was asked for.
   */
  askAgain(): boolean {
    if (this.#fault === "") return false;
    this.#isAskedAgain = this.#loading !== undefined;
    return !this.#isAskedAgain;
  }

  /** Its version is being loaded. */
  beginLoading(plan: FunctionPlan): void {
    this.#loading = plan;
    this.#isAskedAgain = false;
    this.#waitsForRoom = false;
    this.#stopRetrying();
  }

  /** The version that was being loaded is not wanted any more. */
  dropLoading(plan: FunctionPlan): void {
    if (this.#loading === plan) this.#loading = undefined;
  }

  /** A host ended while it was loading this function. @returns how often that happened */
  countExit(): number {
    return ++this.#exitsWhileLoading;
  }

  /** Loading it blocked a host: from now on it gets one of its own. */
  suspect(): void {
    this.#exitsWhileLoading = Math.max(this.#exitsWhileLoading, EXITS_BEFORE_SUSPECT);
  }

  /**
   * The wanted version does not load; it is tried again after a pause.
   *
   * @returns what to report: nothing when it failed before.
   */
  failLoading(fault: string, tookMs: number, load: () => void): string | undefined {
    const isFirst = this.#fault === "";
    this.#loading = undefined;
    this.#stopRetrying();
    this.#retryTimer = setTimeout(load, this.#isAskedAgain ? 0 : this.#pauses.next(tookMs));
    const report = this.#fail(fault);
    return isFirst ? report : undefined;
  }

  /** Its earlier version holds an address that it needs: calls wait until that version has exited. */
  waitForRoom(): void {
    this.#loading = undefined;
    this.#waitsForRoom = true;
    this.leaveWorkers();
  }

  /** The earlier version has exited. */
  takeRoom(): void {
    this.#waitsForRoom = false;
  }

  /**
   * Its workers must be replaced: what else runs in their process does not come back.
   *
   * @returns whether that ends an attempt to load what failed before.
   */
  outdate(): boolean {
    const wasRetrying = this.#loading !== undefined && this.#fault !== "";
    this.#loading = undefined;
    this.#isOutdated = true;
    if (this.#fault !== "") this.leaveWorkers();
    return wasRetrying;
  }

  /** Notes that a worker does not take its calls in time. @returns how, when that is news */
  checkStuck(nowMs: number): "is stuck" | "leaves calls behind" | undefined {
    if (this.#isStuck) return undefined;
    const how = this.queue.stuckness(nowMs);
    this.#isStuck = how !== undefined;
    return how;
  }

  /** Workers of a host have loaded the wanted version. @returns whether it had failed before */
  serveWith(plan: FunctionPlan, { slots, about }: LoadedFunction): boolean {
    const hadFault = this.#fault !== "";
    this.queue.limits = { ...plan.config, timeoutMs: plan.config.timeoutSeconds * 1000 };
    this.#served = plan;
    this.#about = about;
    this.#loading = undefined;
    this.#stopRetrying();
    this.#pauses.reset();
    this.#state = "ready";
    this.#fault = "";
    this.#isStuck = false;
    this.#isOutdated = false;
    this.#exitsWhileLoading = 0;
    this.queue.useSlots(slots);
    return hadFault;
  }

  /** Workers are gone, and their calls with them; calls wait for others if it can be loaded. */
  loseWorkers(slots: readonly WorkerSlot[], why: string): void {
    this.queue.failSlots(slots, why);
    const [serving] = this.queue.slots;
    if (serving !== undefined && slots.includes(serving)) this.leaveWorkers();
  }

  /** No worker gets its calls any more. Calls wait for others if it can be loaded. */
  leaveWorkers(): void {
    this.#isStuck = false;
    this.#isOutdated = false;
    this.queue.useSlots([]);
    if (this.#fault === "") this.#state = "loading";
    else this.#break();
  }

  /** modules.ini does not name it any more, or the server stops. Calls that run may end. */
  remove(): void {
    this.#stopRetrying();
    this.#plan = undefined;
    this.queue.useSlots([]);
    this.queue.failWaiting("it was removed from modules.ini");
  }

  /** Calls it; never rejects. Not a promise when it is answered at once. */
  call(request: CallRequest = {}): CallResult | Promise<CallResult> {
    if (this.#state !== "broken") return this.queue.call(request);
    return { ok: false, code: "function_broken", detail: this.#fault, executed: "no" };
  }

  /** @returns what to report: nothing when it is known */
  #fail(fault: string): string | undefined {
    const isNews = this.#fault !== fault;
    this.#fault = fault;
    if (!this.isServed) this.#break();
    if (!isNews) return undefined;
    return this.isServed ? `${this.fault}; its earlier version goes on` : this.fault;
  }

  #break(): void {
    this.#state = "broken";
    this.queue.useSlots([]);
    this.queue.failWaiting(`it cannot be loaded: ${this.#fault}`);
  }

  #stopRetrying(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
  }
}
