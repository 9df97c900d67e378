/**
 * @module
 * The function host: the process in which functions run, each in workers of its own. It passes messages
 * and calls between the server and the workers, watches its memory and its CPU time, and ends when its
 * standard input ends, that is, with the server. A worker that is alone takes its calls from the pipes
 * itself. The host gives up every permission as soon as its workers have theirs.
 */
import process from "node:process";
import { PERMISSIONS } from "../../config/permissions.ts";
import { FRAME } from "../frames.ts";
import type { FromHost, HostedFunction, HostSetup, ToHost } from "../messages.ts";
import { type Frame, FrameInput, jsonOf, writeAll } from "./pipes.ts";
import { HostedWorker } from "./hosted_worker.ts";

/** How often the host checks its memory; a function can fill some 100 MB in that time. */
const MEMORY_INTERVAL_MS = 100;
const CPU_INTERVAL_MS = 1000;
/** Share of a core below which a host counts as quiet. */
const QUIET_CPU_SHARE = 0.1;
/** What a worker takes before its module is loaded, at most. */
const WORKER_BYTES = 16 * 1024 * 1024;
/** Workers that load at the same time: more would only wait for a core. */
const MAX_LOADING = Math.max(2, navigator.hardwareConcurrency);
/** A module that awaits something for longer than this lets the next one begin. */
const NEXT_LOAD_MS = 250;

const encoder = new TextEncoder();

/**
 * Runs functions until the standard input ends.
 *
 * @returns the exit code: 2 when it was not started by a server.
 */
export async function runFunctionHost(): Promise<number> {
  const input = new FrameInput(Deno.stdin);
  const setup = parseSetup(input.readNow());
  if (setup === undefined) return 2;
  const host = new FunctionHost(setup);
  if (!setup.isLone) {
    await input.run((frame) => host.receive(frame));
    return 0;
  }
  const first = input.readNow();
  if (first !== undefined) host.receive(first);
  await host.isOver;
  return 0;
}

function parseSetup(frame: Frame | undefined): HostSetup | undefined {
  try {
    const setup = frame && jsonOf<HostSetup>(frame);
    return typeof setup?.token === "string" ? setup : undefined;
  } catch {
    return undefined;
  }
}

/** The workers of a host. */
class FunctionHost {
  readonly #setup: HostSetup;
  readonly #workers = new Map<number, HostedWorker>();
  /** Workers to be started. */
  readonly #waiting: { readonly number: number; readonly hosted: HostedFunction }[] = [];
  /** Workers that load, and count as ones that use a core. */
  #loadingCount = 0;
  #unstartedCount = 0;
  #hasDropped = false;
  readonly #cpu = new CpuWatch();
  readonly #over = Promise.withResolvers<void>();

  constructor(setup: HostSetup) {
    this.#setup = setup;
    this.#watchMemory(Deno.memoryUsage().rss);
    const { ppid } = Deno;
    setInterval(() => {
      this.#reportCpu();
      // The worker reads the pipe that ends with the server, and may be busy for ever.
      if (Deno.ppid !== ppid) this.#over.resolve();
    }, CPU_INTERVAL_MS);
  }

  /** Resolves when the server has ended. */
  get isOver(): Promise<void> {
    return this.#over.promise;
  }

  receive(frame: Frame): void {
    const { kind, worker, payload } = frame;
    if (kind !== FRAME.message) return this.#workers.get(worker)?.pass(kind, payload);
    const message = jsonOf<ToHost>(frame);
    if (message[0] === "load") this.#load(message[1], message[2]);
    else this.#unload(message[1]);
  }

  #load(first: number, hosted: HostedFunction): void {
    if (this.#setup.isShared) this.#dropPermissions(hosted.permissions.read);
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
      setup: this.#setup,
      tell: (message) => this.#tell(message),
      onStarted: () => {
        timer = setTimeout(letNextBegin, NEXT_LOAD_MS);
        // Workers have permissions of their own, which stay.
        if (--this.#unstartedCount === 0 && !this.#setup.isShared) this.#dropPermissions([]);
      },
      onSettled: letNextBegin,
      onOver: () => this.#over.resolve(),
    });
    this.#workers.set(number, worker);
  }

  /** Gives up every permission but reading these paths, which workers that start later get. */
  #dropPermissions(read: readonly string[] | true): void {
    if (this.#hasDropped) return;
    this.#hasDropped = true;
    for (const { name, program } of PERMISSIONS) {
      if (name !== "read" || read === true || read.length === 0) {
        Deno.permissions.revokeSync({ name });
        continue;
      }
      for (const path of read) Deno.permissions.requestSync({ name, path });
      for (const path of Array.isArray(program) ? program : []) {
        if (!read.includes(path)) Deno.permissions.revokeSync({ name, path });
      }
    }
  }

  #watchMemory(startBytes: number): void {
    const timer = setInterval(() => {
      const { rss } = Deno.memoryUsage();
      const workerBytes = WORKER_BYTES * this.#workers.size;
      if (rss <= startBytes + workerBytes + this.#setup.maxGrowthBytes) return;
      clearInterval(timer);
      // The server ends this process.
      this.#tell(["memory", rss]);
    }, MEMORY_INTERVAL_MS);
  }

  /** The server knows whether that was for calls. */
  #reportCpu(): void {
    const usedMs = this.#cpu.take();
    if (usedMs >= QUIET_CPU_SHARE * CPU_INTERVAL_MS) this.#tell(["cpu", Math.round(usedMs)]);
  }

  #tell(message: FromHost): void {
    // The line end in front: somebody may have written half a line to the same descriptor.
    writeAll(Deno.stderr, encoder.encode(`\n${this.#setup.token}${JSON.stringify(message)}\n`));
  }
}

/** CPU time of this process. */
class CpuWatch {
  #last = process.cpuUsage();

  /** Milliseconds since the last time. */
  take(): number {
    const { user, system } = process.cpuUsage();
    const usedMs = (user + system - this.#last.user - this.#last.system) / 1000;
    this.#last = { user, system };
    return usedMs;
  }
}
