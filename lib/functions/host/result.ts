/**
 * @module
 * A function's result as JSON text. JSON has no form for some values and drops or empties them without a
 * word: those are errors here.
 */

/** Kinds of objects that JSON carries whole, by `Object.prototype.toString`. */
const CARRIED = ["Object", "Array", "Boolean", "Number", "String"];
/** Objects within each other that are looked at. */
const MAX_DEPTH = 1000;

/**
 * @throws {TypeError} naming what JSON has no form for, and where it is
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(toJson({ a: [1, undefined], b: undefined }), '{"a":[1,null]}');
 * assert.throws(() => toJson({ a: [new Map()] }), /a Map at \.a\[0\]/);
 * ```
 */
export function toJson(result: unknown): string {
  let text: string | undefined;
  let failure: unknown;
  try {
    text = JSON.stringify(result);
  } catch (error) {
    failure = error;
  }
  const found = findUncarried(result, "", new Set());
  if (found !== undefined) {
    throw new TypeError(`the result holds ${found}, which JSON cannot carry`);
  }
  if (failure !== undefined) throw failure;
  return text ?? "null";
}

/** The first value that JSON has no form for, in the order of JSON.stringify. */
function findUncarried(value: unknown, path: string, around: Set<unknown>): string | undefined {
  if (typeof value === "function" || typeof value === "symbol") return named(value, path);
  const isOpen = typeof value === "object" && around.size < MAX_DEPTH || typeof value === "bigint";
  if (!isOpen || value === null) return undefined;
  if (around.has(value)) return `itself at ${path}`;
  // It says itself what it is in JSON, as a Date does.
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return undefined;
  if (!CARRIED.includes(kindOf(value))) return named(value, path);
  around.add(value);
  for (const [key, each] of Object.entries(value)) {
    const place = Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`;
    const found = findUncarried(each, place, around);
    if (found !== undefined) return found;
  }
  around.delete(value);
  return undefined;
}

function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function named(value: unknown, path: string): string {
  const kind = kindOf(value);
  const article = /^[AEIO]/.test(kind) ? "an" : "a";
  return `${article} ${kind}${path === "" ? "" : ` at ${path}`}`;
}
