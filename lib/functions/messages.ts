/**
 * @module
 * What server and function host say to each other: JSON, one message a line, over the host's standard
 * input and output. Lines of the host begin with a token that only server and host know, because a
 * function could write to the same file descriptor: what does not carry it is output, no message.
 */
import type { GrantName } from "../config/permissions.ts";
import type { FunctionAbout } from "./about.ts";

/** What a function was granted: lists, or `true` for everything of a kind. */
export type WorkerPermissions = Readonly<Record<GrantName, readonly string[] | true>>;

/** A function, for the host that runs it. */
export interface HostedFunction {
  readonly functionName: string;
  readonly moduleUrl: string;
  readonly permissions: WorkerPermissions;
  readonly instances: number;
  readonly maxResultBytes: number;
}

/** The first message to a host. Workers are numbered by function, then by instance. */
export interface HostSetup {
  readonly token: string;
  readonly functions: readonly HostedFunction[];
  /** Bytes of resident memory beyond those at the start, at which the host ends itself. */
  readonly maxGrowthBytes: number;
}

/** What comes with a call: JSON text of its params, and the caller's name; neither in most. */
export type CallExtras = readonly [params: string | null, client?: string];

/** Of each call of a batch. */
export type BatchExtras = readonly CallExtras[];

/** Later messages to a host: start calls in a worker, or tell it that nobody waits any more. */
export type ToHost =
  | readonly ["call", worker: number, ids: readonly number[], extras?: BatchExtras]
  | readonly ["abort", worker: number, ids: readonly number[]];

/**
 * How a call ended:
 *
 * - `text`, `json`: its result, as text or as JSON text
 * - `error`: the description of what was thrown, for the log
 * - `public`: what was thrown for the caller, and JSON text that comes with it
 * - `params`: what the params were expected to be, and where in them; the function did not run
 * - `large`: the result is larger than MaxResult
 */
export type OutcomeKind = "text" | "json" | "error" | "public" | "params" | "large";

/** How a call ended; `more` as its kind says. */
export type CallOutcome = readonly [id: number, kind: OutcomeKind, text: string, more?: string];

/** Level of a line that a function writes. */
export type OutputLevel = "debug" | "info" | "warn" | "error";

/** Messages of a host. */
export type FromHost =
  | readonly ["loaded", worker: number, about: FunctionAbout]
  | readonly ["failed", worker: number, why: string]
  /** `hasReturned`: the worker took the last batch of calls, its event loop is free. */
  | readonly ["results", worker: number, hasReturned: boolean, outcomes: readonly CallOutcome[]]
  | readonly ["output", worker: number, level: OutputLevel, text: string]
  | readonly ["left out", worker: number, count: number]
  /** The last one: more memory than it may have. */
  | readonly ["memory", bytes: number];

/** What a worker gets: first what it is, then calls. */
export type ToWorker =
  | { readonly load: Pick<HostedFunction, "functionName" | "moduleUrl" | "maxResultBytes"> }
  | { readonly call: readonly number[]; readonly extras?: BatchExtras }
  | { readonly abort: readonly number[] };

/** What a worker says; not to be trusted beyond its own function. */
export type FromWorker =
  | { readonly started: true }
  | { readonly loaded: FunctionAbout }
  | { readonly failed: string }
  | { readonly outcomes: readonly CallOutcome[]; readonly hasReturned: boolean }
  | { readonly output: string; readonly level: OutputLevel }
  | { readonly leftOut: number };

/** Lines of a stream of bytes; the part after the last line end waits for more. */
export class LineReader {
  readonly #decoder = new TextDecoder();
  #rest: string[] = [];
  #restLength = 0;

  /** Characters of the line that is not complete yet. */
  get pendingLength(): number {
    return this.#restLength;
  }

  /** The lines that became complete, without their ends. */
  read(bytes: Uint8Array): string[] {
    const lines = this.#decoder.decode(bytes, { stream: true }).split("\n");
    const last = lines.pop() ?? "";
    if (lines.length > 0) {
      lines[0] = this.#rest.join("") + lines[0];
      this.#rest = [];
      this.#restLength = 0;
    }
    this.#rest.push(last);
    this.#restLength += last.length;
    return lines;
  }
}
