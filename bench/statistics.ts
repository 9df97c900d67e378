/**
 * @module
 * Statistics of repeated measurements: quantiles, and ratios pair by pair.
 */

/**
 * The value below which a share of the values lies, interpolated between neighbours.
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? NaN, high = sorted[Math.ceil(at)] ?? NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** A median and how far the measurements lie apart. */
export interface Estimate {
  readonly median: number;
  /** Width of the middle half of the values, as a share of the median. */
  readonly spread: number;
  /** How many values there are. */
  readonly count: number;
}

/** Summarizes repeated measurements of one thing. */
export function estimate(values: readonly number[]): Estimate {
  const middle = median(values);
  const spread = (quantile(values, 0.75) - quantile(values, 0.25)) / middle;
  return { median: middle, spread, count: values.length };
}

/**
 * Summarizes the ratios of two things that were measured in the same rounds. A round that was slow
 * for both does not show.
 *
 * @throws {RangeError} when the rounds differ in number.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): Estimate {
  if (ours.length !== theirs.length) throw new RangeError("each value needs its partner");
  return estimate(ours.map((value, round) => value / (theirs[round] ?? NaN)));
}

/** Microseconds that an action takes on average, in each of some series of `count` times. */
export function series(action: (i: number) => void, count: number, rounds: number): number[] {
  for (let i = 0; i < count / 2; i++) action(i);
  return Array.from({ length: rounds }, () => {
    const start = performance.now();
    for (let i = 0; i < count; i++) action(i);
    return (performance.now() - start) * 1000 / count;
  });
}
