/**
 * @module
 * JSON-RPC of protocol v2, between what a client asks and what functions give: which calls of a request go to
 * functions, and the response with their results, with errors, and with what the server's own methods say.
 */
import type { CallResult, DescribedFunction, FailedCall } from "../functions/types.ts";
import { isShallow } from "../json_depth.ts";
import type { CallRefusalCode } from "../refusals.ts";
import {
  type RpcAnswer,
  type RpcCall,
  type RpcError,
  type RpcErrorName,
  type RpcRequest,
  writeError,
  writeResponse,
  writeResult,
} from "./jsonrpc.ts";
import type { WantedCall } from "./protocol.ts";
import { ownResult, RPC_PREFIX } from "./rpc_methods.ts";
import { foldName } from "./v1_messages.ts";

/** Without params a function gets an empty object: absent ones mean that it is called by v1. */
const NO_PARAMS = "{}";

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

type RpcFunctionCall = Extract<RpcCall, { readonly ok: true }>;

function isOwn({ method }: RpcFunctionCall): boolean {
  return foldName(method).startsWith(RPC_PREFIX);
}

/** The calls that go to functions, in their order. */
export function wantedCalls({ calls }: RpcRequest): readonly WantedCall[] {
  return calls.filter((call) => call.ok).filter((call) => !isOwn(call)).map((call) => ({
    functionName: foldName(call.method),
    params: call.params ?? NO_PARAMS,
  }));
}

/** What answers a request. */
export interface AnswerSources {
  /** Of {@link wantedCalls}, in their order. */
  readonly results: readonly CallResult[];
  /** The functions that the client may call. */
  readonly functions: () => readonly DescribedFunction[];
}

/** The text of a response; empty when the request has only notifications. */
export function answerCalls(
  { request, reference }: { readonly request: RpcRequest; readonly reference: string },
  { results, functions }: AnswerSources,
): string {
  const { isBatch, calls } = request;
  let next = 0;
  // Once for a batch: the same result costs its sender nothing.
  const own = new Map<string, string | undefined>();
  const answers = calls.map((call): RpcAnswer => {
    if (!call.ok) return writeError(call.id, call.error);
    if (isOwn(call)) {
      const method = foldName(call.method);
      if (!own.has(method)) own.set(method, ownResult(method, functions));
      const result = own.get(method);
      if (result === undefined) return writeError(call.id, { name: "method" });
      return writeResult(call.id, result);
    }
    return writeOutcome(call.id, results[next++], { reference, isBatch });
  });
  return writeResponse(isBatch, answers);
}

function writeOutcome(
  id: string | undefined,
  result: CallResult | undefined,
  { reference, isBatch }: { reference: string; isBatch: boolean },
): RpcAnswer {
  if (result === undefined) return writeError(id, { name: "failed", data: { ref: reference } });
  if (!result.ok) return writeError(id, describeFailure(result, reference));
  const text = UTF8.decode(result.bytes);
  if (!result.isJson) return writeResult(id, JSON.stringify(text));
  // Functions share a batch's answer: none may write outside of its own member.
  if (isBatch && parsed(text) === undefined) {
    return writeError(id, { name: "failed", data: { ref: reference } });
  }
  return writeResult(id, text);
}

const ERRORS: Readonly<Record<CallRefusalCode, RpcErrorName>> = {
  unknown_function: "method",
  // Who may not call a function does not learn that it exists.
  function_not_allowed: "method",
  client_rate: "busy",
  function_params: "params",
  function_busy: "busy",
  function_timed_out: "timedOut",
  function_result_too_large: "tooLarge",
  function_failed: "failed",
  function_broken: "failed",
};

function describeFailure(
  { code, message, messageData, data, executed }: FailedCall,
  reference: string,
): RpcError {
  const name = ERRORS[code];
  if (name !== "failed") return data === undefined ? { name } : { name, data };
  const value = messageData === undefined ? undefined : parsed(messageData);
  // It is written again.
  const own = isShallow(value) ? value : undefined;
  return {
    name,
    ...message === undefined ? {} : { message },
    data: {
      ref: reference,
      // The code alone says "yes".
      ...executed === "yes" ? {} : { executed },
      ...own === undefined ? {} : { data: own },
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
