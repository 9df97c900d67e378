/**
 * @module
 * name → function. The functions that clients can call, as modules.ini describes them now, and the
 * processes in which they run. A function that fails, hangs or crashes costs no other caller anything.
 */
import type { PauseOptions } from "../retry.ts";
import { type LoadedFunction, ServedFunction } from "./function.ts";
import { type GroupOptions, HostGroup } from "./processes/host_group.ts";
import type { HostEvents, HostProcess } from "./processes/host_process.ts";
import type { Load, LoadFault } from "./processes/host_worker.ts";
import type { FunctionPlan, FunctionPlans } from "./plan/plan.ts";
import type {
  CallRequest,
  CallResult,
  DescribedFunction,
  FunctionCaller,
  FunctionDirectory,
} from "./types.ts";

/** How functions are run. */
export interface SupervisorOptions extends GroupOptions {
  /** Between attempts to load a version that failed. */
  readonly retryPauses: PauseOptions;
}

/** How often calls and hosts are checked while there are calls: a timeout is so much late at most. */
const CHECK_INTERVAL_MS = 50;

/** The functions that clients can call. */
export class Supervisor implements FunctionCaller, FunctionDirectory, HostEvents {
  readonly #options: SupervisorOptions;
  readonly #served = new Map<string, ServedFunction>();
  /** Not in modules.ini any more, with calls that have not ended. */
  readonly #removed = new Set<ServedFunction>();
  readonly #shared: HostGroup;
  /** Hosts of one function. */
  readonly #own = new Map<ServedFunction, HostGroup>();
  /** All groups, also those whose function is gone. */
  readonly #groups = new Set<HostGroup>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #onSettled: (() => void)[] = [];
  #isClosed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#shared = new HostGroup(true, options, this);
    this.#groups.add(this.#shared);
  }

  /** The functions, in the order of modules.ini. */
  get functions(): readonly ServedFunction[] {
    return [...this.#served.values()];
  }

  /** Processes that have not ended. */
  get processCount(): number {
    return this.#groups.values().reduce((sum, { hostCount }) => sum + hostCount, 0);
  }

  /** Calls a function; see {@link FunctionCaller.call}. */
  call(functionName: string, request?: CallRequest): CallResult | Promise<CallResult> {
    const served = this.#served.get(functionName);
    if (served === undefined) return { ok: false, code: "unknown_function", executed: "no" };
    this.#startChecking();
    return served.call(request);
  }

  /** See {@link FunctionCaller.isRegistered}. */
  isRegistered(functionName: string): boolean {
    return this.#served.has(functionName);
  }

  /** The functions that can be called; see {@link FunctionDirectory.describe}. */
  describe(): readonly DescribedFunction[] {
    return this.functions.filter(({ state }) => state !== "broken");
  }

  /**
   * Serves these functions from now on. Only those that changed are loaded again; what serves already
   * goes on until its new version has loaded, and for good if that cannot be loaded.
   *
   * @returns names of the functions that changed.
   */
  apply({ plans, faults }: FunctionPlans): string[] {
    const before = new Map(this.#served);
    const changed: string[] = [];
    this.#served.clear();
    for (const { functionName, state, isForbidden } of faults) {
      const served = this.#take(functionName, before);
      const report = isForbidden ? this.#stop(served, state) : served.refuse(state);
      if (report === undefined) continue;
      changed.push(functionName);
      this.#options.observer.fault("modules", report);
    }
    for (const plan of plans) {
      const { functionName } = plan.config;
      const served = this.#take(functionName, before);
      const hadFault = served.fault !== "";
      if (!served.become(plan)) continue;
      changed.push(functionName);
      this.#place(served, plan);
      // A change that was taken back: the version that serves is the wanted one again.
      if (hadFault && !served.wantsLoad) this.#reportRecovery(served);
    }
    for (const served of before.values()) {
      changed.push(served.functionName);
      this.#remove(served);
    }
    this.#loadMissing();
    return changed;
  }

  /** Resolves when no function is loading. */
  whenSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled.push(resolve);
      this.#checkSettled();
    });
  }

  /** Tries again at once to load what failed. */
  retryAll(): void {
    for (const served of this.#served.values()) {
      if (served.askAgain()) this.retry(served);
    }
  }

  /** Ends every host; calls that run are lost. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const served of this.#served.values()) served.remove();
    for (const group of this.#groups) group.kill();
  }

  loaded(host: HostProcess, load: Load, loaded: LoadedFunction): void {
    this.#groupWith(host)?.loaded(host, load, loaded);
    this.#changed();
  }

  failed(host: HostProcess, load: Load, fault: LoadFault): void {
    this.#groupWith(host)?.failed(host, load, fault);
    this.#moveSuspect(load.served);
    this.#changed();
  }

  retry(served: ServedFunction): void {
    this.#groupOf(served).load(served);
    this.#changed();
  }

  strays(host: HostProcess, what: string, functionNames: readonly string[]): void {
    this.#groupWith(host)?.strays(host, what, functionNames);
    this.#changed();
  }

  ended(
    host: HostProcess,
    reason: string,
    lost: readonly (Load & { hasBegun: boolean })[],
  ): void {
    this.#groupWith(host)?.ended(host, reason, lost);
    for (const { served } of lost) this.#moveSuspect(served);
    this.#loadMissing();
  }

  #take(functionName: string, before: Map<string, ServedFunction>): ServedFunction {
    const { retryPauses: pauses } = this.#options;
    const served = before.get(functionName) ?? new ServedFunction(functionName, { pauses });
    before.delete(functionName);
    this.#served.set(functionName, served);
    return served;
  }

  /** Ends a function at once, with its process where that is its own. */
  #stop(served: ServedFunction, fault: string): string | undefined {
    const report = served.stop(fault);
    this.#own.get(served)?.kill();
    return report;
  }

  #remove(served: ServedFunction): void {
    served.remove();
    this.#groupOf(served).remove(served);
    this.#own.delete(served);
    this.#removed.add(served);
  }

  #groupOf(served: ServedFunction): HostGroup {
    return this.#own.get(served) ?? this.#shared;
  }

  #groupWith(host: HostProcess): HostGroup | undefined {
    return this.#groups.values().find((group) => group.has(host));
  }

  /** Decides in which group a function is loaded. */
  #place(served: ServedFunction, plan: FunctionPlan): void {
    const wantsOwn = plan.config.hasOwnProcess || served.isSuspect;
    const now = this.#groupOf(served);
    if (now.isShared === !wantsOwn) return now.add(served);
    now.remove(served);
    this.#own.delete(served);
    const next = wantsOwn ? new HostGroup(false, this.#options, this) : this.#shared;
    this.#groups.add(next);
    if (wantsOwn) this.#own.set(served, next);
    next.add(served);
  }

  /** A function that ends or blocks the shared host while it loads is loaded in one of its own. */
  #moveSuspect(served: ServedFunction): void {
    if (served.plan !== undefined && served.isSuspect) this.#place(served, served.plan);
  }

  #loadMissing(): void {
    if (this.#isClosed) return;
    for (const group of this.#groups) group.loadMissing();
    this.#changed();
  }

  #reportRecovery({ functionName }: ServedFunction): void {
    this.#options.observer.recovered("modules", `Function ${functionName} is ready`);
  }

  #changed(): void {
    if (!this.#isClosed) this.#startChecking();
    this.#checkSettled();
  }

  #startChecking(): void {
    this.#timer ??= setInterval(() => this.#check(), CHECK_INTERVAL_MS);
  }

  #check(): void {
    const nowMs = performance.now();
    let isNeeded = false;
    for (const { queue } of [...this.#served.values(), ...this.#removed]) {
      queue.expire(nowMs);
      isNeeded ||= queue.length > 0;
    }
    for (const served of this.#removed) {
      if (served.queue.length === 0) this.#removed.delete(served);
    }
    for (const group of this.#groups) {
      group.check(nowMs);
      if (group.isOver && group !== this.#shared) this.#groups.delete(group);
      isNeeded ||= group.isDraining;
    }
    if (isNeeded) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #checkSettled(): void {
    if (this.functions.some(({ isLoading }) => isLoading)) return;
    this.#onSettled.forEach((resolve) => resolve());
    this.#onSettled = [];
  }
}
