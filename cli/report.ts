/**
 * @module
 * Errors become messages on standard error and exit codes.
 */
import { EXIT_CODES, MspError } from "../lib/errors.ts";

/**
 * Prints an error.
 *
 * @returns the exit code of the program.
 */
export function reportError(error: unknown): number {
  if (error instanceof MspError) {
    writeAll(Deno.stderr, `msp: error: ${error.message}\n`);
    if (error.hint !== undefined) writeAll(Deno.stderr, `msp: hint: ${error.hint}\n`);
    return EXIT_CODES[error.code];
  }
  if (error instanceof Deno.errors.BrokenPipe) return 1;
  // A fault of the program: its kind and message may help a report, its stack trace helps nobody here.
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  writeAll(Deno.stderr, `msp: error: Unexpected: ${text}\nmsp: hint: please report this\n`);
  return 1;
}

/** Writes a whole text to a stream. */
export function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
}
