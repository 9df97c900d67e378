/**
 * @module
 * The limit of tables that senders from outside can grow.
 */

/**
 * Drops the first entry of a map that has more entries than its capacity. A map keeps the order of
 * insertion. If the caller removes and inserts a key at each use, the first entry is the least
 * recently used one.
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
