/**
 * @module
 * Every reason for which a request is refused: a stable code, for metrics and alerts, and a text for
 * the log. Codes never change their meaning; a new reason is one new line here.
 */

/** Code → text for the log. The sender of a refused v1 request learns neither. */
export const REFUSALS = {
  not_found: "no such path",
  wrong_method: "the method is not POST",
  probe: "the method is GET, as of a health check",
  wrong_content_type: "the content type does not fit the endpoint",
  body_too_large: "the body is larger than [Limits] BodySize",
  body_too_slow: "the body took longer than [Limits] BodyTimeout",
  body_incomplete: "the connection ended before the body was complete",
  body_evicted: "the body was slow and another request needed the slot",
  server_full: "[Limits] Requests are in flight already",
  address_full: "[Limits] RequestsPerAddress are in flight from this address already",
  not_json: "the body is not JSON",
  malformed_value: "a value is missing or malformed",
  malformed_message: "the message is malformed",
  unknown_server_key: "the hello is for a key that this server does not have",
  unknown_ticket: "the ticket was issued before a restart, has expired, or is forged",
  retired_ticket: "the client has used [V2] TicketsPerClient newer tickets",
  tampered_call: "the call does not open with the keys of its ticket",
  unknown_sender: "unknown sender or tampered value",
  invite_busy: "too many clients join at the same time",
  invite_failed: "the client of an invite could not be registered",
  search_limit: "too many requests of unknown senders",
  reflected: "a value was sealed by this server",
  check_mismatch: "check does not match id",
  expired: "the request is too old",
  too_early: "the request is dated in the future",
  unknown_secret: "the secret is not registered",
  malformed_name: "the function name is not UTF-8",
  replayed: "the request was accepted before",
  memory_full: "the client's share of [Limits] RememberedRequests is used up",
  predates_memory: "the request is older than the memory of accepted requests",
  redis_unavailable: "the Redis server of [Cluster] cannot be asked",
  client_removed: "the client was removed while the function ran",
  client_expired: "the client's key has expired",
  client_source: "the client may not send from this address",
  client_rate: "the client's rate is used up",
  unknown_function: "no function has this name",
  function_not_allowed: "the client may not call the function",
  function_failed: "the function failed",
  function_params: "the arguments do not fit the function's params",
  function_result_too_large: "the result of the function is larger than its MaxResult",
  function_timed_out: "the function took longer than its Timeout",
  function_busy: "the function's queue is full",
  function_broken: "the function cannot be loaded",
  internal_error: "internal error",
} as const satisfies Readonly<Record<string, string>>;

/** Code of a refusal. */
export type RefusalCode = keyof typeof REFUSALS;

/** Codes of a call that brought no result, where the request as a whole was accepted. */
export type CallRefusalCode = Extract<
  RefusalCode,
  "unknown_function" | "client_rate" | `function_${string}`
>;

/** Why something was refused. Never holds a value of the request. */
export interface Refusal<Code extends RefusalCode = RefusalCode> {
  readonly ok: false;
  readonly code: Code;
  /** For the log only: numbers, or what a function threw. */
  readonly detail?: string;
}
