/**
 * @module
 * The bound of the tables that grow with what comes from outside.
 */

/**
 * Drops the entry that was put into a map first when there are more than so many. A map keeps the
 * order in which keys were put in: whoever takes a key out and puts it in again at each use makes
 * this the one that was unused for longest.
 *
 * @returns the value that was dropped, if one was.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const map = new Map([["a", 1], ["b", 2], ["c", 3]]);
 * assert.equal(keepWithin(map, 2), 1);
 * assert.deepEqual([...map.keys()], ["b", "c"]);
 * ```
 */
export function keepWithin<T>(map: Map<string, T>, capacity: number): T | undefined {
  if (map.size <= capacity) return undefined;
  for (const [oldest, value] of map) {
    map.delete(oldest);
    return value;
  }
  return undefined;
}
