/**
 * @module
 * `--grace HOURS`: for how long replaced keys and secrets stay valid.
 */
import { UsageError } from "../lib/errors.ts";

const MAX_HOURS = 8784;

/** The flag; `what` stays valid. */
export function graceFlag(what: string): { readonly grace: { value: "HOURS"; meaning: string } } {
  const meaning = `also accept ${what} for this many hours (default 0, at most ${MAX_HOURS})`;
  return { grace: { value: "HOURS", meaning } };
}

/**
 * Seconds that `--grace` gives.
 *
 * @throws {UsageError} when it is not a number of hours.
 */
export function graceSeconds(command: string, text = "0"): number {
  const hours = /^\d{1,4}(?:\.\d{1,4})?$/.test(text) ? Number(text) : NaN;
  if (hours <= MAX_HOURS) return Math.round(hours * 3600);
  throw new UsageError(
    `Cannot run ${command}: --grace ${JSON.stringify(text)}, expected hours from 0 to ${MAX_HOURS}`,
  );
}
