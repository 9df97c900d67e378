/**
 * @module
 * Tries the paths that a function was granted, where it will use them: in its own process, as its user,
 * behind the wall.
 */
import { join } from "node:path";

/** Paths as modules.ini names them. */
export interface GrantedPaths {
  readonly read: readonly string[];
  readonly write: readonly string[];
}

/**
 * Sentences about paths that cannot be used as they were granted. A file that is only for reading is
 * opened, a folder is listed; in a folder for writing, a file is created and removed again.
 */
export function unusablePaths({ read, write }: GrantedPaths): string[] {
  return [
    ...read.flatMap((path) => problem(path, "read", () => tryReading(path))),
    ...write.flatMap((path) => problem(path, "written", () => tryWriting(path))),
  ];
}

function problem(path: string, verb: string, attempt: () => void): string[] {
  try {
    attempt();
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // The system's words, without the path that stands before them.
    return [`${path} cannot be ${verb}: ${reason.replace(/: \w+ ['"].*$/s, "")}`];
  }
}

function tryReading(path: string): void {
  const { isDirectory, isFile } = Deno.statSync(path);
  if (isDirectory) Deno.readDirSync(path)[Symbol.iterator]().next();
  // Opening a pipe would wait for its other end.
  else if (isFile) Deno.openSync(path).close();
}

function tryWriting(path: string): void {
  const { isDirectory, isFile } = Deno.statSync(path);
  if (isFile) Deno.openSync(path, { write: true }).close();
  if (!isDirectory) return;
  const file = join(path, `.msp-check-${crypto.randomUUID()}`);
  Deno.openSync(file, { write: true, createNew: true }).close();
  Deno.removeSync(file);
}
