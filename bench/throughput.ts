/**
 * @module
 * Requests a second with few and many clients, beside the echo of the same bodies and the baseline.
 * All programs run at once and are loaded in turns, so that a slow minute of the machine is everybody's.
 */
import { join } from "node:path";
import { median } from "./statistics.ts";
import { type BenchStore, makeStore, sealRequests } from "./store.ts";
import { helperLine, serverLine, startSubject, type Subject } from "./subject.ts";
import { runLoad } from "./wrk.ts";

/** Requests that wrk could send in a second at most, with some to spare. */
const BODIES_PER_SECOND = 70_000;
const CONFIG = "[Clients]\nRequestTTL=3600\n";

/** What was measured of one program. */
export interface Throughput {
  readonly name: string;
  readonly kind: "echo" | "server" | "taking turns" | "baseline";
  readonly clients: number;
  /** Median over the rounds. */
  readonly requestsPerSecond: number;
  /** Median over the rounds of the ratio to the echo in the same round. */
  readonly echoRatio: number;
}

interface Candidate {
  readonly name: string;
  readonly kind: Throughput["kind"];
  readonly clients: number;
  readonly subject: Subject;
  readonly store: BenchStore;
  readonly rates: number[];
}

/** Options of a run. */
export interface ThroughputOptions {
  readonly folder: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly binary: string | undefined;
}

/** Measures. */
export async function runThroughput(options: ThroughputOptions): Promise<Throughput[]> {
  const candidates: Candidate[] = [];
  try {
    await startAll(options, candidates);
    for (let round = 0; round < options.rounds; round++) {
      for (const candidate of candidates) await measure(candidate, options.seconds);
    }
  } finally {
    for (const { subject } of candidates) await subject.stop();
  }
  const echoRates = candidates[0]?.rates ?? [];
  return candidates.map(({ name, kind, clients, rates }) => ({
    name,
    kind,
    clients,
    requestsPerSecond: median(rates),
    echoRatio: median(rates.map((rate, round) => rate / (echoRates[round] ?? NaN))),
  }));
}

async function startAll(options: ThroughputOptions, candidates: Candidate[]): Promise<void> {
  const { folder, binary } = options;
  const add = async (
    kind: Candidate["kind"],
    name: string,
    clients: number,
    senderCount: number,
  ): Promise<Candidate> => {
    const home = join(folder, `${kind} ${clients} ${senderCount}`);
    const store = await makeStore(home, { count: clients, senderCount, config: CONFIG });
    const line = kind === "echo"
      ? helperLine("echo.ts")
      : kind === "baseline"
      ? helperLine("derivation.ts", home)
      : serverLine(binary);
    const subject = await startSubject(line, home);
    const candidate = { name, kind, clients, subject, store, rates: [] };
    candidates.push(candidate);
    return candidate;
  };
  await add("echo", "plain `Deno.serve`, JSON echo", 0, 1);
  for (const clients of [1, 100, 1000, 10_000]) {
    const { subject } = await add(
      "server",
      `server, ${clients.toLocaleString("en")} registered`,
      clients,
      1,
    );
    await subject.waitForLog(/Registered client keys/);
  }
  const turns = await add(
    "taking turns",
    "server, 10,000 registered, 1,000 of them taking turns",
    10_000,
    1000,
  );
  await turns.subject.waitForLog(/Registered client keys/);
  await warmUp(turns);
  for (const clients of [1, 100, 1000]) {
    await add(
      "baseline",
      `key derivation for each trial, ${clients.toLocaleString("en")} registered`,
      clients,
      1,
    );
  }
}

/** Until every sender has been found once, which takes its time: searches have a share of a core. */
async function warmUp({ subject, store }: Candidate): Promise<void> {
  for (let i = 0; i < 60; i++) {
    const bodies = sealRequests(store, store.senders, 1000);
    const load = { url: subject.url, bodies, seconds: 1, connections: 4 };
    const { requestsPerSecond } = await runLoad({ ...load, bodies });
    if (requestsPerSecond > 900) return;
  }
  throw new Error("the senders were not found within a minute");
}

async function measure(
  { kind, name, subject, store, rates }: Candidate,
  seconds: number,
): Promise<void> {
  const count = kind === "baseline" ? 20_000 : BODIES_PER_SECOND;
  const bodies = sealRequests(store, store.senders, count * seconds);
  const { requestsPerSecond, refused } = await runLoad({ url: subject.url, bodies, seconds });
  if (refused > 0) throw new Error(`${name}: ${refused} requests were refused`);
  rates.push(requestsPerSecond);
}
