/**
 * @module
 * Functions that share a host, and the succession of its hosts. `Worker.terminate()` does not stop an
 * endless loop, a process can be killed: when a worker does not come back, or the host dies, a new host
 * is started, calls move over function by function, and the old one is killed when nobody waits for it.
 */
import { reasonOf } from "../errors.ts";
import { logger } from "../log.ts";
import { Generation } from "./generation.ts";
import type { HostedFunction } from "./messages.ts";
import type { HostCommand } from "./process.ts";
import type { ServedFunction } from "./served.ts";

/** How hosts of a group are started. */
export interface GroupOptions {
  readonly commandFor: (served: readonly ServedFunction[]) => HostCommand;
  readonly maxGrowthBytes: number;
}

/** What a group reports. */
export interface GroupEvents {
  /** The state of a function changed. */
  readonly onChange: () => void;
  /** A host ended by itself. */
  readonly onDeath: () => void;
  /** These functions may have killed the host while it loaded; each should get a host of its own. */
  readonly onSplit: (suspects: readonly ServedFunction[]) => void;
}

/** Deaths of a host in this time make the next start wait. */
const DEATHS_WINDOW_MS = 60_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
/** Deaths while loading, after which suspects get hosts of their own. */
const DEATHS_BEFORE_SPLIT = 2;
/** Deaths while loading, after which a function with a host of its own is broken. */
const DEATHS_BEFORE_BROKEN = 5;

const log = logger("functions");

/** A group of functions and its hosts. */
export class HostGroup {
  #served: readonly ServedFunction[];
  readonly #options: GroupOptions;
  readonly #events: GroupEvents;
  readonly #generations = new Set<Generation>();
  #next: Generation | undefined;
  #deaths: number[] = [];
  #deathsWhileLoading = 0;
  #restartTimer: ReturnType<typeof setTimeout> | undefined;
  #isRetired = false;

  constructor(served: readonly ServedFunction[], options: GroupOptions, events: GroupEvents) {
    this.#served = served;
    this.#options = options;
    this.#events = events;
  }

  /** Whether hosts of it run or are about to. */
  get isOver(): boolean {
    return this.#generations.size === 0 && this.#restartTimer === undefined;
  }

  /** Whether a host waits for its last calls. */
  get isDraining(): boolean {
    return [...this.#generations].some((each) => each !== this.#next && each.isIdle) ||
      this.#generations.size > 1 || this.#isRetired && !this.isOver;
  }

  /** Starts a host with all functions that may load. */
  start(): void {
    clearTimeout(this.#restartTimer);
    this.#restartTimer = undefined;
    const served = this.#served.filter(({ isLoadable }) => isLoadable);
    if (served.length === 0 || this.#isRetired) return;
    const parts = {
      served,
      hosted: served.map(toHosted),
      command: this.#options.commandFor(served),
      maxGrowthBytes: this.#options.maxGrowthBytes,
    };
    let generation: Generation | undefined;
    try {
      generation = new Generation(parts, {
        onLoaded: (each, slots) => {
          if (this.#isRetired) return;
          each.serveWith(slots);
          this.#changed();
        },
        onFailed: (each, why) => this.#fail(each, why),
        onSettled: (isTainted) => this.#settle(generation, isTainted),
        onEnd: (reason) => this.#end(generation, reason),
      });
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) {
        const why = "cannot run: the program may not start itself, which needs " +
          `--allow-run=${parts.command.program}`;
        for (const each of served) this.#fail(each, why);
      } else {
        const { uid } = parts.command;
        const user = uid === undefined ? "" : ` as user ${uid}, which only root can`;
        this.#noteDeath(`it cannot be started${user}: ${reasonOf(error)}`, []);
      }
      return;
    }
    this.#generations.add(generation);
    this.#next = generation;
  }

  /** Looks for workers that do not come back, and for hosts that nobody needs any more. */
  check(nowMs: number): void {
    if (!this.#isRetired) {
      for (const served of this.#served) this.#checkWorkers(served, nowMs);
    }
    for (const generation of this.#generations) {
      if (generation !== this.#next && generation.isIdle) generation.retire();
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
    for (const generation of this.#generations) generation.retire();
  }

  #checkWorkers(served: ServedFunction, nowMs: number): void {
    const { slots, limits } = served.queue;
    const isOverdue = slots.some(({ busySinceMs }) =>
      busySinceMs !== undefined && nowMs - busySinceMs > limits.timeoutMs
    );
    const hasLeftBehind = slots.some(({ running, awaited }) =>
      running - awaited > limits.queueLimit
    );
    if (!isOverdue && !hasLeftBehind || served.isStuck) return;
    served.isStuck = true;
    const functionName = served.functionName;
    if (isOverdue) log.error("Function {functionName} does not come back", { functionName });
    else log.error("Function {functionName} leaves calls behind", { functionName });
    if (!served.isLoadable) served.loseWorkers();
    else if (this.#next === undefined && this.#restartTimer === undefined) this.start();
  }

  #fail(served: ServedFunction, why: string): void {
    if (this.#isRetired) return;
    const { functionName, plan } = served;
    const fault = `Cannot load function ${functionName}: ${plan?.file} ${why}`;
    if (served.fail(fault)) log.error("{fault}; its earlier version goes on", { fault });
    else log.error("{fault}", { fault });
    this.#changed();
  }

  #settle(generation: Generation | undefined, isTainted: boolean): void {
    if (this.#next === generation) this.#next = undefined;
    this.#deathsWhileLoading = 0;
    // A module that never finishes loading may burn a core.
    if (isTainted && !this.#isRetired) this.start();
    this.#changed();
  }

  #end(generation: Generation | undefined, reason: string): void {
    if (generation === undefined) return;
    const { loading, isRetiring } = generation;
    this.#generations.delete(generation);
    if (this.#next === generation) this.#next = undefined;
    if (!isRetiring) this.#noteDeath(reason, loading);
    this.#changed();
  }

  #noteDeath(reason: string, loading: readonly ServedFunction[]): void {
    log.error("A process of functions ended: {reason}", { reason });
    this.#events.onDeath();
    if (this.#isRetired) return;
    if (loading.length > 0) {
      this.#deathsWhileLoading++;
      if (this.#served.length > 1 && this.#deathsWhileLoading >= DEATHS_BEFORE_SPLIT) {
        this.#split(loading);
      } else if (this.#deathsWhileLoading >= DEATHS_BEFORE_BROKEN) {
        const times = this.#deathsWhileLoading;
        const [served] = loading;
        if (served) {
          this.#fail(served, `ended its process ${times} times while it loaded: ${reason}`);
        }
      }
    }
    const isMissed = this.#served.some((each) => each.isLoadable && !each.isServed);
    if (this.#next === undefined && isMissed) this.#restart();
  }

  #split(suspects: readonly ServedFunction[]): void {
    this.#served = this.#served.filter((each) => !suspects.includes(each));
    this.#deathsWhileLoading = 0;
    this.#events.onSplit(suspects);
  }

  #restart(): void {
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((at) => now - at < DEATHS_WINDOW_MS), now];
    const doublings = Math.min(this.#deaths.length - 2, 10);
    const delayMs = doublings < 0 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** doublings);
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => this.start(), delayMs);
  }

  #changed(): void {
    this.#events.onChange();
  }
}

function toHosted({ functionName, plan }: ServedFunction): HostedFunction {
  if (plan === undefined) throw new Error(`function ${functionName} has no plan`);
  const { config, permissions, moduleUrl } = plan;
  const { instances, maxResultBytes } = config;
  return { functionName, moduleUrl, permissions, instances, maxResultBytes };
}
