/**
 * @module
 * Functions that share a host, and the succession of its hosts. `Worker.terminate()` does not stop an
 * endless loop, a process can be killed: when a worker does not come back, or the host exits, a new host
 * is started, calls move over function by function, and the old one is killed when nobody waits for it.
 */
import { reasonOf } from "../errors.ts";
import { logger } from "../log.ts";
import type { Observer } from "../observer.ts";
import type { LoadedFunction, ServedFunction } from "./function.ts";
import { type HostCommand, type HostEvents, HostProcess } from "./host_process.ts";
import type { FunctionPlan } from "./plan.ts";

/** The part of the observer that functions tell. */
export type FunctionObserver = Pick<
  Observer,
  "processExited" | "reloaded" | "fault" | "recovered"
>;

/** How hosts of a group are started. */
export interface GroupOptions {
  readonly commandFor: (plans: readonly FunctionPlan[]) => HostCommand;
  /** Of a host that functions share; of one of its own a function may say. */
  readonly maxHeapMegabytes: number;
  readonly observer: FunctionObserver;
}

/** Exits of a host in this time make the next start wait. */
const EXITS_WINDOW_MS = 60_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
/** Exits while loading, after which suspects get hosts of their own. */
const EXITS_BEFORE_SPLIT = 2;
/** Exits while loading, after which a function with a host of its own is broken. */
const EXITS_BEFORE_BROKEN = 5;

const log = logger("functions");

/** A group of functions and its hosts. */
export class HostGroup {
  #served: readonly ServedFunction[];
  readonly #options: GroupOptions;
  readonly #events: HostEvents;
  readonly #hosts = new Set<HostProcess>();
  /** The host that functions are loading in. */
  #next: HostProcess | undefined;
  #exits: number[] = [];
  #exitsWhileLoading = 0;
  #restartTimer: ReturnType<typeof setTimeout> | undefined;
  #isRetired = false;

  /** @param events of the group's hosts; what concerns the group comes back to its methods */
  constructor(served: readonly ServedFunction[], options: GroupOptions, events: HostEvents) {
    this.#served = served;
    this.#options = options;
    this.#events = events;
  }

  /** Whether no host of it runs or is about to. */
  get isOver(): boolean {
    return this.#hosts.size === 0 && this.#restartTimer === undefined;
  }

  /** Whether a host waits for its last calls. */
  get isDraining(): boolean {
    return [...this.#hosts].some((each) => each !== this.#next && each.isIdle) ||
      this.#hosts.size > 1 || this.#isRetired && !this.isOver;
  }

  /** Whether its functions are all among these. */
  hasOnly(functions: readonly ServedFunction[]): boolean {
    return this.#served.every((each) => functions.includes(each));
  }

  has(host: HostProcess): boolean {
    return this.#hosts.has(host);
  }

  /** Starts a host with all functions that may load. */
  start(): void {
    clearTimeout(this.#restartTimer);
    this.#restartTimer = undefined;
    const served = this.#served.filter(({ isLoadable }) => isLoadable);
    if (served.length === 0 || this.#isRetired) return;
    const command = this.#options.commandFor(served.flatMap(({ plan }) => plan ?? []));
    try {
      const maxGrowthBytes = this.#maxHeapMegabytes * 1024 * 1024;
      this.#next = new HostProcess({ served, command, maxGrowthBytes }, this.#events);
      this.#hosts.add(this.#next);
    } catch (error) {
      this.#noteNoStart(served, command, error);
    }
  }

  /** Looks for workers that do not come back, and for hosts that nobody needs any more. */
  check(nowMs: number): void {
    if (!this.#isRetired) {
      for (const served of this.#served) this.#checkWorkers(served, nowMs);
    }
    for (const host of this.#hosts) {
      if (host !== this.#next && host.isIdle) host.retire();
    }
  }

  /** The functions belong to another group now; ends when the last calls have ended. */
  retire(): void {
    this.#isRetired = true;
    this.#next = undefined;
    clearTimeout(this.#restartTimer);
    this.#restartTimer = undefined;
  }

  /** Ends at once. */
  kill(): void {
    this.retire();
    for (const host of this.#hosts) host.retire();
  }

  /** Workers have loaded a function. */
  loaded(served: ServedFunction, loaded: LoadedFunction): void {
    if (!this.#isRetired) served.serveWith(loaded);
  }

  /** A function cannot be loaded. */
  failed(served: ServedFunction, why: string): void {
    if (this.#isRetired) return;
    const { functionName, plan } = served;
    const fault = `Cannot load function ${functionName}: ${plan?.file} ${why}`;
    const goesOn = served.fail(fault) ? "; its earlier version goes on" : "";
    this.#options.observer.fault("modules", `${fault}${goesOn}`);
  }

  /** Each function of a host has loaded or failed. */
  settled(host: HostProcess, isTainted: boolean): void {
    if (this.#next === host) this.#next = undefined;
    this.#exitsWhileLoading = 0;
    // A module that never finishes loading may burn a core.
    if (isTainted && !this.#isRetired) this.start();
  }

  /**
   * A host has exited.
   *
   * @returns functions that may have ended it while it loaded, and need hosts of their own.
   */
  ended(host: HostProcess, reason: string): readonly ServedFunction[] {
    this.#hosts.delete(host);
    if (this.#next === host) this.#next = undefined;
    return host.isRetiring ? [] : this.#noteExit(reason, host.loading);
  }

  get #maxHeapMegabytes(): number {
    const own = this.#served.length === 1
      ? this.#served[0]?.plan?.config.maxHeapMegabytes
      : undefined;
    return own ?? this.#options.maxHeapMegabytes;
  }

  #checkWorkers(served: ServedFunction, nowMs: number): void {
    const state = served.isStuck ? undefined : served.overdue(nowMs);
    if (state === undefined) return;
    served.isStuck = true;
    log.error("Function {functionName} {state}", { functionName: served.functionName, state });
    if (!served.isLoadable) served.leaveWorkers();
    else if (this.#next === undefined && this.#restartTimer === undefined) this.start();
  }

  #noteNoStart(served: readonly ServedFunction[], command: HostCommand, error: unknown): void {
    if (error instanceof Deno.errors.NotCapable) {
      const why =
        `cannot run: the program may not start itself, which needs --allow-run=${command.program}`;
      for (const each of served) this.failed(each, why);
      return;
    }
    const user = command.uid === undefined ? "" : ` as user ${command.uid}, which only root can`;
    this.#noteExit(`it cannot be started${user}: ${reasonOf(error)}`, []);
  }

  #noteExit(reason: string, loading: readonly ServedFunction[]): readonly ServedFunction[] {
    this.#options.observer.processExited(reason);
    if (this.#isRetired) return [];
    const suspects = loading.length > 0 ? this.#suspect(loading, reason) : [];
    const isMissed = this.#served.some((each) => each.isLoadable && !each.isServed);
    if (this.#next === undefined && isMissed) this.#restart();
    return suspects;
  }

  /** One of these functions may have ended the host while it loaded. */
  #suspect(loading: readonly ServedFunction[], reason: string): readonly ServedFunction[] {
    const times = ++this.#exitsWhileLoading;
    if (this.#served.length > 1 && times >= EXITS_BEFORE_SPLIT) {
      this.#served = this.#served.filter((each) => !loading.includes(each));
      this.#exitsWhileLoading = 0;
      return loading;
    }
    const [first] = loading;
    if (times >= EXITS_BEFORE_BROKEN && first !== undefined) {
      this.failed(first, `ended its process ${times} times while it loaded: ${reason}`);
    }
    return [];
  }

  #restart(): void {
    const now = performance.now();
    this.#exits = [...this.#exits.filter((at) => now - at < EXITS_WINDOW_MS), now];
    const doublings = Math.min(this.#exits.length - 2, 10);
    const delayMs = doublings < 0 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** doublings);
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => this.start(), delayMs);
  }
}
