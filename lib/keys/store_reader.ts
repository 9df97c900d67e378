/**
 * @module
 * What is registered, read from the key store (docs/protocol.md §1): one client_*.pub a registered
 * key, one line of the register a secret. Nothing says which secret belongs to which key. Files and
 * lines that are malformed are passed over and reported, never with their content.
 */
import { type KeyTextFault, parsePublicKey, type PublicKey } from "../crypto/keys.ts";
import { reasonOf, StoreError } from "../errors.ts";
import { type ParsedRules, parseRules } from "./rules.ts";
import { parseRegisterLine, type RegisterLine } from "./secrets.ts";

/** A file or line that was passed over, and why. */
export interface StoreFault {
  readonly path: string;
  readonly state: string;
  /** The line is the last one and has no line end: it may be half written. */
  readonly isUnfinished?: boolean;
  /** The file could not be read, which may pass. */
  readonly isUnread?: boolean;
}

/** What a client's file says. */
export interface ClientFile {
  readonly publicKey: PublicKey;
  readonly rules: ParsedRules;
}

const CLIENT_FILE = /^client_(.*)\.pub$/s;

/**
 * Names of the client files, numbers in numeric order, then the other names.
 *
 * @throws {StoreError} when the folder cannot be read.
 */
export async function listClientFiles(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    // Not readDirSync: with 100,000 files that takes 40 MB more.
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (!isDirectory && CLIENT_FILE.test(name)) names.push(name);
    }
  } catch (error) {
    throw new StoreError(`Cannot read ${folder}: ${reasonOf(error)}`, { cause: error });
  }
  names.sort();
  const numbers = Float64Array.from(names, (name) => clientNumber(name) ?? Infinity);
  const order = Uint32Array.from(names, (_, index) => index);
  order.sort((a, b) => numbers[a] === numbers[b] ? a - b : (numbers[a] ?? 0) - (numbers[b] ?? 0));
  return Array.from(order, (index) => names[index] ?? "");
}

/** The number in the name of a client file, or `undefined` when something else follows the underscore. */
export function clientNumber(name: string): number | undefined {
  const rest = CLIENT_FILE.exec(name)?.[1] ?? "";
  return /^\d{1,15}$/.test(rest) ? Number(rest) : undefined;
}

/**
 * Parses a client's file: the key on its first line, rules on the others.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const file = parseClientFile(`${"A".repeat(43)}=\nname = phone\n`);
 * assert.deepEqual(typeof file === "string" ? file : file.rules, { ok: true, rules: { name: "phone" } });
 * assert.equal(parseClientFile("name = phone"), "not base64");
 * ```
 */
export function parseClientFile(text: string): ClientFile | KeyTextFault {
  // Empty lines before the key are forgiven, as in other key files.
  const trimmed = text.trimStart();
  const publicKey = parsePublicKey(trimmed.split(/[\r\n]/, 1)[0] ?? "");
  if (typeof publicKey === "string") return publicKey;
  return { publicKey, rules: parseRules(trimmed) };
}

/**
 * Reads a client's file. Not a promise: awaiting 10,000 small files takes 0.6 s, reading them so
 * 0.09 s.
 */
export function readClientFile(path: string): ClientFile | StoreFault {
  try {
    const file = parseClientFile(Deno.readTextFileSync(path));
    return typeof file === "string" ? { path, state: `${file}, skipped` } : file;
  } catch (error) {
    return { path, state: `${reasonOf(error)}, skipped`, isUnread: true };
  }
}

/** The key of a client's file, whatever its rules are. */
export function readClientKey(path: string): PublicKey | StoreFault {
  const file = readClientFile(path);
  return "state" in file ? file : file.publicKey;
}

/** What is wrong with the rules of a client's file; nothing where they can be used. */
export function ruleFaultOf(path: string, { rules }: ClientFile): StoreFault | undefined {
  if (rules.ok) return undefined;
  const { line, state } = rules.fault;
  return { path, state: `line ${line} ${state}; the server refuses this client` };
}

/**
 * Reads the lines of the register one by one; one that is missing is empty. Empty lines and comments (`#`)
 * are passed over.
 *
 * @returns the lines that are no secrets.
 * @throws {StoreError} when it cannot be read.
 */
export async function readRegisterLines(
  path: string,
  onLine: (line: RegisterLine) => void,
): Promise<StoreFault[]> {
  const faults: StoreFault[] = [];
  let number = 0;
  for await (const { text, isComplete } of readLines(path)) {
    number++;
    if (/^\s*(?:#|$)/.test(text)) continue;
    const line = parseRegisterLine(text);
    if (line !== undefined) {
      onLine(line);
      continue;
    }
    const state = `line ${number} is not a secret, skipped`;
    faults.push(isComplete ? { path, state } : { path, state, isUnfinished: true });
  }
  return faults;
}

interface TextLine {
  readonly text: string;
  /** Whether a line end follows. */
  readonly isComplete: boolean;
}

/** The lines of a file, a piece at a time: a register of 100,000 secrets has 13 MB. */
async function* readLines(path: string): AsyncGenerator<TextLine> {
  let rest = "";
  // Old Macs end lines with CR alone.
  const linesOf = (text: string, isComplete: boolean): TextLine[] =>
    text.replace(/\r$/, "").split("\r").map((each, index, { length }) => {
      return { text: each, isComplete: isComplete || index < length - 1 || text.endsWith("\r") };
    });
  try {
    const file = await Deno.open(path);
    for await (const text of file.readable.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield* linesOf(line, true);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new StoreError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  if (rest !== "") yield* linesOf(rest, false);
}

/**
 * The text of the register; one that is missing is empty.
 *
 * @throws {StoreError} when it cannot be read.
 */
export async function readRegister(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw new StoreError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
