/**
 * @module
 * What a series of measurements says.
 */

/** The middle value. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** Microseconds that an action takes, the median of some series. */
export function microseconds(action: (i: number) => void, count: number, series = 7): number {
  for (let i = 0; i < count / 2; i++) action(i);
  return median(Array.from({ length: series }, () => {
    const start = performance.now();
    for (let i = 0; i < count; i++) action(i);
    return (performance.now() - start) * 1000 / count;
  }));
}
