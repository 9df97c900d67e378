/**
 * @module
 * Parts of a JSON text as they were written. A function's params go to its worker as text and are parsed
 * there only; parsing and writing them here would cost time and change numbers that JavaScript cannot
 * hold. Works on texts that `JSON.parse` accepts, and finds what it finds: of members with the same name
 * the last one.
 */

const QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c, COLON = 0x3a;
const OPEN_BRACKET = 0x5b, OPEN_BRACE = 0x7b, CLOSE_BRACKET = 0x5d, CLOSE_BRACE = 0x7d;

/**
 * The text of each member of an object, by name; of each element of an array, by index.
 *
 * @param text valid JSON, an object or an array
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual([...membersOf('{"a": [1, 2.0], "b":"}"}')], [["a", "[1, 2.0]"], ["b", '"}"']]);
 * assert.deepEqual([...membersOf('[1e3 ,{}]').values()], ["1e3", "{}"]);
 * ```
 */
export function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let depth = 0, start = 0, name: string | undefined, count = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (code === OPEN_BRACKET || code === OPEN_BRACE) {
      if (depth++ === 0) start = at + 1;
    } else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) {
      if (--depth === 0) keep(at);
    } else if (depth === 1 && code === COLON) {
      name = nameIn(text.slice(start, at).trim());
      start = at + 1;
    } else if (depth === 1 && code === COMMA) {
      keep(at);
    }
  }
  return members;

  function keep(end: number): void {
    const value = text.slice(start, end).trim();
    // An object or array without members has an empty text between its brackets.
    if (value !== "") members.set(name ?? String(count++), value);
    start = end + 1;
    name = undefined;
  }
}

/** What a string says; most have nothing that would have to be parsed. */
function nameIn(string: string): string {
  return string.includes("\\") ? JSON.parse(string) : string.slice(1, -1);
}

/** Where the string ends that begins at a place: at the next quotation mark that is not escaped. */
function endOfString(text: string, from: number): number {
  for (let end = from;;) {
    end = text.indexOf('"', end + 1);
    let first = end;
    while (text.charCodeAt(first - 1) === BACKSLASH) first--;
    if ((end - first) % 2 === 0) return end;
  }
}
