/**
 * @module
 * One host with the functions that it loads, from its start to its end. Which of them calls go to is
 * decided function by function: a generation serves those that loaded in it until a later one does.
 */
import { logger } from "../log.ts";
import { LineLimit } from "../limits/line_limit.ts";
import type { FromHost, HostedFunction } from "./messages.ts";
import { type HostCommand, HostProcess } from "./process.ts";
import { WorkerSlot } from "./queue.ts";
import type { ServedFunction } from "./served.ts";

/** Time for a module to load, its top-level `await` included. */
export const LOAD_TIMEOUT_MS = 10_000;

/** What a generation reports. */
export interface GenerationEvents {
  readonly onLoaded: (served: ServedFunction, slots: readonly WorkerSlot[]) => void;
  readonly onFailed: (served: ServedFunction, why: string) => void;
  /** Once, when each function has loaded or failed; `isTainted` when a module still loads. */
  readonly onSettled: (isTainted: boolean) => void;
  readonly onEnd: (reason: string) => void;
}

/** What a generation is made of. */
export interface GenerationParts {
  readonly served: readonly ServedFunction[];
  readonly hosted: readonly HostedFunction[];
  readonly command: HostCommand;
  readonly maxGrowthBytes: number;
}

const log = logger("functions");

/** A host and its functions. */
export class Generation {
  readonly #process: HostProcess;
  readonly #events: GenerationEvents;
  /** By worker number. */
  readonly #workers: { served: ServedFunction; slot: WorkerSlot }[] = [];
  /** Workers that have not loaded yet, by function. */
  readonly #loading = new Map<ServedFunction, number>();
  readonly #loadTimer: ReturnType<typeof setTimeout>;
  readonly #strays = new LineLimit({
    onLeftOut: (count) => log.warning("{count} more lines of output left out", { count }),
  });
  #isRetiring = false;

  /** @throws {Deno.errors} when the process cannot be started. */
  constructor(parts: GenerationParts, events: GenerationEvents) {
    const { served, hosted, command, maxGrowthBytes } = parts;
    this.#events = events;
    served.forEach((each, i) => {
      const instances = hosted[i]?.instances ?? 1;
      this.#loading.set(each, instances);
      for (let n = 0; n < instances; n++) {
        const slot = new WorkerSlot(this.#workers.length, (message) => this.#process.send(message));
        this.#workers.push({ served: each, slot });
      }
    });
    this.#process = new HostProcess(command, { functions: hosted, maxGrowthBytes }, {
      onMessage: (message) => this.#receive(message),
      onStray: (line, isError) => {
        if (!this.#strays.allows()) return;
        // What the platform writes when it ends is for its developers.
        log[isError ? "debug" : "info"]("{line}", { line: line.slice(0, 500) });
      },
      onEnd: (reason) => this.#end(reason),
    });
    this.#loadTimer = setTimeout(() => this.#giveUpLoading(), LOAD_TIMEOUT_MS);
  }

  /** Functions that have neither loaded nor failed. */
  get loading(): ServedFunction[] {
    return [...this.#loading.keys()];
  }

  /** Whether it was told to end. */
  get isRetiring(): boolean {
    return this.#isRetiring;
  }

  slotsOf(served: ServedFunction): WorkerSlot[] {
    return this.#workers.filter((each) => each.served === served).map(({ slot }) => slot);
  }

  /** Whether calls of a function go to workers of this host. */
  serves(served: ServedFunction): boolean {
    const [slot] = served.queue.slots;
    return slot !== undefined && this.#workers.some((each) => each.slot === slot);
  }

  /** Whether new calls go to no worker of this host, and none is waited for. */
  get isIdle(): boolean {
    return this.#workers.every(({ served, slot }) =>
      slot.awaited === 0 && !served.queue.slots.includes(slot)
    );
  }

  /** Ends the process. */
  retire(): void {
    this.#isRetiring = true;
    this.#process.kill("it is not needed any more");
  }

  #receive(message: FromHost): void {
    if (message[0] === "memory") {
      const megabytes = Math.round(message[1] / 1024 / 1024);
      this.#process.kill(`it had ${megabytes} MB, more than MaxHeap allows`);
      return;
    }
    const worker = this.#workers[message[1]];
    if (worker === undefined) return;
    const { served, slot } = worker;
    if (message[0] === "results") served.queue.receive(slot, message[2], message[3]);
    else if (message[0] === "loaded") this.#noteLoaded(served);
    else if (message[0] === "failed") this.#noteFailed(served, message[2]);
    else {
      const own = logger(`functions.${served.functionName}`);
      if (message[0] === "output") own[message[2]]("{text}", { text: message[3] });
      else own.warn("{count} more lines left out", { count: message[2] });
    }
  }

  #noteLoaded(served: ServedFunction): void {
    const missing = this.#loading.get(served);
    if (missing === undefined) return;
    this.#loading.set(served, missing - 1);
    if (missing > 1) return;
    this.#loading.delete(served);
    this.#events.onLoaded(served, this.slotsOf(served));
    this.#checkSettled(false);
  }

  #noteFailed(served: ServedFunction, why: string): void {
    if (!this.#loading.delete(served)) return;
    this.#events.onFailed(served, why);
    this.#checkSettled(false);
  }

  #giveUpLoading(): void {
    for (const served of this.loading) {
      this.#loading.delete(served);
      this.#events.onFailed(served, `does not finish loading in ${LOAD_TIMEOUT_MS / 1000} s`);
    }
    this.#checkSettled(true);
  }

  #checkSettled(isTainted: boolean): void {
    if (this.#loading.size > 0) return;
    clearTimeout(this.#loadTimer);
    this.#events.onSettled(isTainted);
  }

  #end(reason: string): void {
    clearTimeout(this.#loadTimer);
    this.#strays.flush();
    for (const served of new Set(this.#workers.map((each) => each.served))) {
      const slots = this.slotsOf(served);
      served.queue.failSlots(slots, `its process ended: ${reason}`);
      if (this.serves(served)) served.loseWorkers();
    }
    this.#events.onEnd(reason);
  }
}
