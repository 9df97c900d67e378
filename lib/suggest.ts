/**
 * @module
 * "Did you mean": the name that was probably meant.
 */

/** Changes after which a word still looks like another. */
const MAX_CHANGES = 2;
/** A longer word is not compared: it is not a name that somebody typed. */
const MAX_LENGTH = 100;

/**
 * The candidate that is most like a word, if one is. Case does not count.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(suggestion("hepl", ["help", "serve"]), "help");
 * assert.equal(suggestion("list", ["health", "listclients"]), "listclients");
 * assert.equal(suggestion("xyz", ["help", "serve"]), undefined);
 * ```
 */
export function suggestion(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.toLowerCase();
  const isPart = (candidate: string): boolean =>
    wanted.length > 2 && candidate.toLowerCase().includes(wanted);
  const near = candidates
    .map((candidate) => ({ candidate, changes: changesBetween(wanted, candidate.toLowerCase()) }))
    .filter(({ candidate, changes }) => changes <= Math.min(MAX_CHANGES, candidate.length / 2))
    .toSorted((a, b) => a.changes - b.changes);
  return near[0]?.candidate ?? candidates.find(isPart);
}

/** Insertions, removals and replacements that turn one word into another (Levenshtein). */
function changesBetween(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > MAX_CHANGES || from.length > MAX_LENGTH) return Infinity;
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? Infinity;
}
