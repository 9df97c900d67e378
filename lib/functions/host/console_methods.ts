/**
 * @module
 * The console of a function: each method writes to the server's log, formatted as a console does.
 * Source: WHATWG Console Standard, 2 (formatter).
 */
import type { OutputLevel } from "../wire/messages.ts";
import { describeError, inspectValue } from "../describe_error.ts";

/** Writes a text as one line or more. */
export type WriteLines = (level: OutputLevel, text: string) => void;

const LEVELS = {
  debug: "debug",
  trace: "debug",
  log: "info",
  info: "info",
  dir: "info",
  dirxml: "info",
  table: "info",
  warn: "warn",
  error: "error",
} as const;

/**
 * Values as a console shows them: `%s`, `%d` and others in a first text are filled in.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(formatValues(["%s has %d items", "cart", 3, { a: 1 }]), "cart has 3 items { a: 1 }");
 * ```
 */
export function formatValues([first, ...others]: readonly unknown[]): string {
  if (first === undefined && others.length === 0) return "";
  let next = 0;
  const filled = typeof first !== "string"
    ? toText(first)
    : others.length === 0
    ? first
    : first.replace(/%[sdifoOcj%]/g, (placeholder) => {
      if (placeholder === "%%") return "%";
      return next < others.length ? fill(placeholder, others[next++]) : placeholder;
    });
  return [filled, ...others.slice(next).map(toText)].join(" ");
}

/** The methods of a console that writes lines. */
export function consoleMethods(write: WriteLines): Record<string, (...values: unknown[]) => void> {
  const counts = new Map<string, number>(), timers = new Map<string, number>();
  let indent = "";
  const print = (level: OutputLevel, values: readonly unknown[]): void => {
    const text = formatValues(values);
    write(level, indent === "" ? text : text.replace(/^/gm, indent));
  };
  const time = (label: string, rest: readonly unknown[]): void => {
    const beganAt = timers.get(label);
    if (beganAt === undefined) return print("warn", [`Timer '${label}' does not exist`]);
    print("info", [`${label}: ${(performance.now() - beganAt).toFixed(1)} ms`, ...rest]);
  };
  const openGroup = (...values: unknown[]): void => {
    if (values.length > 0) print("info", values);
    if (indent.length < 40) indent += "  ";
  };
  const levels = Object.entries(LEVELS).map(([name, level]) => {
    const isOne = name === "dir" || name === "table";
    return [
      name,
      (...values: unknown[]) => print(level, isOne ? values.slice(0, 1) : values),
    ] as const;
  });
  return {
    ...Object.fromEntries(levels),
    assert: (condition, first, ...others) => {
      if (condition) return;
      const text = typeof first === "string"
        ? [`Assertion failed: ${first}`]
        : first === undefined
        ? ["Assertion failed"]
        : ["Assertion failed:", first];
      print("error", [...text, ...others]);
    },
    count: (label = "default") => {
      const name = String(label);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      print("info", [`${name}: ${counts.get(name)}`]);
    },
    countReset: (label = "default") => void counts.delete(String(label)),
    time: (label = "default") => void timers.set(String(label), performance.now()),
    timeLog: (label = "default", ...rest) => time(String(label), rest),
    timeEnd: (label = "default") => {
      time(String(label), []);
      timers.delete(String(label));
    },
    group: openGroup,
    groupCollapsed: openGroup,
    groupEnd: () => void (indent = indent.slice(2)),
  };
}

function fill(placeholder: string, value: unknown): string {
  switch (placeholder) {
    case "%s":
      return typeof value === "object" && value !== null ? toText(value) : String(value);
    case "%d":
    case "%i":
      return typeof value === "bigint"
        ? String(value)
        : toNumber(value, (text) => parseInt(text, 10));
    case "%f":
      return toNumber(value, parseFloat);
    case "%c":
      return "";
  }
  return placeholder === "%j" ? String(JSON.stringify(value)) : inspect(value);
}

function toNumber(value: unknown, parse: (text: string) => number): string {
  return typeof value === "symbol" ? "NaN" : String(parse(String(value)));
}

function toText(value: unknown): string {
  if (typeof value === "string") return value;
  return value instanceof Error ? describeError(value) : inspect(value);
}

function inspect(value: unknown): string {
  try {
    return inspectValue(value);
  } catch {
    return "something that cannot be described";
  }
}
