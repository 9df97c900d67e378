/**
 * @module
 * What senders cost that are not known: a client that was never heard from, a stranger, and a flood
 * of strangers, each with an address of its own, beside a client that is known.
 */
import { join } from "node:path";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { median } from "./statistics.ts";
import { makeStore, sealRequests } from "./store.ts";
import { serverLine, startSubject } from "./subject.ts";
import { runLoad } from "./wrk.ts";

const CLIENTS = 10_000;
/** Connections of the known client; each waits for its answer. */
const CONNECTIONS = 4;
/** Connections of the strangers: refusals are held for 20 to 30 ms. */
const FLOOD_CONNECTIONS = 256;

/** What was measured. */
export interface StrangerFigures {
  /** Milliseconds of a request whose sender is known, nothing else going on. */
  readonly knownMs: number;
  /** Microseconds for each registered key of a request whose sender was never seen before. */
  readonly unseenMicrosecondsPerKey: number;
  /** Milliseconds until a stranger is refused. */
  readonly strangerMs: number;
  readonly knownP99Ms: number;
  readonly knownP99UnderFloodMs: number;
  /** Refused requests a second during the flood. */
  readonly floodPerSecond: number;
}

/** Measures. */
export async function runStrangers(
  { folder, rounds, binary }: { folder: string; rounds: number; binary: string | undefined },
): Promise<StrangerFigures> {
  const config =
    "[Clients]\nRequestTTL=3600\n[Proxy]\nForwardFor=1\n[Limits]\nFailuresPerMinute=1000000\n";
  // Some more than rounds: each is new only once.
  const home = join(folder, "strangers");
  const store = await makeStore(home, { count: CLIENTS, senderCount: 41, config });
  const [known = generateKeyPair(), ...unseen] = store.senders;
  const subject = await startSubject(serverLine(binary), home);
  try {
    await subject.waitForLog(/Registered client keys/);
    const time = async (body: string): Promise<number> => {
      const start = performance.now();
      const headers = { "content-type": "application/json", "x-forwarded-for": "192.0.2.1" };
      const response = await fetch(subject.url, { method: "POST", body, headers });
      await response.text();
      return performance.now() - start;
    };
    const bodiesOfKnown = sealRequests(store, [known], 300);
    for (const body of bodiesOfKnown.slice(0, 200)) await time(body);
    const knownMs: number[] = [], unseenMs: number[] = [], strangerMs: number[] = [];
    const strangers = Array.from({ length: 40 }, generateKeyPair);
    for (let i = 0; i < unseen.length; i++) {
      const [a = ""] = sealRequests(store, unseen.slice(i, i + 1), 1);
      const [b = ""] = sealRequests(store, strangers.slice(i, i + 1), 1);
      knownMs.push(await time(bodiesOfKnown[200 + i] ?? ""));
      unseenMs.push(await time(a));
      strangerMs.push(await time(b));
      // The budget fills again, as it is when strangers are rare.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const floods = await runFloods({ store, known, url: subject.url, rounds });
    return {
      knownMs: median(knownMs),
      unseenMicrosecondsPerKey: (median(unseenMs) - median(knownMs)) * 1000 / CLIENTS,
      strangerMs: median(strangerMs),
      ...floods,
    };
  } finally {
    await subject.stop();
  }
}

async function runFloods(
  { store, known, url, rounds }: {
    store: Awaited<ReturnType<typeof makeStore>>;
    known: ReturnType<typeof generateKeyPair>;
    url: string;
    rounds: number;
  },
): Promise<Pick<StrangerFigures, "knownP99Ms" | "knownP99UnderFloodMs" | "floodPerSecond">> {
  const seconds = 2;
  const quiet: number[] = [], flooded: number[] = [], refusals: number[] = [];
  const strangers = Array.from({ length: 50 }, generateKeyPair);
  for (let round = 0; round < rounds; round++) {
    const load = () => ({
      url,
      bodies: sealRequests(store, [known], 70_000 * seconds),
      seconds,
      connections: CONNECTIONS,
    });
    quiet.push((await runLoad(load())).p99Ms);
    const knownLoad = load();
    const bodies = sealRequests(store, strangers, 40_000);
    const [knownResult, flood] = await Promise.all([
      runLoad(knownLoad),
      runLoad({ url, bodies, seconds, connections: FLOOD_CONNECTIONS, addresses: true }),
    ]);
    if (knownResult.refused > 0) throw new Error("the known client was refused");
    flooded.push(knownResult.p99Ms);
    refusals.push(flood.requestsPerSecond);
  }
  return {
    knownP99Ms: median(quiet),
    knownP99UnderFloodMs: median(flooded),
    floodPerSecond: median(refusals),
  };
}
