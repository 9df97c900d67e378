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
 * ```
 */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
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
