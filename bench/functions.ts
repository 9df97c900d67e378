/**
 * @module
 * Calls of a function without HTTP: from `functions.call` to the host, to the worker, and back.
 */
import { join } from "node:path";
import { rememberPermissions } from "../lib/config/permissions.ts";
import { settingsFrom } from "../lib/config/settings.ts";
import { FunctionService } from "../lib/functions/service.ts";
import { median } from "./statistics.ts";
import { type BenchStore, makeStore, sealRequests } from "./store.ts";
import { serverLine, startSubject, type Subject } from "./subject.ts";

/** What a call costs. */
export interface FunctionFigures {
  /** With 64 calls at any time. */
  readonly callsPerSecond: number;
  /** One after the other. */
  readonly aloneMicroseconds: number;
  /** From the ready line until the functions can be called. */
  readonly loadMs: number;
  /** Of calls one after the other over HTTP. */
  readonly p99Ms: number;
  /** The same, while another function is in an endless loop. */
  readonly p99BesideLoopMs: number;
  /** The same, while any other program takes a core. */
  readonly p99BesideProgramMs: number;
}

interface FunctionOptions {
  readonly folder: string;
  readonly rounds: number;
  readonly binary: string | undefined;
}

/** Measures. */
export async function runFunctions(options: FunctionOptions): Promise<FunctionFigures> {
  const inner = join(options.folder, "functions");
  await Deno.mkdir(inner);
  return { ...await runCalls(inner), ...await runBesideLoop(options) };
}

/** Calls one after the other over HTTP, alone and beside a function that never returns, on whatever cores there are. */
async function runBesideLoop(
  { folder, rounds, binary }: FunctionOptions,
): Promise<Omit<FunctionFigures, "callsPerSecond" | "aloneMicroseconds">> {
  const home = join(folder, "beside a loop");
  const store = await makeStore(home, { count: 1, senderCount: 1, config: "" });
  await Deno.mkdir(join(home, "modules"));
  await Deno.writeTextFile(
    join(home, "modules/stuck.js"),
    "export const entry_call = () => { for (;;); };",
  );
  const ini = "[Modules]\ntime_test=simple_time\nstuck=stuck\n[stuck]\nTimeout=2\n";
  await Deno.writeTextFile(join(home, "config/modules.ini"), ini);
  const loadMs: number[] = [], quiet: number[] = [], loop: number[] = [], program: number[] = [];
  await useCores("0-1");
  for (let round = 0; round < rounds; round++) {
    const subject = await startSubject(serverLine(binary), home, { isFree: true });
    try {
      const ready = performance.now();
      await subject.waitForLog(/INFO functions: Functions: /);
      loadMs.push(performance.now() - ready);
      await sequentialP99(subject, store);
      quiet.push(await sequentialP99(subject, store));
      const [stuck = ""] = sealRequests(store, store.senders, 1, "stuck");
      const running = post(subject, stuck);
      loop.push(await sequentialP99(subject, store));
      await running;
      // The process with the loop is gone when the next one is asked.
      await post(subject, sealRequests(store, store.senders, 1)[0] ?? "");
      const args = ["2", "sh", "-c", "while :; do :; done"];
      const busy = new Deno.Command("timeout", { args }).spawn();
      program.push(await sequentialP99(subject, store));
      await busy.status;
    } finally {
      await subject.stop();
    }
  }
  await useCores("1");
  return {
    loadMs: median(loadMs),
    p99Ms: median(quiet),
    p99BesideLoopMs: median(loop),
    p99BesideProgramMs: median(program),
  };
}

/** Milliseconds, of calls one after the other; it takes 1.5 s. */
async function sequentialP99(subject: Subject, store: BenchStore): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + 1500;
  for (const body of sealRequests(store, store.senders, 4000)) {
    const start = performance.now();
    if (start > end) break;
    await post(subject, body);
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? NaN;
}

/** Lets this process use some cores only. */
async function useCores(cores: string): Promise<void> {
  const args = ["-apc", cores, String(Deno.pid)];
  await new Deno.Command("taskset", { args, stdout: "null" }).output();
}

async function post({ url }: Subject, body: string): Promise<void> {
  const headers = { "content-type": "application/json" };
  await (await fetch(url, { method: "POST", body, headers })).text();
}

/** Calls without HTTP of a function that returns a constant. */
async function runCalls(
  folder: string,
): Promise<Pick<FunctionFigures, "callsPerSecond" | "aloneMicroseconds">> {
  const modules = join(folder, "modules"), modulesConfig = join(folder, "modules.ini");
  await Deno.mkdir(modules);
  await Deno.writeTextFile(join(modules, "constant.js"), "export const entry_call = () => 'text';");
  await Deno.writeTextFile(modulesConfig, "[Modules]\nconstant=constant\n");
  const { settings } = settingsFrom({ options: [], faults: [] }, "defaults");
  const service = new FunctionService({
    config: join(folder, "config.ini"),
    modulesConfig,
    modules,
    settings,
    isHeld: rememberPermissions(),
  });
  const { functions } = service;
  try {
    await service.load();
    await functions.whenSettled();
    await callMany(functions, 1000, 64);
    const alone = await callMany(functions, 2000, 1);
    const together = await callMany(functions, 200_000, 64);
    return { callsPerSecond: 1000 / together, aloneMicroseconds: alone * 1000 };
  } finally {
    functions.close();
  }
}

/** Milliseconds a call. */
async function callMany(
  functions: FunctionService["functions"],
  count: number,
  atOnce: number,
): Promise<number> {
  let left = count;
  const start = performance.now();
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (left-- > 0) {
      const result = await functions.call("constant");
      if (!result.ok) throw new Error(`${result.code}: ${result.detail}`);
    }
  }));
  return (performance.now() - start) / count;
}
