/**
 * @module
 * `deno task bench`: everything in one run; writes bench/results.json, and from it the performance
 * section of README and the plot. Options: `--rounds=5`, `--seconds=2`, `--binary=dist/msp`,
 * `--only=throughput,functions,strangers,sizes,micro,stretch` (prints only, writes nothing).
 */
import { runFunctions } from "./functions.ts";
import { runLongestStretch, runMicro } from "./micro.ts";
import { type Results, writeReport } from "./report.ts";
import { runSizes } from "./sizes.ts";
import { runStrangers } from "./strangers.ts";
import { runThroughput } from "./throughput.ts";

const given = new Map(Deno.args.map((word): [string, string] => {
  const [name = "", value = ""] = word.replace(/^--/, "").split("=");
  return [name, value];
}));
const rounds = Number(given.get("rounds") ?? 5);
const seconds = Number(given.get("seconds") ?? 2);
const binary = given.get("binary");
const only = given.get("only")?.split(",");
const folder = await Deno.makeTempDir({ prefix: "msp-bench-" });
// This process stays off the server's core.
await new Deno.Command("taskset", { args: ["-apc", "1", String(Deno.pid)], stdout: "null" })
  .output();

/** Runs a part if it is wanted, and prints what it found. */
async function part<T>(name: string, run: () => Promise<T>): Promise<T | undefined> {
  if (only !== undefined && !only.includes(name)) return undefined;
  const result = await run();
  // deno-lint-ignore no-console -- the result
  console.log(name, result);
  return result;
}

try {
  const throughput = await part(
    "throughput",
    () => runThroughput({ folder, rounds, seconds, binary }),
  );
  const functions = await part("functions", () => runFunctions({ folder, rounds, binary }));
  const strangers = await part("strangers", () => runStrangers({ folder, rounds, binary }));
  const sizes = await part(
    "sizes",
    () => runSizes({ folder, rounds: Math.min(rounds, 3), binary }),
  );
  const micro = await part("micro", runMicro);
  const longestStretchMs = await part("stretch", runLongestStretch);
  if (longestStretchMs && throughput && functions && strangers && sizes && micro) {
    const results: Results = {
      date: new Date().toISOString().slice(0, 10),
      machine: await describeMachine(),
      deno: binary === undefined ? Deno.version.deno : binary,
      rounds,
      throughput,
      functions,
      strangers,
      sizes,
      micro,
      longestStretchMs,
    };
    await writeReport(results);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function describeMachine(): Promise<string> {
  const { stdout } = await new Deno.Command("lscpu").output();
  const model = /Model name:\s*(.+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "unknown";
  return `${navigator.hardwareConcurrency} cores, ${model}`;
}
