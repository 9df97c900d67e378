/**
 * @module
 * What a client may do, as flags: one for each rule of its file.
 */
import { UsageError } from "../lib/errors.ts";
import { parseRule } from "../lib/keys/rules.ts";
import { DURATION_FORM, parseDuration } from "./duration.ts";

/** The flags. */
export const RULE_FLAGS = {
  name: { value: "NAME", meaning: "the client's name for people" },
  functions: { value: "LIST", meaning: "functions that it may call: names, with * and !" },
  expires: {
    value: "TIME",
    meaning: "time from which it is refused: 2027-03-01, or 90d (from now)",
  },
  from: { value: "LIST", meaning: "IP addresses and networks that it may send from" },
  rate: { value: "N/UNIT", meaning: "how many calls in a time: 30/min (s, min, h, day)" },
} as const;

type RuleFlag = keyof typeof RULE_FLAGS;

/** The values of these flags as they were given. */
export type RuleValues = { readonly [K in RuleFlag]?: string | undefined };

/**
 * The rules that were given, by name, checked. An empty value is one without a rule.
 *
 * @throws {UsageError} when a value cannot be used.
 */
export function rulesGiven(command: string, values: RuleValues): Map<string, string | undefined> {
  const given = new Map<string, string | undefined>();
  for (const name of Object.keys(RULE_FLAGS) as RuleFlag[]) {
    const text = values[name]?.trim();
    if (text === undefined) continue;
    const value = name === "expires" ? timeAfter(text) ?? text : text;
    if (value === "") {
      given.set(name, undefined);
      continue;
    }
    const parsed = parseRule(name, value);
    if (typeof parsed === "string") {
      const expected = name === "expires" ? `${parsed}, or ${DURATION_FORM}` : parsed;
      const shown = JSON.stringify(text.slice(0, 80));
      throw new UsageError(`Cannot run ${command}: --${name} ${shown}, expected ${expected}`);
    }
    given.set(name, value);
  }
  return given;
}

/** A duration from now on as a time in the form of the rule; `undefined` for a text that is none. */
function timeAfter(duration: string): string | undefined {
  const seconds = parseDuration(duration);
  if (seconds === undefined) return undefined;
  const time = new Date(Date.now() + seconds * 1000).toISOString();
  return time.replace(/\.\d+Z$/, "Z");
}
