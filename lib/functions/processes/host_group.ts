/**
 * @module
 * Functions that share a host, and the succession of its hosts. `Worker.terminate()` does not stop an
 * endless loop, a process can be killed: when a worker is stuck, or the host exits, another host is
 * started, calls move over function by function, and the old one is killed when nobody waits for it.
 *
 * Functions without grants share one host, in which each is loaded again by itself when it changed.
 * Every other function has a host of its own, and a new one for each version.
 */
import { reasonOf } from "../../errors.ts";
import { logger } from "../../log.ts";
import { count } from "../../prose.ts";
import type { Observer } from "../../observer.ts";
import { type PauseOptions, Pauses } from "../../retry.ts";
import type { LoadedFunction, ServedFunction } from "../function.ts";
import type { HostTimes } from "./host_parts.ts";
import { type HostEvents, HostProcess } from "./host_process.ts";
import type { Load, LoadFault } from "./host_worker.ts";
import type { FunctionPlan } from "../plan/plan.ts";
import type { HostCommand } from "./process.ts";

/** The part of the observer that functions tell. */
export type FunctionObserver = Pick<
  Observer,
  "processExited" | "reloaded" | "fault" | "recovered"
>;

/** How hosts are started. */
export interface GroupOptions extends HostTimes {
  readonly commandFor: (plans: readonly FunctionPlan[]) => HostCommand;
  readonly maxIdleCpuMs: number;
  /** See {@link HostParts.checksGrants}. */
  readonly checksGrants: boolean;
  /** Between starts of a host that exits again and again. */
  readonly restartPauses: PauseOptions;
  readonly observer: FunctionObserver;
}

/** A host that ran for so long without an exit is started again at once. */
const CALM_MS = 60_000;
/** Exits of hosts while they load a function, after which it counts as one that does not load. */
const EXITS_BEFORE_FAULT = 3;

const log = logger("functions");

/** A group of functions and its hosts. */
export class HostGroup {
  readonly isShared: boolean;
  readonly #options: GroupOptions;
  readonly #events: HostEvents;
  readonly #members = new Set<ServedFunction>();
  readonly #hosts = new Set<HostProcess>();
  /** Where functions are loaded. */
  #current: HostProcess | undefined;
  /** What {@link #current} was started for; see {@link FunctionPlan.hostKey}. */
  #currentKey = "";
  /** It has to be replaced when what else it is loading has loaded or failed. */
  #isTainted = false;
  readonly #pauses: Pauses;
  #lastExitMs = -Infinity;
  #restartTimer: ReturnType<typeof setTimeout> | undefined;

  /** @param events of the group's hosts; what concerns the group comes back to its methods */
  constructor(isShared: boolean, options: GroupOptions, events: HostEvents) {
    this.isShared = isShared;
    this.#options = options;
    this.#events = events;
    this.#pauses = new Pauses(options.restartPauses);
  }

  /** Hosts that have not ended. */
  get hostCount(): number {
    return this.#hosts.size;
  }

  /** Whether it has neither functions nor hosts. */
  get isOver(): boolean {
    return this.#members.size === 0 && this.#hosts.size === 0;
  }

  /** Whether a host or a worker waits for its last calls. */
  get isDraining(): boolean {
    return this.#hosts.values().some((host) => host !== this.#current || host.hasLeftovers) ||
      this.#members.size === 0 && this.#hosts.size > 0 || this.#isTainted;
  }

  has(host: HostProcess): boolean {
    return this.#hosts.has(host);
  }

  add(served: ServedFunction): void {
    this.#members.add(served);
  }

  /** The function belongs to another group, or to none; its workers here end when its calls have ended. */
  remove(served: ServedFunction): void {
    this.#members.delete(served);
  }

  /** Loads every function that should be loaded now. */
  loadMissing(): void {
    if (this.#restartTimer !== undefined) return;
    for (const served of this.#members) {
      if (served.wantsLoad) this.load(served);
    }
  }

  /** Loads the wanted version of a function, whether another attempt failed before or not. */
  load(served: ServedFunction): void {
    const { plan } = served;
    if (plan === undefined || !this.#members.has(served)) return;
    // What the kernel grants to a process is fixed when it starts.
    const mustLeave = this.isShared && this.#current !== undefined &&
      (this.#currentKey !== plan.hostKey || !this.#current.hasRoom);
    if (mustLeave) this.#leaveCurrent();
    const host = this.isShared && this.#current || this.#start(served, plan);
    if (host === undefined) return;
    served.beginLoading(plan);
    host.load(served, plan);
    // The others follow.
    if (mustLeave) this.loadMissing();
  }

  /** Looks for workers that are stuck, and for hosts and workers that nobody needs any more. */
  check(nowMs: number): void {
    for (const served of this.#members) {
      const how = served.checkStuck(nowMs);
      if (how === undefined) continue;
      log.error("Function {functionName} {how}", { functionName: served.functionName, how });
      this.replace();
    }
    if (this.#isTainted && this.#current?.isLoading !== true) this.replace();
    for (const host of this.#hosts) {
      const isKept = host === this.#current && this.isShared && this.#members.size > 0;
      if (!isKept && !host.isNeeded) host.retire();
      else if (!host.endLeftovers(nowMs) && host === this.#current) this.replace();
    }
  }

  /** Moves every function to another host. */
  replace(): void {
    for (const served of this.#leaveCurrent()) this.load(served);
    this.loadMissing();
  }

  /** Ends every host at once. */
  kill(): void {
    clearTimeout(this.#restartTimer);
    for (const host of this.#hosts) host.retire();
  }

  /** Workers have loaded a function. */
  loaded(host: HostProcess, { served, plan }: Load, loaded: LoadedFunction): void {
    if (!this.#isWanted(host, served, plan)) return;
    if (!served.serveWith(plan, loaded)) return;
    this.#options.observer.recovered("modules", `Function ${served.functionName} is ready`);
  }

  /** A function does not load. */
  failed(host: HostProcess, { served, plan }: Load, { kind, why, tookMs }: LoadFault): void {
    if (!this.#isWanted(host, served, plan)) return;
    if (kind === "address in use" && this.#hosts.size > 1 && served.isServed) {
      log.info("The earlier version of {functionName} exits first: it holds the address", {
        functionName: served.functionName,
      });
      return served.waitForRoom();
    }
    // A module that never finishes loading may use a core for ever, in a thread that nothing stops.
    if (kind === "timeout" && this.isShared) served.suspect();
    this.#fail(served, why, tookMs);
    if (kind === "timeout") this.#isTainted = true;
  }

  /** A host does something without a call: it is replaced. */
  strays(host: HostProcess, what: string, names: readonly string[]): void {
    this.#options.observer.processExited(`${what}, possibly for ${names.join(", ")}`);
    if (host === this.#current) this.replace();
  }

  /** A host has exited. */
  ended(
    host: HostProcess,
    reason: string,
    lost: readonly (Load & { hasBegun: boolean })[],
  ): void {
    for (const { served, plan, hasBegun } of lost) {
      if (!this.#isWanted(host, served, plan)) continue;
      served.dropLoading(plan);
      const times = hasBegun ? served.countExit() : 0;
      if (times < EXITS_BEFORE_FAULT && served.fault === "") continue;
      this.#fail(served, `ended its process ${count(times, "time")} while it loaded: ${reason}`, 0);
    }
    this.#hosts.delete(host);
    if (this.#current === host) {
      this.#current = undefined;
      this.#isTainted = false;
    }
    if (!host.isRetiring) {
      this.#options.observer.processExited(reason);
      this.#pauseAfterExit();
    }
    for (const served of this.#members) {
      if (served.waitsForRoom && this.#hosts.size === 0) served.takeRoom();
    }
  }

  /** Every function needs another host. @returns those whose attempt to load ends by that */
  #leaveCurrent(): ServedFunction[] {
    this.#current = undefined;
    this.#isTainted = false;
    return [...this.#members].filter((served) => served.outdate());
  }

  /** Whether what a host says of a function still matters. */
  #isWanted(host: HostProcess, served: ServedFunction, plan: FunctionPlan): boolean {
    if (host === this.#current && served.plan === plan && this.#members.has(served)) return true;
    if (served.plan !== plan) served.dropLoading(plan);
    return false;
  }

  #start(served: ServedFunction, plan: FunctionPlan): HostProcess | undefined {
    const { commandFor, maxIdleCpuMs, ...times } = this.#options;
    const plans = [...this.#members].flatMap((each) => each.plan ?? []);
    const command = commandFor(plans);
    const setup = {
      isShared: this.isShared,
      isLone: command.isLone,
      lifeSignMs: maxIdleCpuMs / 2,
      maxGrowthBytes: command.maxGrowthBytes,
    };
    const category = this.isShared ? "functions" : `functions.${served.functionName}`;
    try {
      const parts = { command, setup, category, maxIdleCpuMs, ...times };
      const host = new HostProcess(parts, this.#events);
      this.#hosts.add(host);
      this.#current = host;
      this.#currentKey = plan.hostKey;
      return host;
    } catch (error) {
      this.#fail(served, describeNoStart(command, error), 0);
      return undefined;
    }
  }

  #fail(served: ServedFunction, why: string, tookMs: number): void {
    const fault = `${served.plan?.file} ${why}`;
    const report = served.failLoading(fault, tookMs, () => this.#events.retry(served));
    if (report !== undefined) this.#options.observer.fault("modules", report);
  }

  /** A host that exits again and again is started with growing pauses. */
  #pauseAfterExit(): void {
    const now = performance.now();
    const isCalm = now - this.#lastExitMs > CALM_MS;
    this.#lastExitMs = now;
    if (isCalm) this.#pauses.reset();
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = undefined;
      this.loadMissing();
    }, isCalm ? 0 : this.#pauses.next());
  }
}

function describeNoStart({ program, uid }: HostCommand, error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return `cannot run: the program may not start itself, which needs --allow-run=${program}`;
  }
  const user = uid === undefined ? "" : ` as user ${uid}, which only root can`;
  return `cannot run: its process cannot be started${user}: ${reasonOf(error)}`;
}
