/**
 * @module
 * An error of foreign code as one line for the operator's log.
 */

/**
 * An error of a module as one line: its kind, its message, and where in the module it was thrown.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(describeError("no stack"), "no stack");
 * ```
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return describeThrown(error);
  const [firstLine = "", ...otherLines] = String(error.message).split("\n");
  const text = /^\w*Error: /.test(firstLine) ? firstLine : `${error.name}: ${firstLine}`;
  const places = [...otherLines, ...String(error.stack ?? "").split("\n").slice(1)]
    .map((line) => /\bfile:\/\/\S+?:\d+:\d+/.exec(line)?.[0])
    .filter((place) => place !== undefined && !place.startsWith(OWN_FOLDER));
  const [place] = places;
  return place === undefined || text.includes(place) ? text : `${text} (${place})`;
}

const OWN_FOLDER = new URL(".", import.meta.url).href;

function describeThrown(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    // Such as an object whose toString throws.
    return "something that has no text";
  }
}
