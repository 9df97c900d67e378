/**
 * @module
 * The calls part: what a call of a constant function costs beside the echo of the same body, at several
 * numbers of connections, at a constant rate, and step by step.
 */
import type { Course, Effort } from "./course.ts";
import { ECHO, percent } from "./plausible.ts";
import { type Figure, makeRow, type Row, type Step } from "./rows.ts";
import type { Sample, Samples } from "./rounds.ts";
import { estimate, median, pairedRatio } from "./statistics.ts";
import { helperLine } from "./subject.ts";

/** Name of the server of these sources among the programs. */
export const OURS = "server";
/** Connections of the figures that are published. */
export const CONNECTIONS = [32, 128, 1] as const;
/** Share of the highest throughput at which the latency under load is measured. */
const RATED_SHARE = 0.7;
/** The slowest of a hundred answers are few: a turn is longer where their latency is measured. */
const RATED_SECONDS = 4;
/** The generator may miss its rate by this share. */
const MOST_LATE = 0.02;

/** Everything that was measured of calls. */
export interface CallSamples {
  /** As fast as the answers come, by connections. */
  readonly closed: Readonly<Record<typeof CONNECTIONS[number], Samples<string>>>;
  /** 32 connections, at a constant rate. */
  readonly rated: Samples<string>;
  /** What should keep the figures from being published. */
  readonly faults: readonly string[];
}

/** Measures calls of some programs in turn. */
export async function runCalls(
  course: Course,
  names: readonly string[],
  { rounds, seconds, isBrief }: Effort,
): Promise<CallSamples> {
  const close = (connections: number): Promise<Samples<string>> =>
    course.run(names, rounds, { connections, turns: seconds });
  const first = await close(32);
  const closed = isBrief
    ? { 32: first, 128: first, 1: first }
    : { 32: first, 128: await close(128), 1: await close(1) };
  const rates = Object.fromEntries(names.map((name): [string, number] => {
    const rate = median((closed[32][name] ?? []).map((each) => each.requestsPerSecond));
    return [name, RATED_SHARE * rate];
  }));
  const rated = await course.run(names, rounds, {
    connections: 32,
    turns: seconds,
    seconds: isBrief ? 1 : RATED_SECONDS,
    rates,
  });
  const faults = isBrief ? [] : faultsOfCalls(names, { closed, rated }, rates);
  return { closed, rated, faults };
}

/** What a reader of the figures would have to know, because it makes them worthless. */
function faultsOfCalls(
  names: readonly string[],
  { closed, rated }: Pick<CallSamples, "closed" | "rated">,
  rates: Readonly<Record<string, number>>,
): string[] {
  const faults: string[] = [];
  for (const name of names) {
    const reached = median((rated[name] ?? []).map((each) => each.requestsPerSecond));
    const share = reached / (rates[name] ?? NaN);
    // Not `<`: a share that is not a number is a fault too.
    if (!(share >= 1 - MOST_LATE)) {
      faults.push(`p99 of ${name}: the generator reached ${percent(share)} of its rate`);
    }
    const hosts = (closed[32][name] ?? []).flatMap((each) => each.hostMicros);
    if (name !== ECHO && !hosts.some((micros) => micros > 0)) {
      faults.push(`CPU time of ${name}: no function process was seen at work`);
    }
  }
  return faults;
}

/** Figures of calls, and which of the samples they are read from. */
interface CallFigure extends Figure<Sample> {
  readonly from: (samples: CallSamples) => Samples<string>;
  /** Whether it belongs to the table in README. */
  readonly isMain: boolean;
}

const cpu = ({ cpuMicros }: Sample): number => cpuMicros;
const rate = ({ requestsPerSecond }: Sample): number => requestsPerSecond;
const closed = (connections: typeof CONNECTIONS[number]): CallFigure["from"] => (samples) =>
  samples.closed[connections];
const rated: CallFigure["from"] = (samples) => samples.rated;
const FIGURES: readonly CallFigure[] = [
  {
    name: "CPU time of a call, 32 connections",
    unit: "µs",
    of: cpu,
    from: closed(32),
    isMain: true,
  },
  {
    name: "CPU time of a call, 128 connections",
    unit: "µs",
    of: cpu,
    from: closed(128),
    isMain: true,
  },
  {
    name: "p99, 32 connections, 70 % of the highest rate",
    unit: "ms",
    of: ({ p99Ms }) => p99Ms,
    from: rated,
    isMain: true,
  },
  {
    name: "one call after the other",
    unit: "ms",
    of: ({ p50Ms }) => p50Ms,
    from: closed(1),
    isMain: true,
  },
  { name: "requests, 32 connections", unit: "/s", of: rate, from: closed(32), isMain: false },
  { name: "requests, 128 connections", unit: "/s", of: rate, from: closed(128), isMain: false },
  {
    name: "p50, 32 connections, 70 % of the highest rate",
    unit: "ms",
    of: ({ p50Ms }) => p50Ms,
    from: rated,
    isMain: false,
  },
  {
    name: "p99, 32 connections, as fast as answers come",
    unit: "ms",
    of: ({ p99Ms }) => p99Ms,
    from: closed(32),
    isMain: false,
  },
  {
    name: "CPU time, one call after the other",
    unit: "µs",
    of: cpu,
    from: closed(1),
    isMain: false,
  },
];

/** Rows of one program beside another. */
export function callRows(
  samples: CallSamples,
  ours: string,
  theirs: string,
): { readonly main: readonly Row[]; readonly more: readonly Row[] } {
  const row = (figure: CallFigure): Row => {
    const { [ours]: own = [], [theirs]: taken = [] } = figure.from(samples);
    return makeRow(figure, own, { name: theirs, taken });
  };
  return {
    main: FIGURES.filter(({ isMain }) => isMain).map(row),
    more: FIGURES.filter(({ isMain }) => !isMain).map(row),
  };
}

/** Processor time by process, as one line. */
export function describeProcesses(samples: readonly Sample[]): string {
  const of = (pick: (sample: Sample) => number | undefined): string =>
    estimate(samples.map((each) => pick(each) ?? 0)).median.toFixed(1);
  const hosts = (samples[0]?.hostMicros ?? []).map((_, i) =>
    `function process ${of((each) => each.hostMicros[i])}`
  );
  const parts = [`main process ${of((each) => each.mainMicros)}`, ...hosts];
  const loads = [
    `generator at ${(100 * median(samples.map((each) => each.generatorLoad))).toFixed(0)} %`,
    `other programs at ${(100 * median(samples.map((each) => each.otherLoad))).toFixed(0)} %`,
  ];
  return `${parts.join(", ")}, load generator ${of((each) => each.generatorMicros)} µs; ${
    loads.join(", ")
  }`;
}

/** The steps of a call, in the order in which they add work. */
const STEPS = {
  [ECHO]: "echo",
  read: "body as text, headers, address, URL",
  json: "+ JSON.parse",
  base64: "+ base64 and checks",
  open: "+ four opens",
  seal: "+ seal, base64",
  answer: "the whole answer without a function",
  [OURS]: "with the function in its process",
} as const;

/** Steps that are enough to see whether the ladder runs. */
const BRIEF_STEPS: readonly string[] = [ECHO, "answer"];

/** Measures step by step where the time of a call goes, at 32 connections. */
export async function runLadder(
  course: Course,
  serverLine: readonly string[],
  { rounds, seconds, isBrief }: Effort,
): Promise<Step[]> {
  const all = Object.keys(STEPS) as (keyof typeof STEPS)[];
  const names = isBrief ? all.filter((name) => BRIEF_STEPS.includes(name)) : all;
  for (const name of names) {
    if (name === OURS) await course.add(name, serverLine);
    else {
      const answersOnce = name === "answer";
      await course.add(name, helperLine("steps.ts", name), { isServer: false, answersOnce });
    }
  }
  const samples = await course.run(names, rounds, { connections: 32, turns: seconds });
  const micros = (name: keyof typeof STEPS): number[] =>
    samples[name].map((each) => each.cpuMicros);
  return names.map((name) => ({
    name: STEPS[name],
    cpuMicros: estimate(micros(name)),
    ratio: pairedRatio(micros(name), micros(ECHO)),
  }));
}
