/**
 * @module
 * The log file: rotated, and created again when it or its folder was removed while it was open. Without
 * that, lines would go to a file that nobody can find.
 */
import { getRotatingFileSink } from "@logtape/file";
import type { LogRecord, Sink } from "@logtape/logtape";
import { dirname, join } from "node:path";
import { ensureFolder } from "./files.ts";

/** Size at which latest.log is rotated. */
const MAX_BYTES = 10 * 1024 * 1024;
/** Lines reach the disk in the background after this time at most, or when the log is closed. */
const FLUSH_INTERVAL_MS = 250;
/** How often to check that the file is there. */
const CHECK_INTERVAL_MS = 1000;
/** Mode of the folder: addresses are in the log. */
const FOLDER_MODE = 0o750;

/** What a log file looks like. */
export interface LogFileOptions {
  readonly formatter: (record: LogRecord) => string;
  /** Rotated files that are kept beside it. */
  readonly maxFiles: number;
}

/** A sink for log records; its disposal writes what is still in memory. */
export type LogFile = Sink & AsyncDisposable;

/**
 * Opens `latest.log` in a folder, which is created where absent.
 *
 * @returns the sink, and whether the folder had to be created.
 * @throws {Deno.errors} when it cannot be written.
 */
export async function openLogFile(
  folder: string,
  { formatter, maxFiles }: LogFileOptions,
): Promise<{ file: LogFile; wasMade: boolean }> {
  const path = join(folder, "latest.log");
  const options = {
    formatter,
    maxSize: MAX_BYTES,
    maxFiles,
    nonBlocking: true,
    flushInterval: FLUSH_INTERVAL_MS,
  };
  // Without blocking, its disposal is asynchronous; its types name the first overload only.
  const open = (): Sink & Partial<AsyncDisposable> => getRotatingFileSink(path, options);
  const wasMade = await ensureFolder(folder, FOLDER_MODE);
  let current = open();
  const timer = setInterval(async () => {
    if (await isThere(path)) return;
    try {
      await ensureFolder(dirname(path), FOLDER_MODE);
      const previous = current;
      current = open();
      await previous[Symbol.asyncDispose]?.();
    } catch {
      // It is tried again; standard error has the lines.
    }
  }, CHECK_INTERVAL_MS);
  Deno.unrefTimer(timer);
  const file = Object.assign((record: LogRecord) => current(record), {
    async [Symbol.asyncDispose](): Promise<void> {
      clearInterval(timer);
      await current[Symbol.asyncDispose]?.();
    },
  });
  return { file, wasMade };
}

/** Whether something is at the path; a folder that cannot be looked at is none of our business here. */
async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(
    () => true,
    (error) => !(error instanceof Deno.errors.NotFound),
  );
}
