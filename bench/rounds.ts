/**
 * @module
 * Measures programs in turn: processor time of a request by process, with throughput and latency
 * beside it. A round measures every program once, so that a slow minute of the machine meets all.
 */
import type { LoadResult } from "./load.ts";
import { readTimes, type Times, treeOf } from "./processes.ts";
import { median } from "./statistics.ts";
import type { Subject } from "./subject.ts";

/** What one program did under one load. Processor times are microseconds a request. */
export interface Sample {
  readonly requests: number;
  /** All processes of the program. */
  readonly cpuMicros: number;
  /** The process that was started. */
  readonly mainMicros: number;
  /** Its descendants: the function processes. */
  readonly hostMicros: readonly number[];
  readonly generatorMicros: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of one core that the load generator used. */
  readonly generatorLoad: number;
  /** Share of the machine that other programs used. */
  readonly otherLoad: number;
}

/** Puts a program under a load. */
export async function measure(
  subject: Subject,
  run: () => Promise<LoadResult>,
): Promise<Sample> {
  const startMs = performance.now();
  const before = await readTimes();
  const result = await run();
  const after = await readTimes();
  if (result.requests === 0) throw new Error("no request was answered");
  if (result.missing > 0) throw new Error(`${result.missing} requests got no answer`);
  return toSample(result, {
    before,
    after,
    root: subject.pid,
    cores: navigator.hardwareConcurrency,
    elapsedMs: performance.now() - startMs,
  });
}

/** What {@link toSample} needs beside the result of the load generator. */
export interface Surroundings {
  readonly before: Times;
  readonly after: Times;
  readonly root: number;
  readonly cores: number;
  readonly elapsedMs: number;
}

/**
 * Divides the processor times of a program by its requests.
 *
 * @throws {Error} when a process of the program ended or started meanwhile: its time is unknown.
 */
export function toSample(result: LoadResult, surroundings: Surroundings): Sample {
  const { before, after, root, cores, elapsedMs } = surroundings;
  const tree = treeOf(root, before.processes), later = treeOf(root, after.processes);
  const used = tree.map(({ pid, cpuMicros }, i) => {
    const same = later[i];
    if (same?.pid !== pid) throw new Error(`process ${pid} ended while it was measured`);
    return same.cpuMicros - cpuMicros;
  });
  if (later.length > tree.length) throw new Error("a process started while it was measured");
  const [main = NaN, ...hosts] = used.map((micros) => micros / result.requests);
  const all = used.reduce((sum, micros) => sum + micros, 0);
  const others = after.busyMicros - before.busyMicros - all - result.cpuMicros;
  return {
    requests: result.requests,
    cpuMicros: all / result.requests,
    mainMicros: main,
    hostMicros: hosts,
    generatorMicros: result.cpuMicros / result.requests,
    requestsPerSecond: result.requests / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    generatorLoad: result.cpuMicros / (result.seconds * 1e6),
    otherLoad: Math.max(0, others / (cores * elapsedMs * 1000)),
  };
}

/** Samples of some programs; those with the same index were taken in the same round. */
export type Samples<Name extends string> = Readonly<Record<Name, readonly Sample[]>>;

/**
 * Measures each program once a round. The order is reversed in every other round: what the first
 * place in a round costs meets all alike.
 */
export async function takeTurns<Name extends string, T>(
  names: readonly Name[],
  rounds: number,
  { begin, take }: {
    /** Called before each round, such as to prepare its requests. */
    readonly begin?: () => Promise<void>;
    readonly take: (name: Name) => Promise<T>;
  },
): Promise<Readonly<Record<Name, readonly T[]>>> {
  const taken = Object.fromEntries(names.map((name): [string, T[]] => [name, []]));
  for (let round = 0; round < rounds; round++) {
    await begin?.();
    const order = round % 2 === 0 ? names : names.toReversed();
    for (const name of order) taken[name]?.push(await take(name));
  }
  return taken as Record<Name, T[]>;
}

/**
 * One sample of each few turns that followed one another. A machine whose speed drifts from second to second
 * is as fast for one program as for another when short turns alternate.
 *
 * @param turns how many make a sample
 */
export function mergeTurns(samples: readonly Sample[], turns: number): Sample[] {
  return groupsOf(turns, samples).map(merge);
}

/** Values in groups of those that followed one another. */
export function groupsOf<T>(size: number, values: readonly T[]): T[][] {
  const count = Math.ceil(values.length / size);
  return Array.from({ length: count }, (_, i) => values.slice(i * size, (i + 1) * size));
}

function merge(samples: readonly Sample[]): Sample {
  const requests = samples.reduce((sum, each) => sum + each.requests, 0);
  const perRequest = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, each) => sum + of(each) * each.requests, 0) / requests;
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, each) => sum + of(each), 0) / samples.length;
  return {
    requests,
    cpuMicros: perRequest(({ cpuMicros }) => cpuMicros),
    mainMicros: perRequest(({ mainMicros }) => mainMicros),
    hostMicros: (samples[0]?.hostMicros ?? []).map((_, i) =>
      perRequest(({ hostMicros }) => hostMicros[i] ?? 0)
    ),
    generatorMicros: perRequest(({ generatorMicros }) => generatorMicros),
    requestsPerSecond: mean(({ requestsPerSecond }) => requestsPerSecond),
    p50Ms: median(samples.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(samples.map(({ p99Ms }) => p99Ms)),
    generatorLoad: mean(({ generatorLoad }) => generatorLoad),
    otherLoad: mean(({ otherLoad }) => otherLoad),
  };
}
