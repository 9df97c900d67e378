/**
 * @module
 * `deno task soak`: mixed load on a real server while everything that it depends on fails in turn. At the
 * end everything must work again by itself, with steady memory. Bounded, on 127.0.0.1.
 */
import { join } from "node:path";
import { freePort } from "../tests/program.ts";
import {
  type Fault,
  FAULTS,
  type FaultTools,
  FULL_DISK,
  GOOD_MODULE,
  mountSmallDisk,
  newestFile,
  pause,
} from "./faults.ts";
import { childrenOf, openDescriptors, proportionalMegabytes } from "./processes.ts";
import { Load } from "./soak_load.ts";
import { makeStore } from "./store.ts";
import { serverLine, startSubject, type Subject, waitUntilServing } from "./subject.ts";
import { runTool, say, temporaryFolder, type Tool, type ToolArguments, ToolError } from "./tool.ts";

const TOOL = {
  name: "soak",
  about:
    `Calls functions without a pause while clients come and go, modules change and connections stall.
Meanwhile faults are injected, one after the other: signals, killed function processes, deleted files,
modules that fail, no file descriptors, a full disk (as root). After each of them everything must work
again by itself. Memory, descriptors and processes must be at the end what they were at first.`,
  options: {
    minutes: { value: "COUNT", meaning: "how long to go on", least: 1, fallback: 30 },
    binary: { value: "FILE", meaning: "an executable in place of the sources" },
  },
} satisfies Tool<string>;

/** Within this time after a fault everything must work again; pauses between attempts grow to 60 s. */
const RECOVERY_MS = 90_000;
/** Time for a server to settle before it is measured: processes that are replaced, connections that end. */
const SETTLE_MS = 3000;
/** What the least memory of a round may be above that of the first one, when the heap still grew. */
const GROWTH = 1.25, GROWTH_MB = 48;
/** Between two looks at memory. */
const LOOK_MS = 5000;
/** Descriptors above where they were: connections that are still closing. */
const MORE_DESCRIPTORS = 20;
/** A fault that lasts goes on for a minute of the half hour. */
const SHARE_OF_A_FAULT = 1 / 30;
/** One for the function with Process=own, one for the others. */
const PROCESSES = 2;
const MODULES = "[Modules]\ntime_test=f\nflaky=flaky\nalone=alone\n[alone]\nProcess=own\n";

/** What stays the same in a server that leaks nothing. */
interface Usage {
  readonly megabytes: number;
  readonly descriptors: number;
  readonly processes: number;
}

/**
 * The least memory that a process had in each round. What V8 has not collected yet comes and goes by 100
 * MB in a minute: a single look says little.
 */
class LeastMemory {
  readonly rounds: number[] = [];
  #least = Infinity;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(pid: number) {
    this.#timer = setInterval(() => void this.#look(pid), LOOK_MS);
  }

  endRound(): void {
    this.rounds.push(this.#least);
    this.#least = Infinity;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(pid: number): Promise<void> {
    const megabytes = await proportionalMegabytes(pid).catch(() => Infinity);
    this.#least = Math.min(this.#least, megabytes);
  }
}

/** A server under test, and what is known of it. */
interface Patient {
  readonly subject: Subject;
  readonly load: Load;
  readonly tools: FaultTools;
  readonly adminPort: number;
  readonly faults: readonly Fault[];
  /** Removes the file system of its own, if it has one. */
  readonly unmount: (() => void) | undefined;
  /** The program, for other commands. */
  readonly line: readonly string[];
}

async function usageOf({ subject: { pid } }: Patient): Promise<Usage> {
  const [megabytes, descriptors, children] = await Promise.all([
    proportionalMegabytes(pid),
    openDescriptors(pid),
    childrenOf(pid),
  ]);
  return { megabytes, descriptors, processes: children.length };
}

/** The usage once no function process has started or ended for a while. */
async function settledUsage(patient: Patient): Promise<Usage> {
  for (let before = "";;) {
    const now = (await childrenOf(patient.subject.pid)).join();
    if (now === before) return await usageOf(patient);
    before = now;
    await pause(SETTLE_MS);
  }
}

function describe({ megabytes, descriptors, processes }: Usage): string {
  return `${megabytes.toFixed(0)} MB, ${descriptors} descriptors, ${processes} function processes`;
}

/** @param rounds the least memory of each */
function compare(first: Usage, last: Usage, rounds: readonly number[]): string[] {
  const found: string[] = [];
  const [warm = Infinity] = rounds, end = rounds.at(-1) ?? 0;
  if (end > warm * GROWTH + GROWTH_MB) {
    found.push(`memory has grown: at least ${listMegabytes(rounds)} MB in the rounds`);
  }
  if (last.descriptors > first.descriptors + MORE_DESCRIPTORS) found.push("descriptors are left");
  if (last.processes !== PROCESSES) found.push(`there are not ${PROCESSES} function processes`);
  return found.map((each) => `${each}: ${describe(first)} at first, ${describe(last)} at the end`);
}

function listMegabytes(rounds: readonly number[]): string {
  return rounds.map((each) => each.toFixed(0)).join(", ");
}

/** Waits until everything works: calls, health, log, journal. @returns the milliseconds that it took. */
async function recover(patient: Patient): Promise<number> {
  const begin = Date.now();
  for (;;) {
    const missing = await whatIsMissing(patient, begin);
    if (missing === undefined) return Date.now() - begin;
    if (Date.now() > begin + RECOVERY_MS) throw new Error(missing);
    await pause(200);
  }
}

/** The first thing that does not work; files must have been written since `begin`. */
async function whatIsMissing(patient: Patient, begin: number): Promise<string | undefined> {
  const { load, tools: { home }, adminPort } = patient;
  try {
    for (const name of ["time_test", "flaky", "alone"]) await load.call(name);
    const health = await fetch(`http://127.0.0.1:${adminPort}/healthz`);
    await health.body?.cancel();
    if (health.status !== 200) return `/healthz says ${health.status}`;
    // A refusal is a line of the log; calls are not.
    await load.refuse("{}");
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  for (const pattern of [/^latest\.log$/, /journal/]) {
    const file = await newestFile(home, pattern);
    // Times of files are coarser than those of the clock.
    if (file === undefined || file.time < begin - 20) return `no file ${pattern} is written to`;
  }
  return undefined;
}

/** Injects the faults in turn, one a minute or as many as fit, until the time is over. @returns problems */
async function injectFaults(
  patient: Patient,
  { minutes, memory }: { readonly minutes: number; readonly memory: LeastMemory },
): Promise<string[]> {
  const { load, tools, faults } = patient;
  const end = Date.now() + minutes * 60_000;
  const rounds = Math.max(1, Math.floor(minutes / faults.length));
  const problems: string[] = [];
  const times = rounds * faults.length;
  for (let i = 0; i < times; i++) {
    const fault = faults[i % faults.length];
    if (fault === undefined) break;
    load.isCalm = false;
    await fault.inject(tools);
    const took = await recover(patient).catch((error) => {
      problems.push(`after ${fault.name}: ${error.message}`);
    });
    load.isCalm = true;
    say(`${fault.name}: ${took === undefined ? "no recovery" : `works again after ${took} ms`}`);
    await pause(Math.max(500, (end - Date.now()) / (times - i)));
    if (i % faults.length < faults.length - 1) continue;
    memory.endRound();
    say(`${describe(await usageOf(patient))}; at least ${listMegabytes(memory.rounds)} MB`);
  }
  return problems;
}

async function startPatient(
  home: string,
  { binary, minutes }: { readonly binary: string | undefined; readonly minutes: number },
): Promise<Patient> {
  const unmount = await mountSmallDisk(home, 64);
  if (unmount === undefined) say("a full disk: skipped, no file system can be mounted here");
  const adminPort = freePort();
  const config = `[Limits]\nFailuresPerMinute=1000000\n[Admin]\nListen=127.0.0.1:${adminPort}\n`;
  const store = await makeStore(home, { count: 100, senderCount: 20, config });
  await Deno.mkdir(join(home, "modules"));
  await Deno.writeTextFile(join(home, "config/modules.ini"), MODULES);
  for (const name of ["f", "flaky", "alone"]) {
    await Deno.writeTextFile(join(home, `modules/${name}.js`), GOOD_MODULE);
  }
  const line = serverLine(binary);
  const subject = await startSubject(line, home);
  await waitUntilServing(subject);
  const port = Number(new URL(subject.url).port);
  const lastsMs = minutes * 60_000 * SHARE_OF_A_FAULT;
  return {
    subject,
    load: new Load(subject.url, store),
    tools: { home, pid: subject.pid, port, lastsMs, markLog: subject.markLog },
    adminPort,
    faults: unmount === undefined ? FAULTS : [...FAULTS, FULL_DISK],
    unmount,
    line: line.slice(0, line.indexOf("serve")),
  };
}

/** The whole test. @returns what was wrong. */
async function examine(patient: Patient, minutes: number): Promise<string[]> {
  const { load, tools, line } = patient;
  await recover(patient);
  const stop = load.start(tools.home, line);
  const first = await settledUsage(patient);
  say(`at first: ${describe(first)}`);
  const memory = new LeastMemory(patient.subject.pid);
  const problems = await injectFaults(patient, { minutes, memory })
    .finally(() => memory.close());
  await stop();
  await recover(patient).catch((error) => problems.push(`at the end: ${error.message}`));
  const last = await settledUsage(patient);
  say(`at the end: ${describe(last)}; ${JSON.stringify(load.counts)}`);
  return [...problems, ...load.problems(), ...compare(first, last, memory.rounds)];
}

async function soak(
  { values, number }: ToolArguments<keyof typeof TOOL["options"]>,
): Promise<void> {
  await using folder = await temporaryFolder();
  const minutes = number("minutes");
  const home = join(folder.path, "server");
  const patient = await startPatient(home, { binary: values.binary, minutes });
  const problems: string[] = [];
  try {
    problems.push(...await examine(patient, minutes));
  } finally {
    await patient.subject.stop();
    patient.unmount?.();
  }
  for (const problem of problems) say(`FAILED ${problem}`);
  if (problems.length > 0) throw new ToolError(`${problems.length} problems`);
  say("ok");
}

await runTool(TOOL, soak);
