/**
 * @module
 * `--grace HOURS`: for how long what is replaced stays valid.
 */
import { UsageError } from "../lib/errors.ts";
import { type OptionForms, type OptionValues, textOption } from "./command.ts";

/** The flag. */
export const GRACE_OPTION: OptionForms = { grace: { type: "string" } };
/** Help text of {@link GRACE_OPTION}; what stays valid follows. */
export const GRACE_DETAILS =
  "  --grace HOURS          for so long (default 0) the server also accepts";

const MAX_HOURS = 8784;

/**
 * Seconds that `--grace` gives.
 *
 * @throws {UsageError} when it is not a number of hours.
 */
export function graceSeconds(command: string, values: OptionValues): number {
  const text = textOption(values, "grace") ?? "0";
  const hours = /^\d{1,4}(?:\.\d{1,4})?$/.test(text) ? Number(text) : NaN;
  if (hours <= MAX_HOURS) return Math.round(hours * 3600);
  throw new UsageError(
    `Cannot run ${command}: --grace ${JSON.stringify(text)}, expected hours from 0 to ${MAX_HOURS}`,
  );
}
