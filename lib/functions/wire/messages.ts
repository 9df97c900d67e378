/**
 * @module
 * What server and function host say to each other about workers and modules. The server's messages are
 * frames on the host's standard input (frames.ts); those of the host are lines on its standard error:
 * JSON after a token that only the two know, because functions and the runtime can write there too. A
 * line without it is output, not a message. The server checks the type of each field and cuts each
 * text, since a function may have forged it. Calls and their results are in frames.ts.
 */
import type { GrantName } from "../../config/permissions.ts";
import { believeAbout, type FunctionAbout } from "./about.ts";

/** What a function was granted: lists, or `true` for everything of a kind. */
export type WorkerPermissions = Readonly<Record<GrantName, readonly string[] | true>>;

/** A function, for the host that runs it. */
export interface HostedFunction {
  readonly functionName: string;
  readonly moduleUrl: string;
  readonly permissions: WorkerPermissions;
  readonly instances: number;
  readonly maxResultBytes: number;
  /** Granted paths that it is to try before it loads, as modules.ini names them. */
  readonly tries?: { readonly read: readonly string[]; readonly write: readonly string[] };
}

/** The first message to a host. */
export interface HostSetup {
  /** Begins each line that is a message. */
  readonly token: string;
  /** Begins each frame of results, in hexadecimal digits. */
  readonly markHex: string;
  /** Bytes of resident memory beyond what the host and its workers start with. */
  readonly maxGrowthBytes: number;
  /** Functions without grants share the host, and may be loaded at any time. */
  readonly isShared: boolean;
  /**
   * Whether the host gets one message to load one function, and calls of that function only: it runs in
   * the main thread.
   */
  readonly isLone: boolean;
  /** How often a host with a lone function is to say that it is there. */
  readonly lifeSignMs: number;
}

/**
 * Later messages to a host. `load` starts a worker for each instance, numbered from `worker` on; a host
 * that is not shared gets it once.
 */
export type ToHost =
  | readonly ["load", worker: number, hosted: HostedFunction]
  | readonly ["unload", worker: number];

/** Level of a line that a function writes. */
export type OutputLevel = "debug" | "info" | "warn" | "error";

/** Why a module does not load. */
export type LoadFailure = "address in use" | "other";

/** Messages of a host about one of its workers. */
export type WorkerMessage =
  /** The worker begins to load its module: its time counts from now. */
  | readonly ["loading", worker: number]
  | readonly ["loaded", worker: number, about: FunctionAbout]
  | readonly ["failed", worker: number, kind: LoadFailure, why: string]
  | readonly ["output", worker: number, level: OutputLevel, text: string]
  | readonly ["left out", worker: number, count: number];

/** Messages of a host. */
export type FromHost =
  | WorkerMessage
  /** The last one: more memory than it may have. */
  | readonly ["memory", bytes: number]
  /** CPU time of the last second, where that is worth mentioning. */
  | readonly ["cpu", milliseconds: number]
  /** It runs; nothing more. */
  | readonly ["alive", 0];

/** What is loaded, and within which limits. */
export type ModuleLoad = Pick<
  HostedFunction,
  "functionName" | "moduleUrl" | "maxResultBytes" | "tries"
>;

/** What a worker gets: first what it is, then calls, where the host passes them on. */
export type ToWorker =
  | { readonly load: ModuleLoad }
  /** The rest of a frame. */
  | { readonly frame: Uint8Array; readonly kind: number };

/** What a worker says; not to be trusted beyond its own function. */
export type FromWorker =
  | { readonly started: true }
  | { readonly loaded: FunctionAbout }
  | { readonly failed: string; readonly kind: LoadFailure }
  /** The payload of a frame. */
  | { readonly results: Uint8Array }
  | { readonly output: string; readonly level: OutputLevel }
  | { readonly leftOut: number };

/** Lines a second and worker of a function that are kept. */
export const LINES_PER_SECOND = 20;
/** Characters of a line that a function writes to the log, and of an error text. */
export const MAX_TEXT_LENGTH = 2000;

/** A text that foreign code gave, cut to a length; `undefined` when it is not a text. */
export function cutText(value: unknown, length = MAX_TEXT_LENGTH): string | undefined {
  return typeof value === "string" ? value.slice(0, length) : undefined;
}

/** Whether a value is a level of output. */
export function isOutputLevel(value: unknown): value is OutputLevel {
  return value === "debug" || value === "info" || value === "warn" || value === "error";
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/**
 * A message of a host, from the JSON text after its token.
 *
 * @returns undefined when it is not one: host and server are the same program, so somebody else wrote it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(parseFromHost(`["loading",3]`), ["loading", 3]);
 * assert.equal(parseFromHost(`["loading","3"]`), undefined);
 * ```
 */
export function parseFromHost(json: string): FromHost | undefined {
  let message: unknown;
  try {
    message = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!Array.isArray(message)) return undefined;
  const [kind, first, second, third] = message;
  if (!isCount(first)) return undefined;
  const text = cutText(third);
  switch (kind) {
    case "loading":
    case "memory":
    case "cpu":
      return [kind, first];
    case "alive":
      return [kind, 0];
    case "loaded":
      return [kind, first, believeAbout(second)];
    case "failed":
      if (text === undefined) return undefined;
      return [kind, first, second === "address in use" ? second : "other", text];
    case "output":
      return isOutputLevel(second) && text !== undefined ? [kind, first, second, text] : undefined;
    case "left out":
      return isCount(second) ? [kind, first, second] : undefined;
  }
  return undefined;
}
