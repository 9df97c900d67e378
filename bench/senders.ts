/**
 * @module
 * The senders part: what many registered clients cost a registered sender, and what an unknown sender
 * costs the server.
 */
import { join } from "node:path";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { Course, type Effort } from "./course.ts";
import { type Load, runWrk } from "./load.ts";
import { makeRow, type Row } from "./rows.ts";
import { measure, type Sample, type Samples, takeTurns } from "./rounds.ts";
import { type BenchKeys, makeKeys, makeStore, sealRequests, writeBodies } from "./store.ts";
import { startSubject, type Subject, waitUntilServing } from "./subject.ts";

/** Refusals are held for 20 to 30 ms: few enough to leave the core idle for a half of the time. */
const CONNECTIONS = 4;
/** More unknown senders a second than one core can look for among 10,000 keys. */
const REQUESTS_PER_SECOND = 1000;
const BRIEF_REQUESTS = 20;
const CONFIG = "[Proxy]\nForwardFor=1\n[Limits]\nFailuresPerMinute=1000000\nSearchPercent=100\n";

/** Measures the CPU time of a call with many registered clients beside that with one. */
export async function runManyClients(
  folder: string,
  line: readonly string[],
  effort: Effort,
): Promise<Row> {
  const { rounds, seconds, clients } = effort;
  await using course = await Course.open(folder, effort);
  await course.add("many", line, { clients });
  await course.add("one", line);
  const samples = await course.run(["many", "one"], rounds, { connections: 32, turns: seconds });
  const name = `CPU time of a call, ${clients.toLocaleString("en")} registered clients`;
  return makeRow({ name, unit: "µs", of: ({ cpuMicros }) => cpuMicros }, samples.many, {
    name: "1 client",
    taken: samples.one,
  });
}

/** Measures servers that refuse unknown senders, in turn; each searches all its keys for each request. */
export async function runUnknownSender<Name extends string>(
  folder: string,
  lines: Readonly<Record<Name, readonly string[]>>,
  { rounds, seconds, clients, isBrief }: Effort,
): Promise<Samples<Name>> {
  const keys = makeKeys(1);
  const names = Object.keys(lines) as Name[];
  const bodies = join(folder, "unknown bodies");
  const subjects: Partial<Record<string, Subject>> = {};
  try {
    for (const name of names) {
      const home = join(folder, `unknown ${name}`);
      await makeStore(home, { count: clients, senderCount: 1, config: CONFIG, keys });
      const subject = await startSubject(lines[name], home);
      subjects[name] = subject;
      await waitUntilServing(subject);
    }
    return await takeTurns(names, rounds, {
      begin: () => prepare(bodies, keys, isBrief ? BRIEF_REQUESTS : REQUESTS_PER_SECOND * seconds),
      take: (name) => refuse(subjects[name], { bodies, seconds, isBrief }),
    });
  } finally {
    for (const subject of Object.values(subjects)) await subject?.stop();
  }
}

async function prepare(path: string, keys: BenchKeys, count: number): Promise<void> {
  await writeBodies(path, sealRequests(keys, [generateKeyPair()], count));
}

async function refuse(
  subject: Subject | undefined,
  load: Pick<Load, "bodies" | "seconds" | "isBrief">,
): Promise<Sample> {
  if (subject === undefined) throw new Error("the server was not started");
  return await measure(subject, async () => {
    const { url } = subject;
    const result = await runWrk({ ...load, url, connections: CONNECTIONS, hasAddresses: true });
    const accepted = result.requests - result.refused;
    if (accepted > 0) throw new Error(`${accepted} requests of unknown senders were accepted`);
    return result;
  });
}
