/**
 * @module
 * Which figures can be published. A figure that varies too much, or that contradicts itself, is a fault
 * of the measurement until somebody has explained it.
 */
import type { Row, Step } from "./rows.ts";

/** The middle half of the values may be this wide, as a share of the median. */
export const MOST_SPREAD = 0.15;
/** Fewer pairs than this prove nothing. */
export const FEWEST_ROUNDS = 7;
/** A ratio may differ from the ratio of its columns by this share: medians of ratios are not ratios of medians. */
const MOST_CONTRADICTION = 0.15;
/** A step of the ladder may be cheaper than the previous one by this share: both vary. */
const MOST_DESCENT = 0.05;
/** Name of the yardstick that no call can be cheaper than. */
export const ECHO = "echo";

/**
 * What is wrong with a row; empty when it can be published.
 */
export function faultsOfRow({ name, unit, value, beside }: Row): string[] {
  const faults: string[] = [];
  const decides = beside?.ratio ?? value;
  const numbers = [value, ...beside === undefined ? [] : [beside.value, beside.ratio]];
  if (numbers.some(({ median }) => !(median > 0 && median < Infinity))) {
    return [`${name}: a figure is not a positive number`];
  }
  if (decides.count < FEWEST_ROUNDS) {
    faults.push(`${name}: ${decides.count} rounds, expected at least ${FEWEST_ROUNDS}`);
  }
  // Not `>`: a spread that is not a number is a fault too.
  if (!(decides.spread <= MOST_SPREAD)) {
    faults.push(
      `${name}: the spread is ${percent(decides.spread)}, more than ${percent(MOST_SPREAD)}`,
    );
  }
  if (beside === undefined) return faults;
  const { ratio } = beside;
  const columns = value.median / beside.value.median;
  if (Math.abs(ratio.median / columns - 1) > MOST_CONTRADICTION) {
    const [shown, expected] = [ratio.median, columns].map((each) => each.toFixed(2));
    faults.push(`${name}: the ratio is ${shown}, its columns give ${expected}`);
  }
  const isFaster = unit === "/s" ? ratio.median > 1 : ratio.median < 1;
  if (beside.name === ECHO && isFaster) {
    faults.push(`${name}: better than the echo (${ratio.median.toFixed(2)})`);
  }
  return faults;
}

/** What is wrong with a ladder: its steps only add work, beginning with the one after the echo. */
export function faultsOfLadder(steps: readonly Step[]): string[] {
  return steps.flatMap(({ name, cpuMicros, ratio }, i) => {
    const faults: string[] = [];
    const previous = steps[i - 1];
    if (!(ratio.spread <= MOST_SPREAD)) {
      faults.push(
        `${name}: the spread is ${percent(ratio.spread)}, more than ${percent(MOST_SPREAD)}`,
      );
    }
    // The echo parses its body and returns all of it, which the first step does not.
    const least = i === 1 ? 0 : (previous?.cpuMicros.median ?? 0) * (1 - MOST_DESCENT);
    if (previous !== undefined && !(cpuMicros.median >= least)) {
      const [now, before] = [cpuMicros, previous.cpuMicros].map((each) => each.median.toFixed(1));
      faults.push(`${name}: ${now} µs, less than ${before} µs of the step before it`);
    }
    return faults;
  });
}

/** A share as text, such as `12 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
}
