/**
 * @module
 * The main thread of a host whose functions run in workers: passes messages and calls between them and
 * the server. It gives up every permission as soon as its workers have theirs.
 */
import { keepOnly } from "../../config/permissions.ts";
import { FRAME } from "../wire/frames.ts";
import type { HostedFunction, HostSetup, ToHost } from "../wire/messages.ts";
import { HostedWorker } from "./hosted_worker.ts";
import { type Frame, jsonOf } from "./pipes.ts";
import { type Tell, watchCpu, watchMemory } from "./self_watch.ts";

/** A function can fill some 100 MB in that time. */
const MEMORY_INTERVAL_MS = 100;
/** What a worker takes before its module is loaded, at most. */
const WORKER_BYTES = 16 * 1024 * 1024;
/** Workers that load at the same time: more would only wait for a core. */
const MAX_LOADING = Math.max(2, navigator.hardwareConcurrency);
/** A module that awaits something for longer than this lets the next one begin. */
const NEXT_LOAD_MS = 250;

/** The workers of a host. */
export class WorkerHost {
  readonly #setup: HostSetup;
  readonly #tell: Tell;
  readonly #workers = new Map<number, HostedWorker>();
  /** Workers to be started. */
  readonly #waiting: { readonly number: number; readonly hosted: HostedFunction }[] = [];
  /** Workers that load, and count as ones that use a core. */
  #loadingCount = 0;
  #unstartedCount = 0;
  #hasDropped = false;

  constructor(setup: HostSetup, tell: Tell) {
    this.#setup = setup;
    this.#tell = tell;
    const mostBytes = Deno.memoryUsage().rss + setup.maxGrowthBytes;
    watchMemory({
      everyMs: MEMORY_INTERVAL_MS,
      mostBytes: () => mostBytes + WORKER_BYTES * this.#workers.size,
    }, tell);
    watchCpu(tell);
  }

  /** Takes a frame of the server. */
  receive(frame: Frame): void {
    const { kind, worker, payload } = frame;
    if (kind !== FRAME.message) return this.#workers.get(worker)?.pass(kind, payload);
    const message = jsonOf<ToHost>(frame);
    if (message[0] === "load") this.#load(message[1], message[2]);
    else this.#unload(message[1]);
  }

  #load(first: number, hosted: HostedFunction): void {
    // Workers that start later get these.
    if (this.#setup.isShared) this.#dropPermissions({ read: hosted.permissions.read });
    for (let i = 0; i < hosted.instances; i++) this.#waiting.push({ number: first + i, hosted });
    this.#unstartedCount += hosted.instances;
    this.#startNext();
  }

  #unload(number: number): void {
    const index = this.#waiting.findIndex((each) => each.number === number);
    if (index >= 0) this.#waiting.splice(index, 1);
    this.#workers.get(number)?.end();
    this.#workers.delete(number);
  }

  #startNext(): void {
    while (this.#loadingCount < MAX_LOADING) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#start(next.number, next.hosted);
    }
  }

  #start(number: number, hosted: HostedFunction): void {
    let isCounted = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const letNextBegin = (): void => {
      clearTimeout(timer);
      if (!isCounted) return;
      isCounted = false;
      this.#loadingCount--;
      this.#startNext();
    };
    this.#loadingCount++;
    const worker = new HostedWorker(number, hosted, {
      markHex: this.#setup.markHex,
      tell: this.#tell,
      onStarted: () => {
        timer = setTimeout(letNextBegin, NEXT_LOAD_MS);
        // Workers have permissions of their own, which stay.
        if (--this.#unstartedCount === 0 && !this.#setup.isShared) this.#dropPermissions({});
      },
      onSettled: letNextBegin,
    });
    this.#workers.set(number, worker);
  }

  #dropPermissions(kept: Parameters<typeof keepOnly>[0]): void {
    if (this.#hasDropped) return;
    this.#hasDropped = true;
    keepOnly(kept);
  }
}
