/**
 * @module
 * Texts for people: counts with the right form of their noun, and paragraphs as lines.
 */

/**
 * A number with its noun.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(count(1, "secret"), "1 secret");
 * assert.equal(count(0, "secret"), "0 secrets");
 * assert.equal(count(12_000, "address", "addresses"), "12,000 addresses");
 * assert.equal(count(1234.5678, "second"), "1,234.568 seconds");
 * ```
 */
export function count(number: number, one: string, many = `${one}s`): string {
  // `toLocaleString` loads the tables of ICU, which takes 20 ms of a start.
  const [whole = "", ...fraction] = String(Math.round(1000 * number) / 1000).split(".");
  const digits = [whole.replace(/\B(?=(\d{3})+$)/g, ","), ...fraction].join(".");
  return `${digits} ${number === 1 ? one : many}`;
}

/**
 * Words as a list.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(listed(["a"]), "a");
 * assert.equal(listed(["a", "b"]), "a and b");
 * assert.equal(listed(["a", "b", "c"]), "a, b, and c");
 * ```
 */
export function listed(words: readonly string[]): string {
  if (words.length < 3) return words.join(" and ");
  return `${words.slice(0, -1).join(", ")}, and ${words.at(-1)}`;
}

/**
 * A time for people: in UTC, to the second.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(timeText(1_780_272_060.5), "2026-06-01T00:01:00Z");
 * ```
 */
export function timeText(unixSeconds: number): string {
  return `${new Date(unixSeconds * 1000).toISOString().slice(0, 19)}Z`;
}

/**
 * The lines of a text, none longer than `width` where its words allow that. Line ends in it stay.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(wrapped("a bc def\ng", 5), ["a bc", "def", "g"]);
 * ```
 */
export function wrapped(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    for (const word of paragraph.split(" ")) {
      const longer = `${lines.at(-1)} ${word}`;
      if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  });
}
