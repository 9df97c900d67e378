/**
 * @module
 * The bound of the tables that grow with what comes from outside.
 */

/**
 * Drops the entry that was put into a map first when there are more than so many. A map keeps the
 * order in which keys were put in: whoever takes a key out and puts it in again at each use makes
 * this the one that was unused for longest.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const map = new Map([["a", 1], ["b", 2], ["c", 3]]);
 * keepWithin(map, 2);
 * assert.deepEqual([...map.keys()], ["b", "c"]);
 * ```
 */
export function keepWithin(map: Map<string, unknown>, capacity: number): void {
  if (map.size <= capacity) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    break;
  }
}
