/**
 * @module
 * How the benchmark counts processor time, and in which order it measures.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { type LoadResult } from "../../../bench/load.ts";
import { parseTimes, readTimes, type Times, treeOf } from "../../../bench/processes.ts";
import { mergeTurns, takeTurns, toSample } from "../../../bench/rounds.ts";
import { testIf } from "../../conditions.ts";

Deno.test("parseTimes() reads names with spaces and parentheses", () => {
  const { processes, busyMicros } = parseTimes(
    "cpu  5 0 3 900 7 0 1 1 0 0\n" +
      "42 (a (b) c) S 7 42 42 0 -1 4 1 0 0 0 200 50 0 0 20 0 9 0 1 2 3\n",
  );
  assert.deepEqual(processes, [{ pid: 42, parent: 7, cpuMicros: 2_500_000 }]);
  assert.equal(
    busyMicros,
    100_000,
    "user, system, soft interrupts and stolen; not idle, not waiting",
  );
});

function times(busyMicros: number, ...processes: [number, number, number][]): Times {
  return {
    busyMicros,
    processes: processes.map(([pid, parent, cpuMicros]) => ({ pid, parent, cpuMicros })),
  };
}

Deno.test("treeOf() finds descendants in any order, and nobody else", () => {
  const { processes } = times(0, [9, 5, 0], [3, 1, 0], [5, 2, 0], [2, 1, 0], [4, 2, 0]);
  assert.deepEqual(treeOf(2, processes).map(({ pid }) => pid), [2, 4, 5, 9]);
  assert.deepEqual(treeOf(77, processes), []);
});

const RESULT: LoadResult = {
  requests: 1000,
  refused: 0,
  missing: 0,
  seconds: 2,
  p50Ms: 1,
  p99Ms: 2,
  cpuMicros: 9000,
};
const around = { root: 2, cores: 2, elapsedMs: 1000 };

Deno.test("toSample() divides the time of each process by the requests", () => {
  const sample = toSample(RESULT, {
    ...around,
    before: times(0, [2, 1, 500], [3, 2, 100], [8, 1, 0]),
    after: times(260_000, [2, 1, 36_500], [3, 2, 14_100], [8, 1, 99_000]),
  });
  assert.deepEqual([sample.mainMicros, sample.hostMicros, sample.cpuMicros], [36, [14], 50]);
  assert.equal(sample.generatorMicros, 9);
  assert.equal(sample.requestsPerSecond, 500);
  // 260 ms were used, of them 50 by the server and 9 by the generator; there were 2000.
  assert.ok(Math.abs(sample.otherLoad - 0.1005) < 1e-9, String(sample.otherLoad));
});

Deno.test("toSample() refuses a server whose processes changed", () => {
  const before = times(0, [2, 1, 0], [3, 2, 0]);
  const replaced = times(0, [2, 1, 9], [4, 2, 9]), more = times(0, [2, 1, 9], [3, 2, 9], [4, 2, 9]);
  assert.throws(() => toSample(RESULT, { ...around, before, after: replaced }), /3 ended/);
  assert.throws(() => toSample(RESULT, { ...around, before, after: more }), /a process started/);
});

Deno.test("takeTurns() measures pairs, in reversed order every other round", async () => {
  const order: string[] = [];
  const taken = await takeTurns(["echo", "server"], 3, {
    begin: () => Promise.resolve(void order.push("begin")),
    take: (name) => Promise.resolve(order.push(name)),
  });
  assert.deepEqual(order, [
    ...["begin", "echo", "server"],
    ...["begin", "server", "echo"],
    ...["begin", "echo", "server"],
  ]);
  assert.deepEqual(taken, { echo: [2, 6, 8], server: [3, 5, 9] });
});

testIf(
  Deno.build.os === "linux",
  "only Linux has /proc",
  "readTimes() sees this process work",
  async () => {
    const own = (times: Times): number =>
      times.processes.find(({ pid }) => pid === Deno.pid)?.cpuMicros ?? NaN;
    const before = own(await readTimes());
    const started = process.cpuUsage();
    // Until it has had the processor for so long, however busy the machine is.
    while (process.cpuUsage(started).user < 200_000);
    assert.ok(own(await readTimes()) - before >= 50_000);
  },
);

Deno.test("mergeTurns() weighs turns by their requests", () => {
  const turn = (requests: number, micros: number, ms: number) => ({
    requests,
    cpuMicros: micros,
    mainMicros: micros,
    hostMicros: [micros],
    generatorMicros: micros,
    requestsPerSecond: requests,
    p50Ms: ms,
    p99Ms: ms,
    generatorLoad: 0.5,
    otherLoad: 0,
  });
  const turns = [turn(100, 10, 1), turn(300, 30, 9), turn(200, 20, 2), turn(7, 5, 3)];
  const [first, second, ...more] = mergeTurns(turns, 3);
  assert.deepEqual(more, []);
  assert.equal(first?.requests, 600);
  assert.equal(first?.cpuMicros, (1000 + 9000 + 4000) / 600);
  assert.deepEqual(first?.hostMicros, [first?.cpuMicros]);
  assert.equal(first?.requestsPerSecond, 200);
  assert.equal(first?.p99Ms, 2, "the median");
  assert.deepEqual(second, turns[3]);
});
