/**
 * @module
 * An error of foreign code as one line for the operator's log: what was thrown, where, and why.
 */

/** Characters of a description; a longer one is cut. */
const MAX_LENGTH = 1500;
/** Causes of causes, and errors of one `AggregateError`, that are described. */
const MAX_CAUSES = 5;
const MAX_ERRORS = 5;
const NOT_FOUND = "ERR_MODULE_NOT_FOUND";
/** Stands for a line end: a description is one line. */
const LINE_END = " | ";

/**
 * An error of a module as one line: its kind, code and message, where in the module it was thrown, its
 * causes, and the errors that it stands for.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const cause = new TypeError("refused");
 * assert.match(describeError(new Error("no answer", { cause })), /^Error: no answer.*; cause: TypeError: /);
 * assert.equal(describeError({ status: 404 }), "{ status: 404 }");
 * ```
 */
export function describeError(error: unknown): string {
  try {
    return cut(describe(error, MAX_CAUSES));
  } catch {
    // Foreign code again: a getter, a proxy or a toString that throws.
    return "something that cannot be described";
  }
}

/**
 * A value of any kind as one line, objects as their source would look.
 *
 * @throws whatever foreign code throws that says how a value is shown.
 */
export function inspectValue(value: unknown): string {
  return Deno.inspect(value, { depth: 4, breakLength: Infinity, compact: true, colors: false });
}

function describe(error: unknown, causes: number): string {
  if (!(error instanceof Error)) return typeof error === "string" ? error : inspectValue(error);
  const { cause } = error;
  const parts = [describeOne(error), ...describeErrors(error, causes)];
  if (cause !== undefined && cause !== error && causes > 0) {
    parts.push(`cause: ${describe(cause, causes - 1)}`);
  }
  return parts.join("; ");
}

function describeOne(error: Error): string {
  const lines = String(error.message).split(/\s*[\r\n]+\s*/).filter((line) => line !== "");
  const message = lines.join(LINE_END);
  const text = /^\w*Error: /.test(message)
    ? message
    : [nameOf(error), ...lines.length > 0 ? [message] : []].join(": ");
  const place = placeOf(error);
  return place === undefined || text.includes(place) ? text : `${text} (${place})`;
}

/** Its name; the class of an error that was given none, and its code unless the message has that. */
function nameOf(error: Error): string {
  const { name, message, constructor } = error;
  const kind = name === "Error" && constructor?.name ? constructor.name : name;
  const code = "code" in error ? error.code : undefined;
  // Deno gives the code of a missing module to every module that does not load.
  const isTold = typeof code !== "string" && typeof code !== "number" || code === NOT_FOUND ||
    String(message).includes(String(code));
  return isTold ? String(kind) : `${kind} [${code}]`;
}

/** Where in a module it was thrown. */
function placeOf({ message, stack }: Error): string | undefined {
  const lines = [
    ...String(message).split("\n").slice(1),
    ...String(stack ?? "").split("\n").slice(1),
  ];
  return lines.map((line) => /\bfile:\/\/\S+?:\d+:\d+/.exec(line)?.[0])
    .find((place) => place !== undefined && !place.startsWith(OWN_FOLDER));
}

/** The errors of an `AggregateError`. */
function describeErrors(error: Error, causes: number): string[] {
  const errors = "errors" in error && Array.isArray(error.errors) ? error.errors : [];
  if (errors.length === 0 || causes === 0) return [];
  const texts = errors.slice(0, MAX_ERRORS).map((each) => describe(each, causes - 1));
  const others = errors.length > MAX_ERRORS ? [`${errors.length - MAX_ERRORS} more`] : [];
  return [`errors: ${[...texts, ...others].join(", ")}`];
}

function cut(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}

const OWN_FOLDER = new URL(".", import.meta.url).href;
