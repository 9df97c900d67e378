/**
 * @module
 * What the author of a function sees. For editors and type checks only: a module needs to import
 * nothing to work. docs/modules.md explains it with examples.
 */

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
  /** What the client sent along; `undefined` in protocol v1, which sends nothing. */
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
