/**
 * @module
 * A result as text: a text as it is, anything else as JSON.
 */

import { OutputError } from "../lib/errors.ts";

/** How it is shown. */
export interface RenderOptions {
  /** Whether people look at it: JSON is indented then, and what controls a terminal is replaced. */
  readonly isTerminal: boolean;
  /** Whether a text is shown as JSON too. */
  readonly isJson: boolean;
}

/**
 * The lines of a result.
 *
 * @throws {OutputError} for a value that is too deep to be written.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const piped = { isTerminal: false, isJson: false };
 * assert.equal(renderResult("a\tb", piped), "a\tb\n");
 * assert.equal(renderResult({ a: 1 }, piped), '{"a":1}\n');
 * assert.equal(renderResult("\x1b[2J", { ...piped, isTerminal: true }), "\ufffd[2J\n");
 * ```
 */
export function renderResult(value: unknown, { isTerminal, isJson }: RenderOptions): string {
  const text = typeof value === "string" && !isJson
    ? value
    : toJson(value, isTerminal ? 2 : undefined);
  return `${isTerminal ? harmless(text) : text}\n`;
}

/** @throws {OutputError} for a value that is too deep to be written: JSON can be read deeper */
function toJson(value: unknown, indent: number | undefined): string {
  try {
    return JSON.stringify(value ?? null, null, indent);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new OutputError("Cannot write the result: its lists and objects are nested too deeply", {
      cause,
    });
  }
}

/** A text without what controls a terminal, apart from line ends and tabs. */
export function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, "\ufffd");
}

/** The same, in one line: a text of a module or a server cannot look like lines of the program. */
export function oneLine(text: string): string {
  return harmless(text).replace(/\s+/g, " ");
}
