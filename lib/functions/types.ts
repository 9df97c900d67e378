/**
 * @module
 * What the author of a function sees. For editors and type checks only: a module needs to import
 * nothing to work. docs/modules.md explains it with examples. Below it, what the rest of the server
 * sees of a call.
 */
import type { CallRefusalCode, Refusal } from "../refusals.ts";

/** Writes lines to the server's log, under the name of the function. At most 20 lines a second are kept. */
export interface FunctionLog {
  /** Only shown with MSP_LOGLEVEL=DEBUG. */
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

/** One call of a function. */
export interface FunctionCall {
  /** The name in modules.ini, in lower case: one module can serve several functions. */
  readonly functionName: string;
  /** What the client sent along, from JSON; `undefined` in protocol v1, which sends nothing. */
  readonly params: unknown;
  /** The same as `params`. */
  readonly args: unknown;
  /** Aborts when the time of the call is over; nobody waits for the result any more. */
  readonly signal: AbortSignal;
  readonly log: FunctionLog;
}

/**
 * What a module exports as `entry_call`, `entryCall` or default. A string is the answer as it is,
 * anything else becomes JSON text (nothing at all becomes `null`); a promise is waited for.
 */
export type EntryCall = (call: FunctionCall) => unknown;

/** How a call ended, for the protocol that seals it. */
export type CallResult =
  | {
    readonly ok: true;
    /** The result as text; JSON text where the function gave no string. */
    readonly text: string;
    /** Whether the function gave something other than a string. */
    readonly isJson: boolean;
  }
  | Refusal<CallRefusalCode>;

/** Who can be asked to call a function. */
export interface FunctionCaller {
  /**
   * Calls a function; never rejects. Not a promise when it is answered at once.
   *
   * @param functionName folded to lower case
   * @param params JSON text that is parsed in the function's worker; `undefined` in protocol v1
   */
  call(functionName: string, params: string | undefined): CallResult | Promise<CallResult>;
}
