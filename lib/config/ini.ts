/**
 * @module
 * INI files in the form of Python's `configparser`, strict where it matters. The INI libraries drop lines
 * that they do not understand and turn `true` or `1` into other types; here every line is an option, or a
 * fault with its number. Names of sections and options are case-insensitive.
 */
import { ConfigError, reasonOf } from "../errors.ts";

/** An option as it stands in the file. */
export interface IniOption {
  /** As written. */
  readonly section: string;
  /** Folded to lower case. */
  readonly name: string;
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

/** A line that is neither section, option nor comment, or an option that is given twice. */
export interface IniFault {
  /** Counted from 1. */
  readonly line: number;
  /** Completes "line N …". */
  readonly state: string;
}

/** The options of a file, and the lines that cannot be used. */
export interface IniFile {
  readonly options: readonly IniOption[];
  readonly faults: readonly IniFault[];
}

/** The form of such a file. */
export const INI_HINT =
  "the form is [Section], then lines of Name=value; a line that starts with # or ; is a comment";

/**
 * Reads an INI file.
 *
 * @throws {ConfigError} when the file cannot be read, or is not UTF-8 text.
 */
export async function readIni(path: string): Promise<IniFile> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    const hint = "a server creates it at its start: run the command in the server's folder";
    throw new ConfigError(`Cannot read ${path}: ${reasonOf(error)}`, {
      cause: error,
      ...error instanceof Deno.errors.NotFound ? { hint } : {},
    });
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // UTF-16 without a byte order mark is valid UTF-8 with zeros.
    if (!text.includes("\0")) return parseIni(text);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw new ConfigError(`Cannot read ${path}: it is not UTF-8 text`, {
    hint: "save the file again with the encoding UTF-8",
  });
}

/**
 * Parses the text of an INI file.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const { options, faults } = parseIni("[Server]\nKeyPath = sec\nHost: x");
 * assert.deepEqual(options, [{ section: "Server", name: "keypath", value: "sec", line: 2 }]);
 * assert.equal(faults[0]?.line, 3);
 * ```
 */
export function parseIni(text: string): IniFile {
  const options: IniOption[] = [];
  const faults: IniFault[] = [];
  const seen = new Set<string>();
  let section: string | undefined;
  for (const [index, raw] of text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/).entries()) {
    const line = index + 1;
    if (/^\s*(?:[#;]|$)/.test(raw)) continue;
    const header = HEADER.exec(raw)?.[1]?.trim();
    if (header !== undefined) {
      section = header;
      if (isDefault(header)) {
        faults.push({ line, state: "opens [DEFAULT], which is not supported" });
      }
      continue;
    }
    if (section !== undefined && isDefault(section)) continue;
    const sign = raw.indexOf("=");
    const name = raw.slice(0, Math.max(sign, 0)).trim();
    const value = raw.slice(sign + 1).trim();
    const state = section === undefined
      ? "stands before the first [Section]"
      : faultOf(raw, name, value);
    const key = `${section?.toLowerCase()}\0${name.toLowerCase()}`;
    if (state !== undefined) faults.push({ line, state });
    else if (seen.has(key)) faults.push({ line, state: `gives ${name} a second time` });
    else if (section !== undefined) {
      seen.add(key);
      options.push({ section, name: name.toLowerCase(), value: unquoted(value), line });
    }
  }
  return { options, faults };
}

/** A comment may follow, which is harmless here. */
const HEADER = /^\[([^\]]+)\]\s*(?:[#;].*)?$/;
const QUOTED = /^(?:"([^"]*)"|'([^']*)')$/;

/** The section whose values `configparser` gives to all others. */
function isDefault(section: string): boolean {
  return section.toLowerCase() === "default";
}

function faultOf(raw: string, name: string, value: string): string | undefined {
  if (/^\s/.test(raw)) return "is indented; an option takes one line";
  if (raw.startsWith("[")) return "is not a [Section]";
  if (name === "") return "is not Name=value (a colon does not separate them here)";
  if (/["'[\]\\;#]/.test(name)) return "has an impossible name";
  if (/%\(\w+\)s/.test(value)) return "uses %(…)s, which is not supported; write it out";
  if (/[;#]/.test(value) && !QUOTED.test(value)) {
    return 'has # or ; in the value; put a comment on a line of its own, a path with it in "…"';
  }
  return undefined;
}

function unquoted(value: string): string {
  const [, double, single] = QUOTED.exec(value) ?? [];
  return double ?? single ?? value;
}
