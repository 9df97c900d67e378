/**
 * @module
 * The rest part: memory of a server that has nothing to do, and the time from the start of its process
 * to the first answered call.
 */
import { join } from "node:path";
import type { Effort } from "./course.ts";
import { proportionalMegabytes, readTimes, treeOf } from "./processes.ts";
import { groupsOf, takeTurns } from "./rounds.ts";
import { type BenchStore, installConstant, makeStore, sealRequests } from "./store.ts";
import { median } from "./statistics.ts";
import { startSubject } from "./subject.ts";

/** Time after the first call in which the runtime returns memory that it only needed to start. */
const SETTLE_MS = 2000;

const AHEAD_SECONDS = 15;

/** Starts of each program in a round: a start takes no longer than a hiccup of the machine. */
const STARTS = 3;

/** What was measured of one start. */
export interface Start {
  readonly firstCallMs: number;
  /** Proportional set sizes. */
  readonly mainMegabytes: number;
  /** All function processes. */
  readonly hostMegabytes: number;
}

/** Starts servers with one client and one function, in turn. */
export async function runRest<Name extends string>(
  folder: string,
  lines: Readonly<Record<Name, readonly string[]>>,
  { rounds, isBrief }: Effort,
): Promise<Readonly<Record<Name, readonly Start[]>>> {
  const home = await Deno.makeTempDir({ dir: folder, prefix: "rest-" });
  const store = await makeStore(join(home, "server"), { count: 1, senderCount: 1, config: "" });
  await installConstant(store.home);
  const names = Object.keys(lines) as Name[];
  // The first start fills the caches of the runtime.
  const settleMs = isBrief ? 0 : SETTLE_MS;
  const take = (name: Name): Promise<Start> => measureStart(lines[name], store, settleMs);
  if (!isBrief) { for (const name of names) await take(name); }
  const starts = isBrief ? 1 : STARTS;
  const taken = await takeTurns(names, rounds * starts, { take });
  const merged = names.map((name) => [name, groupsOf(starts, taken[name]).map(middle)]);
  return Object.fromEntries(merged) as Record<Name, Start[]>;
}

/** The middle of some starts, figure by figure. */
function middle(starts: readonly Start[]): Start {
  const of = (figure: (start: Start) => number): number => median(starts.map(figure));
  return {
    firstCallMs: of(({ firstCallMs }) => firstCallMs),
    mainMegabytes: of(({ mainMegabytes }) => mainMegabytes),
    hostMegabytes: of(({ hostMegabytes }) => hostMegabytes),
  };
}

async function measureStart(
  line: readonly string[],
  store: BenchStore,
  settleMs: number,
): Promise<Start> {
  // The first server in a folder accepts nothing that was dated before its start.
  const nowSeconds = Math.floor(Date.now() / 1000) + AHEAD_SECONDS;
  const [body = ""] = sealRequests(store, store.senders, 1, { nowSeconds });
  const startMs = performance.now();
  const subject = await startSubject(line, store.home);
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch(subject.url, { method: "POST", body, headers });
    await response.text();
    const firstCallMs = performance.now() - startMs;
    if (response.status !== 200) {
      throw new Error(`the first call was refused:\n${subject.logEnd()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    const [, ...hosts] = treeOf(subject.pid, (await readTimes()).processes);
    const megabytes = await Promise.all(hosts.map(({ pid }) => proportionalMegabytes(pid)));
    return {
      firstCallMs,
      mainMegabytes: await subject.megabytes(),
      hostMegabytes: megabytes.reduce((sum, each) => sum + each, 0),
    };
  } finally {
    await subject.stop();
  }
}
