/**
 * @module
 * What the program says: results on standard output, everything else on standard error. Errors become
 * messages and exit statuses.
 */
import { fstatSync } from "node:fs";
import { EXIT_CODES, MspError, OutputError, reasonOf } from "../lib/errors.ts";
import { forTerminal, styleOf } from "./style.ts";

/**
 * Writes a result to standard output. What would control a terminal there is replaced.
 *
 * @throws {OutputError} when it cannot be written.
 */
export function writeResult(text: string): void {
  try {
    writeAll(Deno.stdout, Deno.stdout.isTerminal() ? forTerminal(text) : text);
  } catch (error) {
    throw new OutputError(`Cannot write to standard output: ${reasonOf(error)}`, { cause: error });
  }
}

/** Linux's /dev/null, which also stands for a standard output that was closed before the start. */
const NULL_DEVICE = 0x103;

/**
 * Writes a result that is shown only once.
 *
 * @throws {OutputError} when it cannot be written, or would be lost.
 */
export function writeOnlyCopy(text: string): void {
  if (Deno.build.os === "linux" && fstatSync(1).rdev === NULL_DEVICE) {
    throw new OutputError("Cannot write to standard output: it is closed, or /dev/null", {
      hint: "the values are shown only once: keep the output",
    });
  }
  writeResult(text);
}

/** Writes a line for people to standard error. */
export function writeNote(text: string): void {
  writeMessage("note", text);
}

/**
 * Prints an error.
 *
 * @returns the exit status of the program.
 */
export function reportError(error: unknown): number {
  if (error instanceof MspError) {
    writeMessage("error", error.message);
    if (error.hint !== undefined) writeMessage("hint", error.hint);
    return EXIT_CODES[error.code];
  }
  // A fault of the program: its kind and message may help a report, its stack trace helps nobody here.
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  writeMessage("error", `Unexpected: ${text}`);
  writeMessage("hint", "please report this");
  return 1;
}

function writeMessage(kind: "error" | "hint" | "note", text: string): void {
  const { error, hint, warning } = styleOf(Deno.stderr);
  const mark = { error, hint, note: warning }[kind];
  try {
    writeAll(Deno.stderr, `msp: ${mark(`${kind}:`)} ${text.replace(/\p{Cc}/gu, "\ufffd")}\n`);
  } catch {
    // Nobody is there to be told; the exit status still says it.
  }
}

/** Writes a whole text to a stream. */
export function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
}
