/**
 * @module
 * The server's side of one function host, from its start to its end: which workers run in it, which
 * functions they load, and since when.
 */
import type { FunctionAbout } from "../wire/about.ts";
import type { LoadedFunction, ServedFunction } from "../function.ts";
import type { HostParts, HostTimes } from "./host_parts.ts";
import { HostPipe } from "./host_pipe.ts";
import {
  type HostWorker,
  isNeeded,
  type Load,
  type LoadFault,
  type LoadInProgress,
  toHosted,
  usedAtMs,
} from "./host_worker.ts";
import { IdleCpu } from "./idle_cpu.ts";
import { LifeSigns } from "./life_signs.ts";
import type { FromHost, WorkerMessage } from "../wire/messages.ts";
import { OutputLog } from "./output_log.ts";
import type { FunctionPlan } from "../plan/plan.ts";
import { WorkerSlot } from "../calls/worker_slot.ts";

/** What happens in hosts and with what they load; the supervisor listens. */
export interface HostEvents {
  /** Every worker of a function has loaded it. */
  loaded(host: HostProcess, load: Load, loaded: LoadedFunction): void;
  failed(host: HostProcess, load: Load, fault: LoadFault): void;
  /** The pause after a failed attempt to load a function is over. */
  retry(served: ServedFunction): void;
  /**
   * It does something although no call runs.
   *
   * @param what what it does: "it …"
   * @param functionNames the possible reasons
   */
  strays(host: HostProcess, what: string, functionNames: readonly string[]): void;
  /**
   * Once, whatever the reason, after everything that it had written. Calls in it have failed by then.
   *
   * @param lost what was still to be loaded in it; `hasBegun` when its import had begun.
   */
  ended(host: HostProcess, reason: string, lost: readonly (Load & { hasBegun: boolean })[]): void;
}

/** A worker that runs what nobody waits for, for that long, will not end by itself. */
const STUCK_MS = 10_000;

/** Functions that are named as possible reasons. */
const MAX_NAMES = 10;

/** A function host. */
export class HostProcess {
  readonly #events: HostEvents;
  readonly #pipe: HostPipe;
  readonly #times: HostTimes;
  readonly #checksGrants: boolean;
  /** By number. */
  readonly #workers = new Map<number, HostWorker>();
  readonly #loads = new Set<LoadInProgress>();
  #nextWorker = 0;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;
  #isRetiring = false;
  readonly #isLone: boolean;
  readonly #idleCpu: IdleCpu;
  /** Of a lone function's process. */
  readonly #lifeSigns: LifeSigns | undefined;

  /** @throws {Deno.errors} when the process cannot be started. */
  constructor(
    { command, setup, category, maxIdleCpuMs, checksGrants, ...times }: HostParts,
    events: HostEvents,
  ) {
    this.#events = events;
    this.#times = times;
    this.#checksGrants = checksGrants;
    this.#isLone = setup.isLone;
    this.#idleCpu = new IdleCpu(maxIdleCpuMs, performance.now());
    if (setup.isLone) {
      this.#lifeSigns = new LifeSigns(
        setup.lifeSignMs,
        (milliseconds) => this.#noteSilence(milliseconds),
      );
    }
    this.#pipe = new HostPipe(command, {
      setup,
      category,
      onMessage: (message) => this.#receive(message),
      onResults: (number, payload) => this.#receiveResults(number, payload),
    });
    this.#live();
  }

  /** Whether it can load one more function. */
  get hasRoom(): boolean {
    return !this.#isLone || this.#nextWorker === 0;
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
    const hosted = toHosted(plan, this.#checksGrants);
    const workers: HostWorker[] = [];
    const load: LoadInProgress = { served, plan, workers, missing: hosted.instances };
    for (let i = 0; i < hosted.instances; i++) {
      const number = this.#nextWorker++;
      const slot = new WorkerSlot(number, this.#pipe.input);
      const worker: HostWorker = { slot, load, output: new OutputLog(served.functionName) };
      workers.push(worker);
      this.#workers.set(number, worker);
    }
    this.#loads.add(load);
    this.#pipe.expectResults(hosted.maxResultBytes);
    this.#pipe.input.message(["load", first, hosted]);
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
    const reason = await this.#pipe.run();
    clearTimeout(this.#silenceTimer);
    this.#lifeSigns?.close();
    for (const { timer, output } of this.#workers.values()) {
      clearTimeout(timer);
      output.close();
    }
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
    this.#lifeSigns?.note();
    if (message[0] === "alive") return;
    if (message[0] === "memory") {
      const megabytes = Math.round(message[1] / 1024 / 1024);
      this.#pipe.kill(`it had ${megabytes} MB, more than MaxHeap allows`);
      return;
    }
    if (message[0] === "cpu") return this.#noteCpu(message[1]);
    const worker = this.#workers.get(message[1]);
    // It may have been ended in the meantime.
    if (worker !== undefined) this.#receiveFrom(worker, message);
  }

  #receiveFrom(worker: HostWorker, message: WorkerMessage): void {
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
      case "output":
        worker.output.line(message[2], message[3]);
        break;
      case "left out":
        worker.output.leftOut(message[2]);
    }
  }

  #receiveResults(number: number, payload: Uint8Array): boolean {
    const worker = this.#workers.get(number);
    return worker !== undefined && worker.load.served.queue.receive(worker.slot, payload);
  }

  #noteCpu(milliseconds: number): void {
    const workers = [...this.#workers.values()];
    const burnedMs = this.#idleCpu.note(milliseconds, {
      nowMs: performance.now(),
      isBusy: this.isLoading || workers.some(({ slot }) => slot.awaited > 0),
      usedAtMs: Math.max(...workers.map(usedAtMs)),
    });
    if (burnedMs === undefined) return;
    const seconds = Math.round(burnedMs / 1000);
    const { quietSinceMs } = this.#idleCpu;
    const used = workers.filter((worker) => usedAtMs(worker) >= quietSinceMs);
    this.#stray(`used ${seconds} s of CPU without a call`, used.length > 0 ? used : workers);
  }

  /** Computing for a call, or while it loads, it says nothing; both have time limits of their own. */
  #noteSilence(milliseconds: number): void {
    const workers = [...this.#workers.values()];
    if (this.isLoading || workers.some(({ slot }) => slot.awaited > 0)) {
      this.#lifeSigns?.note();
      return;
    }
    this.#stray(`did not answer for ${Math.round(milliseconds / 1000)} s without a call`, workers);
  }

  #stray(what: string, workers: readonly HostWorker[]): void {
    const names = workers.map(({ load }) => load.served.functionName);
    this.#events.strays(this, `it ${what}`, [...new Set(names)].slice(0, MAX_NAMES));
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
    this.#expectWord();
    this.#events.loaded(this, load, { slots: load.workers.map(({ slot }) => slot), about });
  }

  #noteFailed({ load, beganAtMs }: HostWorker, kind: LoadFault["kind"], why: string): void {
    if (!this.#loads.delete(load)) return;
    this.#expectWord();
    for (const [number, worker] of this.#workers) {
      if (worker.load === load) this.#endWorker(number);
    }
    const tookMs = beganAtMs === undefined ? 0 : performance.now() - beganAtMs;
    this.#events.failed(this, load, { kind, why, tookMs });
  }

  #endWorker(number: number): void {
    const worker = this.#workers.get(number);
    if (worker === undefined) return;
    clearTimeout(worker.timer);
    worker.output.close();
    worker.load.served.queue.failSlots([worker.slot], "its worker has ended");
    this.#workers.delete(number);
    // A lone worker ends with its process.
    if (!this.#isLone) this.#pipe.input.message(["unload", number]);
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
