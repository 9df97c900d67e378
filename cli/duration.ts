/**
 * @module
 * Durations on the command line: `90d`.
 */

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
/** Ten years. */
const MAX_SECONDS = 3660 * UNITS.d;

/** What {@link parseDuration} accepts, for messages. */
export const DURATION_FORM = "a duration such as 30m, 1h or 90d, at most 3660d";

/**
 * Seconds of a duration, at least one; `undefined` when the text is none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(parseDuration("90d"), 7_776_000);
 * assert.equal(parseDuration("90"), undefined);
 * assert.equal(parseDuration("0h"), undefined);
 * ```
 */
export function parseDuration(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(digits) * (UNITS[unit as keyof typeof UNITS] ?? 0);
  return seconds >= 1 && seconds <= MAX_SECONDS ? seconds : undefined;
}
