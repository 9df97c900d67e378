/**
 * @module
 * The results of a whole run: bench/results.json, the performance section of README, and the picture.
 */
import { repositoryPath } from "../tasks/root.ts";
import { faultsOfLadder, faultsOfRow } from "./plausible.ts";
import { plotLadder } from "./plot.ts";
import type { Row, Step } from "./rows.ts";
import { rowTable } from "./table.ts";

/** Everything that a whole run measured. */
export interface Results {
  readonly date: string;
  readonly machine: string;
  /** Deno version that ran the server and the echo. */
  readonly deno: string;
  /** First line of the executable's `--version`, whose start and memory were measured. */
  readonly executable: string;
  readonly rounds: number;
  /** Rows of the table in README. */
  readonly rows: readonly Row[];
  /** More rows beside the echo: throughput and latency, which vary more. */
  readonly more: readonly Row[];
  readonly ladder: readonly Step[];
  /** Faults of the measurement itself. */
  readonly faults: readonly string[];
}

const BEGIN = "<!-- performance: written by deno task bench -->";
const END = "<!-- end of performance -->";
const PLOT = "docs/cpu_time_of_a_call.svg";

/** Why results cannot be published; empty when they can. */
export function faultsOf({ rows, ladder, faults }: Results): string[] {
  return [...faults, ...rows.flatMap(faultsOfRow), ...faultsOfLadder(ladder)];
}

/** Writes the three files, formatted as the gate wants them. */
export async function writeReport(results: Results): Promise<void> {
  const readme = repositoryPath("README.md"), plot = repositoryPath(PLOT);
  const raw = repositoryPath("bench/results.json");
  // README first: when it has no section, nothing is written.
  await Deno.writeTextFile(readme, withSection(await Deno.readTextFile(readme), results));
  await Deno.writeTextFile(plot, plotLadder(results.ladder));
  await Deno.writeTextFile(raw, `${JSON.stringify(results, null, 2)}\n`);
  const command = new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", readme, plot, raw] });
  const { success } = await command.output();
  if (!success) throw new Error("deno fmt failed on what was written");
}

/**
 * README with the section for some results in place of the one that it has.
 *
 * @throws {Error} when README has no such section.
 */
export function withSection(readme: string, results: Results): string {
  const begin = readme.indexOf(BEGIN), end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("README.md has no performance section");
  return `${readme.slice(0, begin)}${BEGIN}\n\n${section(results)}\n${readme.slice(end)}`;
}

function section({ date, machine, deno, executable, rounds, rows }: Results): string {
  return [
    `\`deno task bench\` on ${date}: ${machine}, Deno ${deno}. Start and memory: ${executable}.`,
    `Medians of ${rounds} rounds. *Echo* is a plain \`Deno.serve\` that parses and returns the same JSON body.`,
    "The ratio is taken round by round. *Spread* is the width of its middle half. p99 is that of a quarter of",
    "a second, the median of all quarters.",
    "",
    rowTable(rows),
    "",
    `![CPU time of a call by step](${PLOT})`,
    "",
  ].join("\n");
}
