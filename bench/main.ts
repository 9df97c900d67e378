/**
 * @module
 * `deno task bench`: measures everything in one run and writes the performance section of README.
 */
import { repositoryPath } from "../tasks/root.ts";
import { join } from "node:path";
import type { Effort } from "./course.ts";
import { requirePrograms } from "./load.ts";
import { MOST_SPREAD, percent } from "./plausible.ts";
import { faultsOf, type Results, writeReport } from "./report.ts";
import { checkOut } from "./revision.ts";
import { type Part, PARTS, runPlan } from "./run.ts";
import { runTool, say, temporaryFolder, type Tool, type ToolArguments, ToolError } from "./tool.ts";

const TOOL = {
  name: "bench",
  about: `Measures the server beside a plain echo of the same requests, round by round:
  calls    CPU time of a call by process, latency, throughput
  ladder   where the CPU time of a call goes, step by step
  senders  many registered clients, unknown senders
  v2       calls with a ticket, hellos
  rest     memory of an idle server, time to the first answered call
  micro    pieces of a call without HTTP
A whole run writes the performance section of README.md. It does not when a spread is above
${
    percent(MOST_SPREAD)
  } or a figure is implausible. It needs wrk, cc and an otherwise idle machine.`,
  options: {
    compare: { value: "REV", meaning: "measure another git revision in the same rounds" },
    only: { value: "PARTS", meaning: `run some parts, such as ${PARTS.slice(0, 2).join(",")}` },
    binary: { value: "FILE", meaning: "executable for the part rest (dist/msp)" },
    rounds: { value: "COUNT", meaning: "rounds of each part", least: 1, fallback: 7 },
    seconds: { value: "COUNT", meaning: "turns of a second in each round", least: 1, fallback: 3 },
    quick: { meaning: "only check that everything runs, with one short round" },
  },
} satisfies Tool<string>;
type Arguments = ToolArguments<keyof typeof TOOL["options"]>;

/** The executable of the part rest, if there is one. */
async function findBinary(given: string | undefined): Promise<string | undefined> {
  const path = given ?? repositoryPath("dist/msp");
  const info = await Deno.stat(path).catch(() => undefined);
  if (info?.isFile === true) return await Deno.realPath(path);
  if (given === undefined) return undefined;
  throw new ToolError(`--binary ${given}: not a file`, { exitStatus: 2 });
}

function chosenParts(only: string | undefined): readonly Part[] {
  if (only === undefined) return PARTS;
  return only.split(",").map((name) => {
    const part = PARTS.find((each) => each === name);
    if (part !== undefined) return part;
    throw new ToolError(`--only ${name}: expected some of ${PARTS.join(",")}`, { exitStatus: 2 });
  });
}

async function describeMachine(): Promise<string> {
  const { stdout } = await new Deno.Command("lscpu", { env: { LC_ALL: "C" } }).output();
  const model = /^Model name:\s*(.+)/m.exec(new TextDecoder().decode(stdout))?.[1] ?? "unknown";
  return `${navigator.hardwareConcurrency} cores, ${model}`;
}

async function versionOf(binary: string): Promise<string> {
  const { stdout } = await new Deno.Command(binary, { args: ["--version"] }).output();
  return new TextDecoder().decode(stdout).trim();
}

async function run({ values, number }: Arguments): Promise<void> {
  requirePrograms();
  const isQuick = values.quick !== undefined;
  const effort: Effort = isQuick
    ? { rounds: 1, seconds: 1, clients: 500, isBrief: true }
    : { rounds: number("rounds"), seconds: number("seconds"), clients: 10_000, isBrief: false };
  const parts = chosenParts(values.only);
  const binary = await findBinary(values.binary);
  const isWhole = !isQuick && values.only === undefined && values.compare === undefined;
  if (isWhole && binary === undefined) {
    const hint = "deno task compile makes dist/msp; --binary names another executable";
    throw new ToolError("no executable to measure", { hint });
  }
  await using folder = await temporaryFolder();
  const revision = values.compare === undefined
    ? undefined
    : await checkOut(values.compare, join(folder.path, "revision"));
  const findings = await runPlan({ folder: folder.path, parts, effort, binary, revision });
  if (!isWhole || binary === undefined) return;
  await publish({
    ...findings,
    date: new Date().toISOString().slice(0, 10),
    machine: await describeMachine(),
    deno: Deno.version.deno,
    executable: await versionOf(binary),
    rounds: effort.rounds,
  });
}

async function publish(results: Results): Promise<void> {
  const faults = faultsOf(results);
  if (faults.length > 0) {
    const hint = "run it on an idle machine, with more --rounds and --seconds";
    throw new ToolError(`README.md was not changed:\n  ${faults.join("\n  ")}`, { hint });
  }
  await writeReport(results);
  say("\nWrote README.md, bench/results.json and the plot.");
}

await runTool(TOOL, run);
