/**
 * @module
 * JSON-RPC 2.0 as protocol v2 uses it (docs/protocol-v2.md): requests, notifications, batches, and what
 * is answered to them. `params` is an object or absent, and stays text: only the function's worker parses
 * it. Ids are returned as they were written.
 */
import { membersOf } from "./json_text.ts";

/** The codes of errors. */
export const RPC_ERRORS = {
  parse: { code: -32700, message: "Parse error" },
  request: { code: -32600, message: "Invalid Request" },
  method: { code: -32601, message: "Method not found" },
  params: { code: -32602, message: "Invalid params" },
  busy: { code: -32000, message: "Busy" },
  failed: { code: -32001, message: "The function failed" },
  timedOut: { code: -32002, message: "The function took too long" },
  tooLarge: { code: -32003, message: "The result is too large" },
} as const;

/** Name of an error. */
export type RpcErrorName = keyof typeof RPC_ERRORS;

/** An error that is answered. */
export interface RpcError {
  readonly name: RpcErrorName;
  /** In place of the one in {@link RPC_ERRORS}. */
  readonly message?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** One call of a request, or why it is none. */
export type RpcCall =
  | {
    readonly ok: true;
    /** As it was written, in any case. */
    readonly method: string;
    /** JSON text of an object. */
    readonly params: string | undefined;
    /** JSON text; `undefined` for a notification, to which nothing is answered. */
    readonly id: string | undefined;
  }
  | { readonly ok: false; readonly id: string | undefined; readonly error: RpcError };

/** A request: one call, or a batch. */
export interface RpcRequest {
  readonly isBatch: boolean;
  /** At least one. */
  readonly calls: readonly RpcCall[];
}

/** JSON text of an id that cannot be read. */
const NO_ID = "null";

/** Reads a request. What is wrong with it is in the calls, as errors to answer. */
export function readRequest(text: string, maxBatch: number): RpcRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return single(refuse(NO_ID, { name: "parse" }));
  }
  if (!Array.isArray(value)) return single(readCall(value, text));
  if (value.length === 0) return single(refuse(NO_ID, { name: "request" }));
  if (value.length > maxBatch) {
    return single(refuse(NO_ID, { name: "request", data: { maxBatch } }));
  }
  const texts = membersOf(text);
  const calls = value.map((each, i) => readCall(each, texts.get(String(i)) ?? NO_ID));
  return { isBatch: true, calls };
}

function single(call: RpcCall): RpcRequest {
  return { isBatch: false, calls: [call] };
}

function refuse(id: string | undefined, error: RpcError): RpcCall {
  return { ok: false, id, error };
}

/** @param text that of the value */
function readCall(value: unknown, text: string): RpcCall {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(NO_ID, { name: "request" });
  }
  const { jsonrpc, method, id, params } = value as Record<string, unknown>;
  const members = membersOf(text);
  const hasId = members.has("id");
  if (hasId && id !== null && typeof id !== "string" && typeof id !== "number") {
    return refuse(NO_ID, { name: "request" });
  }
  const idText = members.get("id");
  const isStructured = !members.has("params") || (typeof params === "object" && params !== null);
  if (jsonrpc !== "2.0" || typeof method !== "string" || !isStructured) {
    return refuse(idText ?? NO_ID, { name: "request" });
  }
  if (Array.isArray(params)) {
    // By position, which JSON-RPC allows and functions here do not.
    return refuse(idText, { name: "params", data: { path: "", expected: "an object" } });
  }
  return { ok: true, method, params: members.get("params"), id: idText };
}

/** The answer to one call: JSON text, or nothing. */
export type RpcAnswer = string | undefined;

/**
 * @param id JSON text; `undefined` for a notification
 * @param result JSON text
 */
export function writeResult(id: string | undefined, result: string): RpcAnswer {
  return id === undefined ? undefined : `{"jsonrpc":"2.0","result":${result},"id":${id}}`;
}

/** @param id JSON text; `undefined` for a notification */
export function writeError(id: string | undefined, error: RpcError): RpcAnswer {
  if (id === undefined) return undefined;
  const { code, message } = RPC_ERRORS[error.name];
  const content = JSON.stringify({ code, message: error.message ?? message, data: error.data });
  return `{"jsonrpc":"2.0","error":${content},"id":${id}}`;
}

/** The text of a response; empty where there is nothing to answer. */
export function writeResponse(isBatch: boolean, answers: readonly RpcAnswer[]): string {
  const written = answers.filter((each) => each !== undefined);
  if (written.length === 0) return "";
  return isBatch ? `[${written.join(",")}]` : written.join("");
}
