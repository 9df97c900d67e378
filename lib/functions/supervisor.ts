/**
 * @module
 * name → function. The functions that clients can call, as modules.ini describes them now, and the
 * processes in which they run. A function that fails, hangs or crashes costs no other caller anything.
 */
import { hasGrants } from "../config/modules.ts";
import { logger } from "../log.ts";
import { type LoadedFunction, ServedFunction } from "./function.ts";
import { type GroupOptions, HostGroup } from "./host_group.ts";
import type { HostEvents, HostProcess } from "./host_process.ts";
import type { FunctionPlan, FunctionPlans } from "./plan.ts";
import type {
  CallRequest,
  CallResult,
  DescribedFunction,
  FunctionCaller,
  FunctionDirectory,
} from "./types.ts";

/** How functions are run. */
export interface SupervisorOptions extends GroupOptions {
  /** Called before calls leave for a worker. */
  readonly beforeCalls?: (() => void) | undefined;
}

/** Functions with the same key share a process: what one of them was granted, the kernel grants to all. */
function processOf({ config }: FunctionPlan): string {
  if (config.hasOwnProcess) return `own ${config.functionName}`;
  return hasGrants(config.grants) ? "with grants" : "without grants";
}

/** How often calls and hosts are checked while there are calls: a timeout is so much late at most. */
const CHECK_INTERVAL_MS = 50;

const log = logger("functions");

/** The functions that clients can call. */
export class Supervisor implements FunctionCaller, FunctionDirectory, HostEvents {
  readonly #options: SupervisorOptions;
  readonly #served = new Map<string, ServedFunction>();
  /** Not in modules.ini any more, with calls that have not ended. */
  readonly #removed = new Set<ServedFunction>();
  readonly #groups = new Set<HostGroup>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #onSettled: (() => void)[] = [];
  #isAnnounced = true;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** The functions, in the order of modules.ini. */
  get functions(): readonly ServedFunction[] {
    return [...this.#served.values()];
  }

  /** Calls a function; see {@link FunctionCaller.call}. */
  call(functionName: string, request?: CallRequest): CallResult | Promise<CallResult> {
    const served = this.#served.get(functionName);
    if (served === undefined) return { ok: false, code: "unknown_function", executed: "no" };
    this.#startChecking();
    return served.call(request);
  }

  /** The functions that can be called; see {@link FunctionDirectory.describe}. */
  describe(): readonly DescribedFunction[] {
    return this.functions.filter(({ state }) => state !== "broken");
  }

  /**
   * Serves these functions from now on. What serves already goes on until its new version has loaded,
   * and for good if that cannot be loaded.
   */
  apply({ plans, faults }: FunctionPlans): void {
    const before = new Map(this.#served);
    const outdated = [...this.#groups];
    this.#served.clear();
    const { beforeCalls, observer } = this.#options;
    const take = (functionName: string): ServedFunction => {
      const served = before.get(functionName) ?? new ServedFunction(functionName, beforeCalls);
      before.delete(functionName);
      this.#served.set(functionName, served);
      return served;
    };
    const stopped: ServedFunction[] = [];
    for (const { functionName, message, isForbidden } of faults) {
      const served = take(functionName);
      const goesOn = served.isServed && !isForbidden ? "; its earlier version goes on" : "";
      observer.fault("modules", `${message}${goesOn}`);
      if (!isForbidden) served.fail(message);
      else {
        served.stop(message);
        stopped.push(served);
      }
    }
    const together = new Map<string, ServedFunction[]>();
    for (const plan of plans) {
      const served = take(plan.config.functionName);
      served.become(plan);
      const key = processOf(plan);
      together.set(key, [...together.get(key) ?? [], served]);
    }
    for (const served of before.values()) {
      served.remove();
      this.#removed.add(served);
    }
    for (const group of outdated) {
      if (group.hasOnly(stopped)) group.kill();
      else group.retire();
    }
    this.#isAnnounced = false;
    for (const served of together.values()) this.#startGroup(served);
    this.#changed();
  }

  /** Resolves when no function is loading. */
  whenSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled.push(resolve);
      this.#checkSettled();
    });
  }

  /** Ends every host; calls that run are lost. */
  close(): void {
    clearInterval(this.#timer);
    for (const group of this.#groups) group.kill();
  }

  loaded(host: HostProcess, served: ServedFunction, loaded: LoadedFunction): void {
    this.#groupOf(host)?.loaded(served, loaded);
    this.#changed();
  }

  failed(host: HostProcess, served: ServedFunction, why: string): void {
    this.#groupOf(host)?.failed(served, why);
    this.#changed();
  }

  settled(host: HostProcess, isTainted: boolean): void {
    this.#groupOf(host)?.settled(host, isTainted);
    this.#changed();
  }

  ended(host: HostProcess, reason: string): void {
    const suspects = this.#groupOf(host)?.ended(host, reason) ?? [];
    for (const each of suspects) this.#startGroup([each]);
    this.#changed();
  }

  #groupOf(host: HostProcess): HostGroup | undefined {
    return [...this.#groups].find((group) => group.has(host));
  }

  #startGroup(served: readonly ServedFunction[]): void {
    if (served.length === 0) return;
    const group = new HostGroup(served, this.#options, this);
    this.#groups.add(group);
    group.start();
  }

  #changed(): void {
    this.#startChecking();
    this.#checkSettled();
  }

  #startChecking(): void {
    this.#timer ??= setInterval(() => this.#check(), CHECK_INTERVAL_MS);
  }

  #check(): void {
    const nowMs = performance.now();
    let isNeeded = false;
    for (const served of [...this.#served.values(), ...this.#removed]) {
      served.expire(nowMs);
      isNeeded ||= served.queueLength > 0;
    }
    for (const served of this.#removed) {
      if (served.queueLength === 0) this.#removed.delete(served);
    }
    for (const group of this.#groups) {
      group.check(nowMs);
      if (group.isOver) this.#groups.delete(group);
      isNeeded ||= group.isDraining;
    }
    if (isNeeded) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #checkSettled(): void {
    const functions = this.functions;
    if (functions.some(({ state }) => state === "loading")) return;
    if (!this.#isAnnounced) {
      this.#isAnnounced = true;
      const ready = functions.filter(({ state }) => state === "ready");
      const names = ready.map(({ functionName }) => functionName).join(", ") || "none";
      log.info("Functions: {names}", { names });
    }
    this.#onSettled.forEach((resolve) => resolve());
    this.#onSettled = [];
  }
}
