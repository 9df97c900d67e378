/**
 * @module
 * name → function. The functions that clients can call, as modules.ini describes them now; behind each
 * stands a host, in another process. A function that fails, hangs or dies costs nobody else anything.
 */
import { logger } from "../log.ts";
import { type GroupOptions, HostGroup } from "./group.ts";
import type { CallResult } from "./queue.ts";
import { type FunctionPlan, ServedFunction } from "./served.ts";

/** Who can be asked to call a function. */
export interface FunctionCaller {
  /** Never rejects. Not a promise when it is answered at once. */
  readonly call: (functionName: string) => CallResult | Promise<CallResult>;
}

/** A function that cannot be loaded for a reason that modules.ini or the file system gave. */
export interface PlanFault {
  readonly functionName: string;
  readonly message: string;
}

/** What modules.ini asks for, as far as it can be had. */
export interface FunctionPlans {
  readonly plans: readonly FunctionPlan[];
  readonly faults: readonly PlanFault[];
}

/** How hosts are started. */
export interface RegistryOptions {
  readonly commandFor: GroupOptions["commandFor"];
  /** Of the host that functions share; of one of its own a function may say. */
  readonly maxHeapMegabytes: number;
  /** Called before calls leave for a worker. */
  readonly beforeCalls?: (() => void) | undefined;
}

/** How often calls and hosts are looked at while there are calls: a timeout is so much late at most. */
const CHECK_INTERVAL_MS = 50;

const log = logger("functions");

/** The functions that clients can call. */
export class FunctionRegistry implements FunctionCaller {
  readonly #options: RegistryOptions;
  readonly #served = new Map<string, ServedFunction>();
  /** Not in modules.ini any more, with calls that have not ended. */
  readonly #removed = new Set<ServedFunction>();
  readonly #groups = new Set<HostGroup>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #onSettled: (() => void)[] = [];
  #isAnnounced = true;
  #processEnds = 0;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** The functions, in the order of modules.ini. */
  get functions(): readonly ServedFunction[] {
    return [...this.#served.values()];
  }

  /** How many processes of functions ended by themselves. */
  get processEnds(): number {
    return this.#processEnds;
  }

  /**
   * Calls a function. A string is the result as it is, anything else becomes JSON text (nothing at
   * all becomes `null`).
   */
  call(functionName: string): CallResult | Promise<CallResult> {
    const served = this.#served.get(functionName);
    if (served === undefined) return { ok: false, reason: "unknown function" };
    this.#startChecking();
    return served.call();
  }

  /**
   * Serves these functions from now on. What serves already goes on until its new version has loaded,
   * and for good if that cannot be loaded.
   */
  apply({ plans, faults }: FunctionPlans): void {
    const before = new Map(this.#served);
    const outdated = [...this.#groups];
    this.#served.clear();
    const { beforeCalls } = this.#options;
    const take = (functionName: string): ServedFunction => {
      const served = before.get(functionName) ?? new ServedFunction(functionName, beforeCalls);
      before.delete(functionName);
      this.#served.set(functionName, served);
      return served;
    };
    for (const { functionName, message } of faults) {
      const goesOn = take(functionName).fail(message) ? "; its earlier version goes on" : "";
      log.error("{message}{goesOn}", { message, goesOn });
    }
    const shared: ServedFunction[] = [], own: ServedFunction[] = [];
    for (const plan of plans) {
      const served = take(plan.config.functionName);
      served.become(plan);
      (plan.config.hasOwnProcess ? own : shared).push(served);
    }
    for (const served of before.values()) {
      served.remove();
      this.#removed.add(served);
    }
    for (const group of outdated) group.retire();
    this.#isAnnounced = false;
    this.#startGroup(shared);
    for (const served of own) this.#startGroup([served]);
    this.#startChecking();
    this.#checkSettled();
  }

  /** Resolves when no function is loading. */
  settled(): Promise<void> {
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

  #startGroup(served: readonly ServedFunction[]): void {
    if (served.length === 0) return;
    const { commandFor, maxHeapMegabytes } = this.#options;
    const own = served.length === 1 ? served[0]?.plan?.config.maxHeapMegabytes : undefined;
    const maxGrowthBytes = (own ?? maxHeapMegabytes) * 1024 * 1024;
    const group = new HostGroup(served, { commandFor, maxGrowthBytes }, {
      onChange: () => {
        this.#startChecking();
        this.#checkSettled();
      },
      onDeath: () => void this.#processEnds++,
      onSplit: (suspects) => suspects.forEach((each) => this.#startGroup([each])),
    });
    this.#groups.add(group);
    group.start();
  }

  #startChecking(): void {
    this.#timer ??= setInterval(() => this.#check(), CHECK_INTERVAL_MS);
  }

  #check(): void {
    const nowMs = performance.now();
    let isNeeded = false;
    for (const { queue } of [...this.#served.values(), ...this.#removed]) {
      queue.expire(nowMs);
      isNeeded ||= !queue.isEmpty;
    }
    for (const served of this.#removed) {
      if (served.queue.isEmpty) this.#removed.delete(served);
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
