/**
 * @module
 * The rules by which the benchmark refuses to publish a figure.
 */
import assert from "node:assert/strict";
import { ECHO, faultsOfLadder, faultsOfRow } from "../../../bench/plausible.ts";
import { faultsOf, type Results, withSection } from "../../../bench/report.ts";
import type { Row, Step, Unit } from "../../../bench/rows.ts";
import type { Estimate } from "../../../bench/statistics.ts";

function value(median: number, { spread = 0.02, count = 9 } = {}): Estimate {
  return { median, spread, count };
}

function row(
  ours: Estimate,
  { name = ECHO, theirs = value(10), ratio = value(2), unit = "µs" as Unit } = {},
): Row {
  return { name: "figure", unit, value: ours, beside: { name, value: theirs, ratio } };
}

const wide = { spread: 0.151 };
const ROWS: readonly { why: string; row: Row; faults: RegExp[] }[] = [
  { why: "twice the echo, as the columns say", row: row(value(20)), faults: [] },
  { why: "the ratio decides about the spread", row: row(value(20, wide)), faults: [] },
  {
    why: "a ratio that varies",
    row: row(value(20), { ratio: value(2, wide) }),
    faults: [/^figure: the spread is 15 %, more than 15 %$/],
  },
  {
    why: "without a ratio the value decides",
    row: { name: "alone", unit: "MB", value: value(50, wide) },
    faults: [/^alone: the spread/],
  },
  {
    why: "a spread that is not a number",
    row: row(value(20), { ratio: value(2, { spread: NaN }) }),
    faults: [/the spread is NaN/],
  },
  {
    why: "too few rounds",
    row: row(value(20), { ratio: value(2, { count: 6 }) }),
    faults: [/6 rounds, expected at least 7/],
  },
  {
    why: "0.81 by its columns, 0.49 as shown: README of version 0.1",
    row: row(value(26_488), { theirs: value(32_689), ratio: value(0.49), unit: "/s" }),
    faults: [/the ratio is 0\.49, its columns give 0\.81/],
  },
  {
    why: "1.06 of the echo: README of version 0.1",
    row: row(value(33_458), { theirs: value(32_689), ratio: value(1.06), unit: "/s" }),
    faults: [/better than the echo \(1\.06\)/],
  },
  {
    why: "cheaper than the echo",
    row: row(value(9), { ratio: value(0.9) }),
    faults: [/better than the echo \(0\.90\)/],
  },
  {
    why: "cheaper than another revision is the aim",
    row: row(value(9), { name: "1bcef10", ratio: value(0.9) }),
    faults: [],
  },
  {
    why: "fewer requests a second than the echo is as it should be",
    row: row(value(5), { ratio: value(0.5), unit: "/s" }),
    faults: [],
  },
  { why: "nothing was measured", row: row(value(NaN)), faults: [/not a positive number/] },
  { why: "no processor time was seen", row: row(value(0)), faults: [/not a positive number/] },
  {
    why: "the yardstick took no time",
    row: row(value(20), { theirs: value(0), ratio: value(Infinity) }),
    faults: [/not a positive number/],
  },
];

function assertFaults(found: readonly string[], expected: readonly RegExp[], why: string): void {
  assert.equal(found.length, expected.length, `${why}: ${found.join("; ")}`);
  expected.forEach((pattern, i) => assert.match(found[i] ?? "", pattern, why));
}

Deno.test("faultsOfRow() says what is wrong with a figure", () => {
  assert.ok(ROWS.length > 0);
  for (const { why, row, faults } of ROWS) assertFaults(faultsOfRow(row), faults, why);
});

function steps(...micros: (number | Estimate)[]): Step[] {
  return micros.map((each, i) => ({
    name: `step ${i}`,
    cpuMicros: typeof each === "number" ? value(each) : each,
    ratio: typeof each === "number" ? value(each / 10) : each,
  }));
}

const LADDERS: readonly { why: string; steps: Step[]; faults: RegExp[] }[] = [
  { why: "each step adds", steps: steps(10, 11, 11.5, 20), faults: [] },
  { why: "a step may cost nothing, within the noise", steps: steps(10, 12, 11.6), faults: [] },
  { why: "the echo returns more than the first step", steps: steps(10, 8, 9), faults: [] },
  {
    why: "a step takes away",
    steps: steps(10, 12, 11),
    faults: [/^step 2: 11\.0 µs, less than 12\.0/],
  },
  { why: "a step varies", steps: steps(10, value(12, wide)), faults: [/^step 1: the spread/] },
  { why: "a step was not measured", steps: steps(10, NaN), faults: [/^step 1: NaN µs/] },
];

Deno.test("faultsOfLadder() wants steps that add work", () => {
  for (const { why, steps, faults } of LADDERS) assertFaults(faultsOfLadder(steps), faults, why);
});

const RESULTS: Results = {
  date: "2026-11-27",
  machine: "2 cores",
  deno: "2.9.6",
  executable: "msp 0.2.0",
  rounds: 9,
  rows: [row(value(20))],
  more: [row(value(20), { ratio: value(2, wide) })],
  ladder: steps(10, 20),
  faults: [],
};

Deno.test("faultsOf() looks at everything that is published", () => {
  assert.deepEqual(faultsOf(RESULTS), []);
  assert.equal(faultsOf({ ...RESULTS, rows: RESULTS.more }).length, 1);
  assert.equal(faultsOf({ ...RESULTS, ladder: steps(10, 20, 5) }).length, 1);
  assert.deepEqual(faultsOf({ ...RESULTS, faults: ["the generator was late"] }), [
    "the generator was late",
  ]);
});

const MARKED = "before\n<!-- performance: written by deno task bench -->\nold\n" +
  "<!-- end of performance -->\nafter\n";

Deno.test("withSection() replaces the marked section and nothing else", () => {
  const readme = withSection(MARKED, RESULTS);
  assert.match(readme, /^before\n<!-- performance/);
  assert.match(readme, /<!-- end of performance -->\nafter\n$/);
  assert.doesNotMatch(readme, /old/);
  assert.match(readme, /\| figure \| 20\.0 µs \| 10\.0 µs \| 2\.00 +\| 2\.0 %/);
  assert.equal(withSection(readme, RESULTS), readme);
});

Deno.test("withSection() refuses a README without its marks", () => {
  assert.throws(() => withSection("# README\n", RESULTS), /no performance section/);
});
