/**
 * @module
 * How a call ended, for whoever called: what a worker reported, or why none did.
 */
import { ShortBytes } from "../../short_bytes.ts";
import { toText } from "../wire/bytes.ts";
import type { CallOutcome } from "../wire/frames.ts";
import { MAX_TEXT_LENGTH } from "../wire/messages.ts";
import type { CallResult, FailedCall } from "../types.ts";

/** After this time a caller may try a busy function again. */
const RETRY_AFTER_MS = 1000;

const results = new ShortBytes();

/**
 * What came of a call that a worker reports. Its texts may be anything, of any length.
 *
 * @param maxResultBytes a longer result is an error
 */
export function resultOf({ kind, text, more }: CallOutcome, maxResultBytes: number): CallResult {
  if (kind === "error") return functionFailed(cutLine(text));
  if (kind === "params") return misfit(more === undefined ? "" : cutLine(more), cutLine(text));
  const isLarge = text.length + (more?.length ?? 0) > maxResultBytes;
  if (kind === "large" || isLarge) {
    const data = { maxResultBytes };
    const detail = `${maxResultBytes} bytes`;
    return { ok: false, code: "function_result_too_large", executed: "yes", detail, data };
  }
  // The frame's memory is used again.
  if (kind !== "public") return { ok: true, bytes: results.copy(text), isJson: kind === "json" };
  const message = toText(text);
  const messageData = more === undefined ? {} : { messageData: toText(more) };
  return { ...functionFailed(message), message, ...messageData };
}

function functionFailed(detail: string): FailedCall {
  return { ok: false, code: "function_failed", detail, executed: "yes" };
}

/** A text for the log, cut before and after it is decoded. */
function cutLine(bytes: Uint8Array): string {
  return toText(bytes.subarray(0, 3 * MAX_TEXT_LENGTH)).slice(0, MAX_TEXT_LENGTH);
}

/** No worker can take it now. */
export function busy(detail: string): FailedCall {
  const data = { retryAfterMs: RETRY_AFTER_MS };
  return { ok: false, code: "function_busy", detail, executed: "no", data };
}

/** The params do not fit. Their path is the caller's text, which stays out of the log. */
export function misfit(path: string, expected: string): FailedCall {
  const data = { path, expected };
  const detail = `expected ${expected}`;
  return { ok: false, code: "function_params", detail, executed: "no", data };
}
