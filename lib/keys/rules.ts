/**
 * @module
 * The rules of a client, which follow its key in its file (docs/clients.md): what it is called, which
 * functions it may call, until when, from where and how often. Parsed strictly: a rule that is not
 * understood shuts the key out, so that a client never may more than was written. Keeps no state and reads
 * no files; policy.ts decides by rules.
 */
import { isIP } from "node:net";
import { FUNCTION_PATTERNS, parsePatterns } from "../config/kinds.ts";

/** Rules of one client. An absent rule allows everything. */
export interface ClientRules {
  /** The operator's name for the client. */
  readonly name?: string;
  /** Patterns of function names, lower case; a pattern with `!` denies. Never empty. */
  readonly functions?: readonly string[];
  /** Unix time in seconds from which the key is refused. */
  readonly expiresAtSeconds?: number;
  /** IP addresses and networks in CIDR form. Never empty. */
  readonly from?: readonly string[];
  readonly rate?: Rate;
  /** When and how the client was registered; a note for people. */
  readonly added?: string;
}

/** Calls in a time. After a pause, that many may come at once. */
export interface Rate {
  readonly calls: number;
  readonly perSeconds: number;
}

/** A rule that cannot be used, for a message; never with its value, which may be a misplaced secret. */
export interface RuleFault {
  /** Counted from 1; the key is line 1. */
  readonly line: number;
  /** Completes "line N …". */
  readonly state: string;
}

/** The rules of a file, or what is wrong with them. */
export type ParsedRules =
  | { readonly ok: true; readonly rules: ClientRules }
  | { readonly ok: false; readonly fault: RuleFault };

/** Longest name of a client, in characters. */
const MAX_NAME_LENGTH = 64;
const UNITS = { s: 1, min: 60, h: 3600, day: 86_400 } as const;
const MAX_RATE = 1_000_000;

/** One kind of rule: how its value is parsed into rules, and how it is written. */
interface RuleForm {
  readonly expected: string;
  readonly parse: (value: string) => ClientRules | undefined;
  readonly format: (rules: ClientRules) => string | undefined;
}

/** Every rule, in the order in which they are written. */
const FORMS: Readonly<Record<string, RuleForm>> = {
  name: {
    expected: `1 to ${MAX_NAME_LENGTH} characters, not a number and not a key`,
    parse: (value) => isClientName(value) ? { name: value } : undefined,
    format: ({ name }) => name,
  },
  functions: {
    expected: FUNCTION_PATTERNS.expected,
    parse(value): ClientRules | undefined {
      const functions = parsePatterns(value);
      return functions && { functions };
    },
    format: ({ functions }) => functions?.join(", "),
  },
  expires: {
    expected: "a date such as 2027-03-01, or a time such as 2027-03-01T18:00Z (UTC)",
    parse(value): ClientRules | undefined {
      const expiresAtSeconds = parseTime(value);
      return expiresAtSeconds === undefined ? undefined : { expiresAtSeconds };
    },
    format: ({ expiresAtSeconds }) =>
      expiresAtSeconds === undefined ? undefined : formatTime(expiresAtSeconds),
  },
  from: {
    expected: "IP addresses or networks such as 192.168.1.0/24, separated by commas",
    parse(value): ClientRules | undefined {
      const from = value.split(",").map((part) => part.trim().toLowerCase());
      return from.every(isNetwork) ? { from } : undefined;
    },
    format: ({ from }) => from?.join(", "),
  },
  rate: {
    expected: `calls in a time, such as 30/min (units: ${Object.keys(UNITS).join(", ")})`,
    parse(value): ClientRules | undefined {
      const rate = parseRate(value);
      return rate && { rate };
    },
    format({ rate }): string | undefined {
      const unit = Object.entries(UNITS).find(([, seconds]) => seconds === rate?.perSeconds)?.[0];
      return rate && `${rate.calls}/${unit}`;
    },
  },
  added: {
    expected: "a short note",
    parse: (value) => value.length <= 200 ? { added: value } : undefined,
    format: ({ added }) => added,
  },
};

/** Names of the rules, in the order in which they are written. */
export const RULE_NAMES: readonly string[] = Object.keys(FORMS);

/**
 * Parses what follows the first line of a client's file: lines of `name = value`; empty lines and
 * comments (`#`) are passed over.
 *
 * @param text the whole file; its first line is not looked at
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(parseRules("KEY\nname = phone\nrate = 30/min\n"), {
 *   ok: true,
 *   rules: { name: "phone", rate: { calls: 30, perSeconds: 60 } },
 * });
 * assert.deepEqual(parseRules("KEY\nnmae = phone"), {
 *   ok: false,
 *   fault: { line: 2, state: "is not a rule: expected name, functions, expires, from, rate, added" },
 * });
 * ```
 */
export function parseRules(text: string): ParsedRules {
  let rules: ClientRules = {};
  const seen = new Set<string>();
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    const trimmed = line.trim();
    if (index === 0 || trimmed === "" || trimmed.startsWith("#")) continue;
    const fail = (state: string): { ok: false; fault: RuleFault } => ({
      ok: false,
      fault: { line: index + 1, state },
    });
    const equals = trimmed.indexOf("=");
    const name = trimmed.slice(0, Math.max(0, equals)).trim().toLowerCase();
    if (!Object.hasOwn(FORMS, name)) {
      return fail(`is not a rule: expected ${RULE_NAMES.join(", ")}`);
    }
    if (seen.has(name)) return fail(`gives ${name} a second time`);
    seen.add(name);
    const parsed = parseRule(name, trimmed.slice(equals + 1).trim());
    if (typeof parsed === "string") {
      return fail(`gives ${name} a value that cannot be used, expected ${parsed}`);
    }
    rules = { ...rules, ...parsed };
  }
  return { ok: true, rules };
}

/**
 * Parses the value of one rule.
 *
 * @returns rules that hold just this one, or what is expected.
 */
export function parseRule(name: string, value: string): ClientRules | string {
  const form = FORMS[name];
  if (form === undefined) return RULE_NAMES.join(", ");
  const isClean = value !== "" && !CONTROL_CHARACTERS.test(value);
  return (isClean ? form.parse(value) : undefined) ?? form.expected;
}

/** They could forge a line, or change the order in which a line is shown. */
const CONTROL_CHARACTERS =
  // deno-lint-ignore no-control-regex -- these are what must not be in a rule
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

/** The lines that follow the key, each with its line end; nothing where there are no rules. */
export function formatRules(rules: ClientRules): string {
  return Object.entries(FORMS)
    .map(([name, { format }]) => [name, format(rules)])
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join("");
}

function isNetwork(text: string): boolean {
  const [, address = "", prefix] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(prefix ?? 0) <= (version === 6 ? 128 : 32);
}

/** Whether a text can be a client's name: it must not look like a number or a key. */
export function isClientName(text: string): boolean {
  return text.length >= 1 && text.length <= MAX_NAME_LENGTH && text === text.trim() &&
    !/^\d+$/.test(text) && !/^[A-Za-z0-9+/_-]{43}=?$/.test(text) && !text.startsWith("-");
}

/**
 * Parses `30/min`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(parseRate("5/s"), { calls: 5, perSeconds: 1 });
 * assert.equal(parseRate("5/fortnight"), undefined);
 * ```
 */
export function parseRate(text: string): Rate | undefined {
  const [, digits = "", unit = ""] = /^(\d{1,7})\s*\/\s*([a-z]+)$/.exec(text.toLowerCase()) ?? [];
  const calls = Number(digits);
  if (!Object.hasOwn(UNITS, unit) || calls < 1 || calls > MAX_RATE) return undefined;
  return { calls, perSeconds: UNITS[unit as keyof typeof UNITS] };
}

/** Unix time in seconds of `2027-03-01`, `2027-03-01T18:00Z` or `2027-03-01T18:00:30Z`. */
function parseTime(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?Z)?$/.test(text)) return undefined;
  const seconds = Date.parse(text.replace(" ", "T")) / 1000;
  // Date.parse() takes the 31st of February in some engines.
  const isReal = !Number.isNaN(seconds) &&
    new Date(seconds * 1000).toISOString().slice(0, 10) === text.slice(0, 10);
  return isReal ? seconds : undefined;
}

function formatTime(seconds: number): string {
  const text = new Date(seconds * 1000).toISOString();
  return text.endsWith("T00:00:00.000Z") ? text.slice(0, 10) : text.replace(".000Z", "Z");
}
