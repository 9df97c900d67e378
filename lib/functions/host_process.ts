/**
 * @module
 * The server's side of one function host, from its start to its end: which workers run in it, which
 * functions they load, and since when.
 */
import { logger } from "../log.ts";
import type { FunctionAbout } from "./about.ts";
import { WorkerSlot } from "./call_queue.ts";
import type { LoadedFunction, ServedFunction } from "./function.ts";
import { type HostCommand, HostPipe } from "./host_pipe.ts";
import {
  cutOutcome,
  type FromHost,
  type HostedFunction,
  type HostSetup,
  type LoadFailure,
  type WorkerMessage,
} from "./messages.ts";
import type { FunctionPlan } from "./plan.ts";

/** Why a function did not load. */
export interface LoadFault {
  readonly kind: LoadFailure | "timeout";
  /** Completes "modules/x.js …". */
  readonly why: string;
  /** From the beginning of the import. */
  readonly tookMs: number;
}

/** A function that a host loads. */
export interface Load {
  readonly served: ServedFunction;
  readonly plan: FunctionPlan;
}

/** What happens in hosts and with what they load; the supervisor listens. */
export interface HostEvents {
  /** Every worker of a function has loaded it. */
  loaded(host: HostProcess, load: Load, loaded: LoadedFunction): void;
  failed(host: HostProcess, load: Load, fault: LoadFault): void;
  /** The pause after a failed attempt to load a function is over. */
  retry(served: ServedFunction): void;
  /** It uses CPU although no call runs; these functions are the possible reasons. */
  burns(host: HostProcess, milliseconds: number, functionNames: readonly string[]): void;
  /**
   * Once, whatever the reason, after everything that it had written. Calls in it have failed by then.
   *
   * @param lost what was still to be loaded in it; `hasBegun` when its import had begun.
   */
  ended(host: HostProcess, reason: string, lost: readonly (Load & { hasBegun: boolean })[]): void;
}

/** What a host is started with. */
export interface HostParts extends HostTimes {
  readonly command: HostCommand;
  readonly setup: Omit<HostSetup, "token">;
  /** Category of log lines for what it writes beside its messages. */
  readonly category: string;
}

/** Time limits; each begins with what it limits. */
export interface HostTimes {
  /** For a module to load, its top-level `await` included. */
  readonly loadTimeoutMs: number;
  /** For a host to say anything, while it has something to load. */
  readonly silenceTimeoutMs: number;
}

interface LoadInProgress extends Load {
  readonly workers: readonly HostWorker[];
  missing: number;
}

interface HostWorker {
  readonly slot: WorkerSlot;
  readonly load: LoadInProgress;
  beganAtMs?: number;
  timer?: ReturnType<typeof setTimeout>;
}

/** A worker that runs what nobody waits for, for that long, will not end by itself. */
const STUCK_MS = 10_000;

/** A function host. */
export class HostProcess {
  readonly #events: HostEvents;
  readonly #pipe: HostPipe;
  readonly #times: HostTimes;
  /** By number. */
  readonly #workers = new Map<number, HostWorker>();
  readonly #loads = new Set<LoadInProgress>();
  #nextWorker = 0;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;
  #isRetiring = false;

  /** @throws {Deno.errors} when the process cannot be started. */
  constructor({ command, setup, category, ...times }: HostParts, events: HostEvents) {
    this.#events = events;
    this.#times = times;
    this.#pipe = new HostPipe(command, category);
    this.#pipe.send({ token: this.#pipe.token, ...setup } satisfies HostSetup);
    this.#live();
  }

  /** Whether it was told to end. */
  get isRetiring(): boolean {
    return this.#isRetiring;
  }

  /** Whether something has neither loaded nor failed in it. */
  get isLoading(): boolean {
    return this.#loads.size > 0;
  }

  /** Whether a worker of it gets calls, is waited for, or loads a version that is still wanted. */
  get isNeeded(): boolean {
    return this.#workers.values().some(isNeeded);
  }

  /** Whether it has workers that are not needed any more. */
  get hasLeftovers(): boolean {
    return this.#workers.values().some((worker) => !isNeeded(worker));
  }

  /** Loads a function, in a worker for each instance. */
  load(served: ServedFunction, plan: FunctionPlan): void {
    const first = this.#nextWorker;
    const hosted = toHosted(plan);
    const workers: HostWorker[] = [];
    const load: LoadInProgress = { served, plan, workers, missing: hosted.instances };
    for (let i = 0; i < hosted.instances; i++) {
      const number = this.#nextWorker++;
      const slot = new WorkerSlot(number, (message) => this.#pipe.send(message));
      const worker: HostWorker = { slot, load };
      workers.push(worker);
      this.#workers.set(number, worker);
    }
    this.#loads.add(load);
    this.#pipe.expectResults(hosted.maxResultBytes);
    this.#pipe.send(["load", first, hosted]);
    this.#expectWord();
  }

  /**
   * Ends workers that are not needed any more.
   *
   * @returns false when one does not come back: then the process must be replaced.
   */
  endLeftovers(nowMs: number): boolean {
    for (const [number, worker] of this.#workers) {
      if (isNeeded(worker)) continue;
      const { busySinceMs } = worker.slot;
      if (busySinceMs === undefined) this.#endWorker(number);
      else if (nowMs - busySinceMs > STUCK_MS) return false;
    }
    return true;
  }

  /** Ends the process, because it is not needed any more. */
  retire(): void {
    this.#isRetiring = true;
    this.#pipe.kill("it is not needed any more");
  }

  async #live(): Promise<void> {
    for await (const messages of this.#pipe.messages()) {
      for (const message of messages) this.#receive(message);
    }
    const reason = await this.#pipe.ended();
    clearTimeout(this.#silenceTimer);
    for (const { timer } of this.#workers.values()) clearTimeout(timer);
    const lost = [...this.#loads].map(({ served, plan, workers }) => ({
      served,
      plan,
      hasBegun: workers.some(({ beganAtMs }) => beganAtMs !== undefined),
    }));
    for (const { served, workers } of new Set(this.#workers.values().map(({ load }) => load))) {
      served.loseWorkers(workers.map(({ slot }) => slot), `its process ended: ${reason}`);
    }
    this.#events.ended(this, reason, lost);
  }

  #receive(message: FromHost): void {
    this.#expectWord();
    if (message[0] === "memory") {
      const megabytes = Math.round(message[1] / 1024 / 1024);
      this.#pipe.kill(`it had ${megabytes} MB, more than MaxHeap allows`);
      return;
    }
    if (message[0] === "idle cpu") {
      this.#events.burns(this, message[1], message[2]);
      return;
    }
    const worker = this.#workers.get(message[1]);
    // It may have been ended in the meantime.
    if (worker !== undefined) this.#receiveFrom(worker, message);
  }

  #receiveFrom(worker: HostWorker, message: WorkerMessage): void {
    const { load: { served, plan }, slot } = worker;
    switch (message[0]) {
      case "loading":
        this.#noteLoading(worker);
        break;
      case "loaded":
        this.#noteLoaded(worker, message[2]);
        break;
      case "failed":
        this.#noteFailed(worker, message[2], message[3]);
        break;
      case "results": {
        const { maxResultBytes } = plan.config;
        const outcomes = message[3].map((outcome) => cutOutcome(outcome, maxResultBytes));
        served.queue.receive(slot, message[2], outcomes);
        break;
      }
      case "output":
        logger(`functions.${served.functionName}`)[message[2]]("{text}", { text: message[3] });
        break;
      case "left out":
        logger(`functions.${served.functionName}`).warn("{count} more lines left out", {
          count: message[2],
        });
    }
  }

  #noteLoading(worker: HostWorker): void {
    worker.beganAtMs = performance.now();
    const { loadTimeoutMs } = this.#times;
    clearTimeout(worker.timer);
    worker.timer = setTimeout(
      () => this.#noteFailed(worker, "timeout", `does not load within ${loadTimeoutMs / 1000} s`),
      loadTimeoutMs,
    );
  }

  #noteLoaded({ load, timer }: HostWorker, about: FunctionAbout): void {
    clearTimeout(timer);
    if (!this.#loads.has(load) || --load.missing > 0) return;
    this.#loads.delete(load);
    this.#events.loaded(this, load, { slots: load.workers.map(({ slot }) => slot), about });
  }

  #noteFailed({ load, beganAtMs }: HostWorker, kind: LoadFault["kind"], why: string): void {
    if (!this.#loads.delete(load)) return;
    for (const [number, worker] of this.#workers) {
      if (worker.load === load) this.#endWorker(number);
    }
    const tookMs = beganAtMs === undefined ? 0 : performance.now() - beganAtMs;
    this.#events.failed(this, load, { kind, why, tookMs });
  }

  #endWorker(number: number): void {
    clearTimeout(this.#workers.get(number)?.timer);
    this.#workers.delete(number);
    this.#pipe.send(["unload", number]);
  }

  /** A process that says nothing while it has something to load has stopped, or never started. */
  #expectWord(): void {
    clearTimeout(this.#silenceTimer);
    if (this.#loads.size === 0) return;
    const { silenceTimeoutMs } = this.#times;
    const reason = `it said nothing for ${silenceTimeoutMs / 1000} s`;
    this.#silenceTimer = setTimeout(() => this.#pipe.kill(reason), silenceTimeoutMs);
  }
}

function isNeeded({ slot, load }: HostWorker): boolean {
  const { served, plan, missing } = load;
  return slot.awaited > 0 || served.queue.slots.includes(slot) ||
    missing > 0 && served.plan === plan;
}

function toHosted({ config, permissions, moduleUrl }: FunctionPlan): HostedFunction {
  const { functionName, instances, maxResultBytes } = config;
  return { functionName, moduleUrl, permissions, instances, maxResultBytes };
}
