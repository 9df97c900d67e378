/**
 * @module
 * Statistics of the benchmarks.
 */
import assert from "node:assert/strict";
import { estimate, median, pairedRatio, quantile } from "../../../bench/statistics.ts";

const QUANTILES: readonly { why: string; values: number[]; share: number; expected: number }[] = [
  { why: "one value is every quantile", values: [7], share: 0.9, expected: 7 },
  { why: "the ends are the extremes", values: [3, 1, 2], share: 0, expected: 1 },
  { why: "the ends are the extremes", values: [3, 1, 2], share: 1, expected: 3 },
  {
    why: "an even number has its middle between two",
    values: [4, 1, 3, 2],
    share: 0.5,
    expected: 2.5,
  },
  { why: "values are interpolated", values: [0, 10, 20, 30], share: 0.25, expected: 7.5 },
  { why: "numbers are not sorted as text", values: [10, 9, 100], share: 0.5, expected: 10 },
  { why: "there is nothing in nothing", values: [], share: 0.5, expected: NaN },
];

Deno.test("quantile() is the value below which a share of the values lies", () => {
  assert.ok(QUANTILES.length > 0);
  for (const { why, values, share, expected } of QUANTILES) {
    assert.equal(quantile(values, share), expected, why);
  }
});

Deno.test("median() does not change its argument", () => {
  const values = [3, 1, 2];
  assert.equal(median(values), 2);
  assert.deepEqual(values, [3, 1, 2]);
});

const SPREADS: readonly { why: string; values: number[]; spread: number }[] = [
  { why: "equal values do not vary", values: [5, 5, 5, 5], spread: 0 },
  { why: "the width of the middle half", values: [8, 9, 10, 11, 12], spread: 0.2 },
  {
    why: "one outlier of nine does not count",
    values: [10, 10, 10, 10, 10, 10, 10, 10, 99],
    spread: 0,
  },
  { why: "half of the values far away is one", values: [10, 10, 10, 20, 20], spread: 1 },
];

Deno.test("estimate() gives the median and the width of the middle half", () => {
  for (const { why, values, spread } of SPREADS) {
    const found = estimate(values);
    assert.ok(Math.abs(found.spread - spread) < 1e-9, `${why}: ${found.spread}`);
    assert.equal(found.median, median(values), why);
    assert.equal(found.count, values.length, why);
  }
});

Deno.test("pairedRatio() does not see what both have in common", () => {
  // The machine was three times as slow in the second round.
  const { median: ratio, spread } = pairedRatio([20, 60, 22], [10, 30, 11]);
  assert.deepEqual([ratio, spread], [2, 0]);
});

Deno.test("pairedRatio() differs from the ratio of the medians when the pairs disagree", () => {
  assert.equal(pairedRatio([1, 4, 9], [2, 2, 3]).median, 2);
  assert.throws(() => pairedRatio([1, 2], [1]), RangeError);
});
