/**
 * @module
 * What the author of a function sees. For editors and type checks only: a module needs to import
 * nothing to work. docs/modules.md explains it with examples. Below it, what the rest of the server
 * sees of a call.
 */
import type { Executed } from "../../client/errors.ts";
import type { CallRefusalCode, Refusal } from "../refusals.ts";
import type { FunctionAbout } from "./wire/about.ts";

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
  /**
   * The arguments, an object that fits the module's `params`; `undefined` in protocol v1, which sends
   * none.
   */
  readonly params: unknown;
  /** The caller's name, where the function's section says `Caller=name` and the client has one. */
  readonly client: string | undefined;
  /** Aborts when the time of the call is over; nobody waits for the result any more. */
  readonly signal: AbortSignal;
  readonly log: FunctionLog;
}

/**
 * What a module exports as `entry_call`, `entryCall` or default. In protocol v1 a string is the answer as
 * it is, anything else becomes JSON text (nothing at all becomes `null`); a promise is waited for.
 */
export type EntryCall = (call: FunctionCall) => unknown;

/** An error whose message and data the caller may see. */
export interface PublicErrorConstructor {
  new (message: string, detail?: { readonly data?: unknown; readonly cause?: unknown }): Error;
}

declare global {
  /** In modules only: `throw new PublicError("The garage is locked", { data: { door: 2 } })`. */
  var PublicError: PublicErrorConstructor;
}

/** How a call ended, for the protocol that seals it. */
export type CallResult =
  | {
    readonly ok: true;
    /** The result as text in UTF-8; JSON text where the function gave no string. */
    readonly bytes: Uint8Array;
    /** Whether the function gave something other than a string. */
    readonly isJson: boolean;
  }
  | FailedCall;

/** A call without a result, and what its caller may know of that. */
export interface FailedCall extends Refusal<CallRefusalCode> {
  /** Whether the function ran. */
  readonly executed: Executed;
  /** What the function itself says to the caller. */
  readonly message?: string;
  /** JSON text that comes with the message; as trustworthy as the function's process. */
  readonly messageData?: string;
  /** Facts about the refusal. */
  readonly data?: Readonly<Record<string, string | number>>;
}

/** What comes with a call. */
export interface CallRequest {
  /** JSON text of an object that is parsed in the function's worker; absent in protocol v1. */
  readonly params?: string | undefined;
  /** The client's name, for functions that may know it. */
  readonly client?: string | undefined;
}

/** Who can be asked to call a function. */
export interface FunctionCaller {
  /**
   * Calls a function; never rejects. Not a promise when it is answered at once.
   *
   * @param functionName folded to lower case
   */
  call(functionName: string, request: CallRequest): CallResult | Promise<CallResult>;
  /** Whether a name stands in modules.ini; no other name may reach log and metrics. */
  isRegistered(functionName: string): boolean;
}

/** Who knows what can be called. */
export interface FunctionDirectory {
  /** The functions that can be called, and what their modules say of them. */
  describe(): readonly DescribedFunction[];
}

/** A function, for those who may call it. */
export interface DescribedFunction {
  readonly functionName: string;
  readonly about: FunctionAbout;
}
