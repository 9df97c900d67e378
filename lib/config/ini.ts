/**
 * @module
 * INI files in the form of the original's `configparser`, strict where it matters: the `ini` library
 * reads the values, but it drops a line that it does not understand, so every line is checked first
 * and a mistake is reported with its number. Names of options are folded to lower case.
 */
import ini from "ini";
import { ConfigError, reasonOf } from "../errors.ts";

/** An option as it stands in the file; `name` is folded to lower case. */
export interface IniOption {
  readonly section: string;
  readonly name: string;
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

/** A line that is no section, option or comment, or an option that is given twice. */
export interface IniFault {
  /** Counted from 1. */
  readonly line: number;
  /** Completes "line N …". */
  readonly state: string;
}

/** What a file holds, and the lines of it that were passed over. */
export interface IniFile {
  readonly options: readonly IniOption[];
  readonly faults: readonly IniFault[];
}

/** What the lines of such a file should look like. */
export const INI_HINT =
  "the form is [Section], then lines of Name=value; a line that starts with # or ; is a comment";

/**
 * Reads an INI file.
 *
 * @throws {ConfigError} when the file cannot be read.
 */
export async function readIni(path: string): Promise<IniFile> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw new ConfigError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  return parseIni(text);
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
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const { places, faults } = findOptions(lines);
  const sections: Record<string, unknown> = ini.parse(lines.join("\n"), { bracketedArray: false });
  const options = places.map(({ section, writtenName, name, line }) => {
    // The library makes a tree of sections with dots in their names.
    const members = section.split(".").reduce<unknown>(member, sections);
    return { section, name, value: String(member(members, writtenName) ?? ""), line };
  });
  return { options, faults };
}

interface OptionPlace {
  readonly section: string;
  readonly writtenName: string;
  readonly name: string;
  readonly line: number;
}

/** Where the options are, and the lines that the library would drop or misread. */
function findOptions(lines: readonly string[]): { places: OptionPlace[]; faults: IniFault[] } {
  const places: OptionPlace[] = [];
  const faults: IniFault[] = [];
  let section: string | undefined;
  for (const [index, raw] of lines.entries()) {
    const line = index + 1;
    const text = raw.trim();
    if (text === "" || /^[#;]/.test(text)) continue;
    const header = /^\[([^\]]+)\]$/.exec(text)?.[1];
    if (header !== undefined && raw.startsWith("[")) {
      section = header;
      continue;
    }
    const [, writtenName = "", value = ""] = /^([^=]+)=(.*)$/.exec(text) ?? [];
    const place = { writtenName: writtenName.trim(), name: writtenName.trim().toLowerCase(), line };
    const state = /^\s/.test(raw)
      ? "is indented; an option takes one line"
      : faultOf(place.name, value);
    if (section === undefined) faults.push({ line, state: "stands before the first [Section]" });
    else if (state !== undefined) faults.push({ line, state });
    else if (places.some((other) => other.section === section && other.name === place.name)) {
      faults.push({ line, state: `gives ${place.name} a second time` });
    } else places.push({ section, ...place });
  }
  return { places, faults };
}

function faultOf(name: string, value: string): string | undefined {
  if (name === "") return "is not Name=value (a colon does not separate them here)";
  if (name === "__proto__" || /["'[\]\\;#]/.test(name)) return "has an impossible name";
  if (/%\(\w+\)s/.test(value)) return "uses %(…)s, which is not supported; write it out";
  if (/[;#]/.test(value) && !/^"[^"]*"$/.test(value.trim())) {
    return 'has # or ; in the value; put a comment on a line of its own, a path with it in "…"';
  }
  return undefined;
}

function member(tree: unknown, name: string): unknown {
  return typeof tree === "object" && tree !== null && Object.hasOwn(tree, name)
    ? (tree as Record<string, unknown>)[name]
    : undefined;
}
