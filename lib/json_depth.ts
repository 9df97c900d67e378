/**
 * @module
 * How deep a value from JSON goes: a text is parsed however deep it is, but `JSON.stringify` and other
 * recursive code fail some thousand levels down.
 */

/** Levels of a value from foreign code that is written as JSON again. */
export const MAX_DEPTH = 200;

/**
 * Whether a value has at most this many lists and objects inside each other.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(isShallow([{ a: 1 }], 2), true);
 * assert.equal(isShallow([{ a: [] }], 2), false);
 * ```
 */
export function isShallow(value: unknown, depth: number = MAX_DEPTH): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((each) => isShallow(each, depth - 1));
}
