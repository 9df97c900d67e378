/**
 * @module
 * The function host: the process in which functions run, each in workers of its own. It passes messages
 * between the server and the workers, watches its memory and its CPU time, and ends when its standard
 * input ends, that is, with the server. It gives up every permission as soon as its workers have theirs.
 */
import process from "node:process";
import { PERMISSIONS } from "../../config/permissions.ts";
import { LineReader } from "../line_reader.ts";
import type { FromHost, HostedFunction, HostSetup, ToHost } from "../messages.ts";
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

/** Functions that are named as possible reasons. */
const MAX_NAMES = 10;

const encoder = new TextEncoder();

/**
 * Runs functions until the standard input ends.
 *
 * @returns the exit code: 2 when it was not started by a server.
 */
export async function runFunctionHost(): Promise<number> {
  const reader = new LineReader();
  let host: FunctionHost | undefined;
  for await (const bytes of Deno.stdin.readable) {
    for (const line of reader.read(bytes)) {
      if (host === undefined) {
        const setup = parseSetup(line);
        if (setup === undefined) return 2;
        host = new FunctionHost(setup);
      } else host.receive(JSON.parse(line));
    }
  }
  return host === undefined ? 2 : 0;
}

function parseSetup(line: string): HostSetup | undefined {
  try {
    const setup: HostSetup = JSON.parse(line);
    return typeof setup.token === "string" ? setup : undefined;
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

  constructor(setup: HostSetup) {
    this.#setup = setup;
    this.#watchMemory(Deno.memoryUsage().rss);
    setInterval(() => this.#checkCpu(), CPU_INTERVAL_MS);
  }

  receive(message: ToHost): void {
    if (message[0] === "load") return this.#load(message[1], message[2]);
    const [kind, number] = message;
    const worker = this.#workers.get(number);
    if (kind === "unload") return this.#unload(number);
    if (kind === "abort") return worker?.abort(message[2]);
    if (worker === undefined) return;
    this.#cpu.noteUse(worker.functionName);
    worker.call(message[2], message[3]);
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
    this.#cpu.noteUse(hosted.functionName);
    const worker = new HostedWorker(number, hosted, {
      tell: (message) => this.#tell(message),
      onStarted: () => {
        timer = setTimeout(letNextBegin, NEXT_LOAD_MS);
        // Workers have permissions of their own, which stay.
        if (--this.#unstartedCount === 0 && !this.#setup.isShared) this.#dropPermissions([]);
      },
      onSettled: letNextBegin,
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

  #checkCpu(): void {
    const isBusy = this.#loadingCount > 0 ||
      this.#workers.values().some(({ isCalled }) => isCalled);
    const burnedMs = this.#cpu.check(isBusy);
    if (burnedMs < this.#setup.maxIdleCpuMs) return;
    const all = this.#workers.values().map(({ functionName }) => functionName);
    const used = this.#cpu.usedFunctions;
    const names = [...new Set(used.length > 0 ? used : all)].slice(0, MAX_NAMES);
    this.#tell(["idle cpu", Math.round(burnedMs), names]);
    this.#cpu.reset();
  }

  #tell(message: FromHost): void {
    // The line end in front: a function may have written half a line to the same descriptor.
    const bytes = encoder.encode(`\n${this.#setup.token}${JSON.stringify(message)}\n`);
    for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
  }
}

/** CPU time that a process uses while no call runs in it. */
class CpuWatch {
  #last = process.cpuUsage();
  #wasBusy = true;
  #burnedMs = 0;
  readonly #used = new Set<string>();

  /** Functions that were loaded or called since the process was quiet. */
  get usedFunctions(): string[] {
    return [...this.#used];
  }

  noteUse(functionName: string): void {
    this.#wasBusy = true;
    this.#used.add(functionName);
  }

  /** Ends an interval. @returns the CPU time without calls since the process was last quiet */
  check(isBusy: boolean): number {
    const { user, system } = process.cpuUsage();
    const usedMs = (user + system - this.#last.user - this.#last.system) / 1000;
    this.#last = { user, system };
    const hadCalls = this.#wasBusy || isBusy;
    this.#wasBusy = isBusy;
    // An interval with calls says nothing about the time without.
    if (hadCalls) return this.#burnedMs;
    if (usedMs >= QUIET_CPU_SHARE * CPU_INTERVAL_MS) this.#burnedMs += usedMs;
    else this.reset();
    return this.#burnedMs;
  }

  reset(): void {
    this.#burnedMs = 0;
    this.#used.clear();
  }
}
