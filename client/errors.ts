/**
 * @module
 * The one error of a call, and what it says about whether the function ran.
 */

/**
 * Why a call brought no result.
 *
 * - `unreachable`: no answer from the server, or a proxy on the way has none
 * - `timeout`: the time of the call is over, here or at the server
 * - `refused`: the server does not know this client, or does not accept it now; nothing was called
 * - `session-lost`: the server did not accept the call, mostly because it was restarted. The next call
 *   starts a new session. The refusal is not authenticated, so the call may have run
 * - `not-found`: no such function, or this client may not call it
 * - `invalid-params`: the arguments do not fit
 * - `busy`: too many calls; `retryAfterMs` says when to try again, where the server knows
 * - `failed`: the function threw
 * - `too-large`: the arguments or the result are larger than the server allows
 * - `protocol`: what answered does not speak this protocol, or the answer was changed on the way
 */
export type CallErrorCode =
  | "unreachable"
  | "timeout"
  | "refused"
  | "session-lost"
  | "not-found"
  | "invalid-params"
  | "busy"
  | "failed"
  | "too-large"
  | "protocol";

/** Whether the function ran. `maybe` is what the caller must treat as `yes`, unless the call may be repeated. */
export type Executed = "no" | "maybe" | "yes";

/** What an error carries beside its code. */
export interface CallErrorDetail {
  readonly executed: Executed;
  /** Eight hex digits that also stand in the server's log. */
  readonly ref?: string | undefined;
  /** What the server says about it. */
  readonly data?: unknown;
  readonly cause?: unknown;
}

/** A call brought no result. */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly code: CallErrorCode;
  readonly executed: Executed;
  /** Eight hex digits that also stand in the server's log, where the server got that far. */
  readonly ref: string | undefined;
  /** For `failed` what the function gave with its error; for others what the server says about them. */
  readonly data: unknown;

  constructor(code: CallErrorCode, message: string, detail: CallErrorDetail) {
    super(message, { cause: detail.cause });
    this.code = code;
    this.executed = detail.executed;
    this.ref = detail.ref;
    this.data = detail.data;
  }

  /** Milliseconds after which a `busy` server asks to be tried again. */
  get retryAfterMs(): number | undefined {
    const { data } = this;
    if (typeof data !== "object" || data === null || !("retryAfterMs" in data)) return undefined;
    return typeof data.retryAfterMs === "number" ? data.retryAfterMs : undefined;
  }

  /** The same error with more doubt: an earlier attempt of the call may have run. */
  afterAttempt(): CallError {
    if (this.executed !== "no") return this;
    const { code, message, ref, data, cause } = this;
    return new CallError(code, message, { executed: "maybe", ref, data, cause });
  }
}
