/**
 * @module
 * What server and function host say to each other: JSON, one message a line, over the host's standard
 * input and output. Lines of the host begin with a token that only server and host know, because a
 * function could write to the same file descriptor: a line without it is output, not a message. Whoever
 * reads a message checks the type of each field and cuts each text, since a function may have forged it.
 */
import type { GrantName } from "../config/permissions.ts";
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
}

/** The first message to a host. */
export interface HostSetup {
  readonly token: string;
  /** Bytes of resident memory beyond what the host and its workers start with. */
  readonly maxGrowthBytes: number;
  /** Functions without grants share the host, and may be loaded at any time. */
  readonly isShared: boolean;
  /** Milliseconds of CPU time without a call to answer, after which the host reports itself. */
  readonly maxIdleCpuMs: number;
}

/** What comes with a call: JSON text of its params, and the caller's name; neither in most. */
export type CallExtras = readonly [params: string | null, client?: string];

/** Of each call of a batch. */
export type BatchExtras = readonly CallExtras[];

/**
 * Later messages to a host. `load` starts a worker for each instance, numbered from `worker` on; a host
 * that is not shared gets it once. `abort`: nobody waits for these calls any more.
 */
export type ToHost =
  | readonly ["load", worker: number, hosted: HostedFunction]
  | readonly ["unload", worker: number]
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
export type OutcomeKind = typeof OUTCOME_KINDS[number];
const OUTCOME_KINDS = ["text", "json", "error", "public", "params", "large"] as const;

/** How a call ended; `more` as its kind says. */
export type CallOutcome = readonly [id: number, kind: OutcomeKind, text: string, more?: string];

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
  /** `hasReturned`: the worker took the last batch of calls, its event loop is free. */
  | readonly ["results", worker: number, hasReturned: boolean, outcomes: readonly CallOutcome[]]
  | readonly ["output", worker: number, level: OutputLevel, text: string]
  | readonly ["left out", worker: number, count: number];

/** Messages of a host. */
export type FromHost =
  | WorkerMessage
  /** The last one: more memory than it may have. */
  | readonly ["memory", bytes: number]
  /** The last one: CPU time without a call; the functions that were called or loaded since it was quiet. */
  | readonly ["idle cpu", milliseconds: number, functionNames: readonly string[]];

/** What a worker gets: first what it is, then calls. */
export type ToWorker =
  | { readonly load: Pick<HostedFunction, "functionName" | "moduleUrl" | "maxResultBytes"> }
  | { readonly call: readonly number[]; readonly extras?: BatchExtras }
  | { readonly abort: readonly number[] };

/** What a worker says; not to be trusted beyond its own function. */
export type FromWorker =
  | { readonly started: true }
  | { readonly loaded: FunctionAbout }
  | { readonly failed: string; readonly kind: LoadFailure }
  | { readonly outcomes: readonly CallOutcome[]; readonly hasReturned: boolean }
  | { readonly output: string; readonly level: OutputLevel }
  | { readonly leftOut: number };

/** Characters of a line that a function writes to the log, and of an error text. */
export const MAX_TEXT_LENGTH = 2000;
/** Results of one message at most. */
export const MAX_OUTCOMES = 256;

/** A text that foreign code gave, cut to a length; `undefined` when it is not a text. */
export function cutText(value: unknown, length = MAX_TEXT_LENGTH): string | undefined {
  return typeof value === "string" ? value.slice(0, length) : undefined;
}

/** Whether a value is a level of output. */
export function isOutputLevel(value: unknown): value is OutputLevel {
  return value === "debug" || value === "info" || value === "warn" || value === "error";
}

/** Whether a value is the outcome of a call. */
export function isOutcome(value: unknown): value is CallOutcome {
  if (!Array.isArray(value) || value.length < 3 || value.length > 4) return false;
  const [id, kind, text, more] = value;
  return isCount(id) && OUTCOME_KINDS.includes(kind) && isText(text) &&
    (value.length === 3 || isText(more));
}

/** Characters of an outcome's texts. */
export function lengthOf([, , text, more = ""]: CallOutcome): number {
  return text.length + more.length;
}

/** An outcome whose texts are no longer than they may be: those for the log, and those for the caller. */
export function cutOutcome(outcome: CallOutcome, maxResultBytes: number): CallOutcome {
  const [id, kind, text] = outcome;
  if (kind === "error" || kind === "params") {
    const [, , , more] = outcome;
    const cut = text.slice(0, MAX_TEXT_LENGTH);
    return more === undefined ? [id, kind, cut] : [id, kind, cut, more.slice(0, MAX_TEXT_LENGTH)];
  }
  return lengthOf(outcome) <= maxResultBytes ? outcome : [id, "large", ""];
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
 * assert.equal(parseFromHost(`["results",0,true,[[1,"text",{"length":0}]]]`), undefined);
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
      return [kind, first];
    case "loaded":
      return [kind, first, believeAbout(second)];
    case "failed":
      if (text === undefined) return undefined;
      return [kind, first, second === "address in use" ? second : "other", text];
    case "results":
      if (typeof second !== "boolean" || !isList(third, isOutcome)) return undefined;
      return [kind, first, second, third];
    case "output":
      return isOutputLevel(second) && text !== undefined ? [kind, first, second, text] : undefined;
    case "left out":
      return isCount(second) ? [kind, first, second] : undefined;
    case "idle cpu":
      return isList(second, isText) ? [kind, first, second] : undefined;
  }
  return undefined;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isList<T>(value: unknown, isMember: (member: unknown) => member is T): value is T[] {
  return Array.isArray(value) && value.length <= MAX_OUTCOMES && value.every(isMember);
}
