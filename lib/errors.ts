/**
 * @module
 * The classes of broken promises, each with a literal `code`, and the table that maps a code to the
 * exit status of the program. Expected outcomes are values, not errors.
 *
 * A message says `Cannot <verb> <thing>: <state>` and never contains a key, a secret, plaintext or
 * a line of a key file. `hint` names the remedy where there is one.
 */

import { dirname } from "node:path";

/** What every error of this program carries beside its message. */
export interface ErrorDetail {
  /** What the user can do about it; shown as a line of its own. */
  readonly hint?: string;
  /** What was caught, kept for tests and debuggers, never shown. */
  readonly cause?: unknown;
}

/** Exit status of the program for each error code: 1 failed, 2 wrong usage. */
export const EXIT_CODES = {
  usage: 2,
  config: 1,
  key_file: 1,
  store: 1,
  function: 1,
  call: 1,
  output: 1,
} as const;

/** The code of an {@link MspError}. */
export type ErrorCode = keyof typeof EXIT_CODES;

/** Base of the errors that are shown to the user as one line, without a stack trace. */
export abstract class MspError extends Error {
  abstract readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(message: string, detail: ErrorDetail = {}) {
    super(message, { cause: detail.cause });
    this.name = new.target.name;
    this.hint = detail.hint ?? grantHint(detail.cause) ?? ownerHint(detail.cause);
  }
}

/** The command line is wrong: unknown command or option, missing or surplus argument. */
export class UsageError extends MspError {
  override readonly code = "usage";
}

/** config.ini, modules.ini or an environment variable holds something unusable. */
export class ConfigError extends MspError {
  override readonly code = "config";
}

/** A key file is missing, unreadable, malformed or already there. */
export class KeyFileError extends MspError {
  override readonly code = "key_file";
}

/** The key store refuses a change or cannot be changed. */
export class StoreError extends MspError {
  override readonly code = "store";
}

/** A function cannot be loaded. */
export class FunctionError extends MspError {
  override readonly code = "function";
}

/** A call from the client's side did not bring an answer. */
export class CallError extends MspError {
  override readonly code = "call";
}

/** Standard output cannot be written. */
export class OutputError extends MspError {
  override readonly code = "output";
}

/** How to grant the path that Deno refused, when that is what happened. */
function grantHint(error: unknown): string | undefined {
  if (!(error instanceof Deno.errors.NotCapable)) return undefined;
  const path = /access to "([^"]+)"/.exec(error.message)?.[1];
  if (/^\/(?:dev|proc|sys)\//.test(path ?? "")) return "choose a path that is not a system file";
  // Files are replaced whole, through a temporary file beside them.
  const folder = path === undefined ? undefined : dirname(path);
  // Never more than one folder: a grant of / is one of the whole disk.
  if (folder === undefined || folder === "/") return "use a path below the working folder";
  const flags = `--allow-read=${folder} --allow-write=${folder}`;
  const how = Deno.build.standalone
    ? `build the program with deno task compile ${flags}`
    : `start it with deno run ${flags} … main.ts`;
  return `use a path below the working folder, or grant its folder: ${how}`;
}

/** What to check when the operating system denies access. */
function ownerHint(error: unknown): string | undefined {
  if (!(error instanceof Deno.errors.PermissionDenied)) return undefined;
  // Deno 2.4.2 does not always name the path; the message around it does.
  const path = pathOf(error) ?? "it";
  return `the user of this program needs access to ${path}: check its owner and mode with ls -ld`;
}

/** The path that an error of the file system is about, where it says so. */
export function pathOf(error: unknown): string | undefined {
  return error instanceof Error ? /'([^']+)'$/.exec(error.message)?.[1] : undefined;
}

/**
 * What went wrong, in a few words, for a message: the kind of a file system error without the path
 * (the message around it names the path already).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(reasonOf(new Deno.errors.NotFound("open /x")), "not found");
 * ```
 */
export function reasonOf(error: unknown): string {
  for (const [kind, reason] of REASONS) if (error instanceof kind) return reason;
  if (!(error instanceof Error)) return String(error);
  if (/lookup address information/.test(error.message)) return "the host name is not known";
  return error.message
    .replace(/[:,]? (?:open|mkdir|rename|stat|readdir|read|write|remove) ['"/].*$/, "")
    .replace(/ \(os error \d+\)/, "");
}

// Deno has no classes for these.

/** Whether a file cannot be replaced or removed because it is in use or a mount (EBUSY of Linux). */
export function isBusy(error: unknown): error is Error {
  return error instanceof Error && /\(os error 16\)/.test(error.message);
}

/** Whether a file system does not know an operation (EINVAL, and EOPNOTSUPP of Linux and macOS). */
export function isUnsupported(error: unknown): boolean {
  return error instanceof Deno.errors.NotSupported ||
    error instanceof Error && /\(os error (?:22|95|45)\)/.test(error.message);
}

const REASONS: readonly (readonly [new (message?: string) => Error, string])[] = [
  [Deno.errors.NotFound, "not found"],
  [Deno.errors.AlreadyExists, "it exists already"],
  [Deno.errors.PermissionDenied, "the operating system denies access"],
  [Deno.errors.NotCapable, "outside of the paths this program may use"],
  [Deno.errors.FilesystemLoop, "it is a symbolic link, which is not followed for writing"],
  [Deno.errors.IsADirectory, "it is a folder"],
  [Deno.errors.NotADirectory, "a part of the path is not a folder"],
  [Deno.errors.BrokenPipe, "its reader is gone"],
  [Deno.errors.AddrInUse, "another program listens there"],
  [Deno.errors.AddrNotAvailable, "this machine does not have that address"],
];
