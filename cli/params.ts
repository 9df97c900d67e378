/**
 * @module
 * The arguments of a call on a command line: `name=value` is a text, `name:=json` is JSON, and `--params`
 * is an object of JSON.
 */

/** What is wrong with the arguments; completes "Cannot run call: ". */
export class ParamsFault {
  constructor(readonly state: string, readonly hint?: string) {}
}

/**
 * The arguments by name; `undefined` when none were given.
 *
 * @param words `name=value` or `name:=json` each
 * @param json the text of `--params`
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(parseParams(["item=milk", "count:=2"]), { item: "milk", count: 2 });
 * assert.deepEqual(parseParams(["a=b=c"], '{"d": [1]}'), { a: "b=c", d: [1] });
 * ```
 */
export function parseParams(
  words: readonly string[],
  json?: string,
): Record<string, unknown> | undefined | ParamsFault {
  if (words.length === 0 && json === undefined) return undefined;
  const base = json === undefined ? {} : parseJson(json);
  if (typeof base !== "object" || base === null || Array.isArray(base)) {
    return new ParamsFault(
      "--params is not a JSON object",
      'such as --params \'{"item": "milk"}\'',
    );
  }
  const params = new Map<string, unknown>(Object.entries(base));
  for (const word of words) {
    const pair = parsePair(word);
    if (pair instanceof ParamsFault) return pair;
    const [name, value] = pair;
    if (params.has(name)) return new ParamsFault(`${name} is given twice`);
    params.set(name, value);
  }
  return Object.fromEntries(params);
}

function parsePair(word: string): readonly [string, unknown] | ParamsFault {
  const [, name = "", sign, value = ""] = /^(.*?)(:?=)(.*)$/s.exec(word) ?? [];
  const shown = JSON.stringify(word.replace(/=.*/s, "=…").slice(0, 80));
  if (sign === undefined || name === "") {
    return new ParamsFault(`${shown}, expected NAME=VALUE or NAME:=JSON`);
  }
  if (sign === "=") return [name, value];
  const parsed = parseJson(value);
  if (parsed !== undefined) return [name, parsed];
  return new ParamsFault(`the value of ${name} is not JSON`, `${name}=VALUE is a text`);
}

/** `undefined` when it is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
