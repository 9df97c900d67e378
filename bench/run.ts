/**
 * @module
 * One run of the benchmark: its parts in order, with what each of them prints.
 */
import { say } from "./tool.ts";
import { callRows, CONNECTIONS, describeProcesses, OURS, runCalls, runLadder } from "./calls.ts";
import { Course, type Effort } from "./course.ts";
import { ECHO } from "./plausible.ts";
import { runMicro } from "./micro.ts";
import { runRest, type Start } from "./rest.ts";
import type { Sample } from "./rounds.ts";
import { type Figure, makeRow, type Row, type Step } from "./rows.ts";
import { runManyClients, runUnknownSender } from "./senders.ts";
import { helperLine, serverLine } from "./subject.ts";
import { ladderTable, rowTable } from "./table.ts";
import { runV2 } from "./v2.ts";

/** The parts, in the order in which they run. */
export const PARTS = ["calls", "ladder", "senders", "v2", "rest", "micro"] as const;
/** One of {@link PARTS}. */
export type Part = typeof PARTS[number];

/** What to run. */
export interface Plan {
  readonly folder: string;
  readonly parts: readonly Part[];
  readonly effort: Effort;
  /** Executable for the part rest; without, it runs from the sources. */
  readonly binary: string | undefined;
  /** Another revision that is measured in the same rounds. */
  readonly revision: { readonly name: string; readonly line: readonly string[] } | undefined;
}

/** What the parts found. */
export interface Findings {
  /** Rows of the table in README. */
  readonly rows: Row[];
  /** More rows beside the echo. */
  readonly more: Row[];
  ladder: Step[];
  /** Faults of the measurement itself. */
  readonly faults: string[];
}

/** Runs the parts of a plan. */
export async function runPlan(plan: Plan): Promise<Findings> {
  const findings: Findings = { rows: [], more: [], ladder: [], faults: [] };
  for (const part of plan.parts) await RUN[part](plan, findings);
  return findings;
}

const RUN: Readonly<Record<Part, (plan: Plan, findings: Findings) => Promise<void>>> = {
  calls: runCallsPart,
  ladder: runLadderPart,
  senders: runSendersPart,
  v2: async ({ folder, effort }, { rows }) => {
    const found = await runV2(folder, serverLine(undefined), effort);
    rows.push(...found);
    show("protocol v2", found);
  },
  rest: runRestPart,
  micro: async ({ folder, effort }) => show("micro", await runMicro(folder, effort)),
};

async function runCallsPart(
  { folder, effort, revision }: Plan,
  { rows, more, faults }: Findings,
): Promise<void> {
  await using course = await Course.open(folder, effort);
  await course.add(ECHO, helperLine("steps.ts", ECHO), { isServer: false, answersOnce: false });
  await course.add(OURS, serverLine(undefined));
  if (revision !== undefined) await course.add(revision.name, revision.line);
  const names = [ECHO, OURS, ...revision === undefined ? [] : [revision.name]];
  const samples = await runCalls(course, names, effort);
  const found = callRows(samples, OURS, ECHO);
  rows.push(...found.main);
  more.push(...found.more);
  faults.push(...samples.faults);
  show("calls", [...found.main, ...found.more]);
  if (revision !== undefined) {
    const { main, more } = callRows(samples, OURS, revision.name);
    show(`calls beside ${revision.name}`, [...main, ...more]);
  }
  for (const connections of CONNECTIONS) {
    for (const name of names) {
      const processes = describeProcesses(samples.closed[connections][name] ?? []);
      say(`CPU time a request, ${name}, ${connections} connections: ${processes}`);
    }
  }
  for (const fault of samples.faults) say(fault);
}

async function runLadderPart({ folder, effort }: Plan, findings: Findings): Promise<void> {
  await using course = await Course.open(folder, effort);
  findings.ladder = await runLadder(course, serverLine(undefined), effort);
  say(`\nladder\n${ladderTable(findings.ladder)}`);
}

function unknownFigure(clients: number): Figure<Sample> {
  return {
    name: `an unknown sender, ${clients.toLocaleString("en")} clients, by key`,
    unit: "µs",
    of: ({ mainMicros }) => mainMicros / clients,
  };
}

async function runSendersPart(
  { folder, effort, revision }: Plan,
  { rows }: Findings,
): Promise<void> {
  const line = serverLine(undefined);
  const many = await runManyClients(folder, line, effort);
  const lines = { [OURS]: line, ...revision && { [revision.name]: revision.line } };
  const samples: Readonly<Record<string, readonly Sample[]>> = await runUnknownSender(
    folder,
    lines,
    effort,
  );
  const ours = samples[OURS] ?? [];
  const figure = unknownFigure(effort.clients);
  rows.push(many, makeRow(figure, ours));
  const beside = revision && { name: revision.name, taken: samples[revision.name] ?? [] };
  show("many registered clients", [many]);
  show("unknown senders", [makeRow(figure, ours, beside)]);
}

const REST: readonly Figure<Start>[] = [
  {
    name: "from the start to the first answered call",
    unit: "ms",
    of: ({ firstCallMs }) => firstCallMs,
  },
  {
    name: "memory at rest (PSS), main process",
    unit: "MB",
    of: ({ mainMegabytes }) => mainMegabytes,
  },
  {
    name: "memory at rest (PSS), function process",
    unit: "MB",
    of: ({ hostMegabytes }) => hostMegabytes,
  },
];

async function runRestPart(
  { folder, effort, binary, revision }: Plan,
  { rows }: Findings,
): Promise<void> {
  // Two revisions are held against each other from their sources: there is one executable at most.
  const line = serverLine(revision === undefined ? binary : undefined);
  const lines = { [OURS]: line, ...revision && { [revision.name]: revision.line } };
  const starts: Readonly<Record<string, readonly Start[]>> = await runRest(
    folder,
    lines,
    effort,
  );
  const ours = starts[OURS] ?? [];
  rows.push(...REST.map((figure) => makeRow(figure, ours)));
  const beside = revision && { name: revision.name, taken: starts[revision.name] ?? [] };
  const what = line.includes("run") ? "from the sources" : line[0];
  show(`rest, ${what}`, REST.map((figure) => makeRow(figure, ours, beside)));
}

function show(title: string, rows: readonly Row[]): void {
  say(`\n${title}\n${rowTable(rows)}`);
}
