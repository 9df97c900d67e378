/**
 * @module
 * What is registered, read from the key store (docs/protocol.md §1): one client_*.pub a registered
 * key, one line of the register a secret. Nothing says which secret belongs to which key. Files and
 * lines that are malformed are passed over and reported, never with their content.
 */
import { parsePublicKey, type PublicKey } from "../crypto/keys.ts";
import { reasonOf, StoreError } from "../errors.ts";
import { parseRegisterLine, type RegisterLine } from "./secrets.ts";

/** A file or line that was passed over, and why. */
export interface StoreFault {
  readonly path: string;
  readonly state: string;
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
 * Reads one client file. Not a promise: awaiting 10,000 small files takes 0.6 s, reading them so
 * 0.09 s.
 */
export function readClientKey(path: string): PublicKey | StoreFault {
  try {
    const key = parsePublicKey(Deno.readTextFileSync(path));
    return typeof key === "string" ? { path, state: `${key}, skipped` } : key;
  } catch (error) {
    return { path, state: `${reasonOf(error)}, skipped` };
  }
}

/**
 * Reads the lines of the register one by one; one that is missing is empty.
 *
 * @returns the lines that were passed over.
 * @throws {StoreError} when it cannot be read.
 */
export async function readRegisterLines(
  path: string,
  onLine: (line: RegisterLine) => void,
): Promise<StoreFault[]> {
  const faults: StoreFault[] = [];
  let number = 0;
  for await (const text of readLines(path)) {
    number++;
    if (text.trim() === "") continue;
    const line = parseRegisterLine(text);
    if (line !== undefined) onLine(line);
    else faults.push({ path, state: `line ${number} is not a secret, skipped` });
  }
  return faults;
}

/** The lines of a file, a piece at a time: a register of 100,000 secrets has 13 MB. */
async function* readLines(path: string): AsyncGenerator<string> {
  let rest = "";
  try {
    const file = await Deno.open(path);
    for await (const text of file.readable.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      // Old Macs end lines with CR alone.
      for (const line of lines) yield* line.replace(/\r$/, "").split("\r");
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new StoreError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  if (rest !== "") yield* rest.split("\r");
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
