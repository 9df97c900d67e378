/**
 * @module
 * A function's result as JSON text. JSON has no form for some values and drops or empties them without a
 * word: those are errors here.
 */

/** Kinds of objects that JSON carries whole, by `Object.prototype.toString`. */
const CARRIED = ["Object", "Array", "Boolean", "Number", "String"];
/** Objects that are looked at; JSON.stringify has been through all of them already. */
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
  const text = JSON.stringify(result);
  const found = findUncarried(result, "", MAX_DEPTH);
  if (found !== undefined) {
    throw new TypeError(`the result holds ${found}, which JSON cannot carry`);
  }
  return text ?? "null";
}

function findUncarried(value: unknown, path: string, depth: number): string | undefined {
  if (typeof value === "function" || typeof value === "symbol") return named(value, path);
  if (typeof value !== "object" || value === null || depth === 0) return undefined;
  // It says itself what it is in JSON, as a Date does.
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return undefined;
  if (!CARRIED.includes(kindOf(value))) return named(value, path);
  for (const [key, each] of Object.entries(value)) {
    const place = Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`;
    const found = findUncarried(each, place, depth - 1);
    if (found !== undefined) return found;
  }
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
