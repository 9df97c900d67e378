/**
 * @module
 * JSON-RPC 2.0 as the client speaks it: requests as text, answers as values or errors. What a server
 * says here was authenticated; what it means for `executed` is decided here.
 */
import { CallError, type CallErrorCode, type Executed } from "./errors.ts";

/** Arguments of a call, by name. */
export type Params = object;

/** A call by name, with or without arguments. */
export type BatchCall = readonly [name: string, params?: Params | undefined];

/** Ids of a request: the position of the call, from 1. */
function writeCall([method, params]: BatchCall, position: number): Record<string, unknown> {
  if (
    params !== undefined && (typeof params !== "object" || params === null || Array.isArray(params))
  ) {
    throw new TypeError("expected an object");
  }
  return { jsonrpc: "2.0", method, ...params === undefined ? {} : { params }, id: position + 1 };
}

/**
 * The text of a request.
 *
 * @throws {CallError} `invalid-params` when the arguments cannot be written as JSON
 */
export function writeRequest(calls: readonly BatchCall[], isBatch: boolean): string {
  try {
    const written = calls.map(writeCall);
    return JSON.stringify(isBatch ? written : written[0]);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CallError("invalid-params", `Cannot send the arguments: ${why}`, {
      executed: "no",
      cause,
    });
  }
}

/** Code and `executed` of the errors that a server knows. */
const ERRORS: Readonly<Record<number, readonly [CallErrorCode, Executed]>> = {
  [-32700]: ["protocol", "no"],
  [-32600]: ["protocol", "no"],
  [-32601]: ["not-found", "no"],
  [-32602]: ["invalid-params", "no"],
  [-32000]: ["busy", "no"],
  [-32001]: ["failed", "yes"],
  [-32002]: ["timeout", "yes"],
  [-32003]: ["too-large", "yes"],
};

/** What one call of a request brought. */
export type CallOutcome = PromiseSettledResult<unknown>;

/**
 * The outcomes of the calls of a request, in their order.
 *
 * @param ref of the call, for its errors
 */
export function readResponse(
  text: string,
  { calls, isBatch, ref }: { calls: readonly BatchCall[]; isBatch: boolean; ref: string },
): CallOutcome[] {
  let response: unknown;
  try {
    response = JSON.parse(text);
  } catch {
    response = undefined;
  }
  // A server that refuses a batch whole answers with one error.
  const members = isBatch && Array.isArray(response) ? response : [response];
  const isWhole = !isBatch || !Array.isArray(response);
  return calls.map(([name], i) => {
    const found = members.find((each) => isWhole || idOf(each) === i + 1);
    return readMember(found, { name, ref, position: i + 1 });
  });
}

function idOf(member: unknown): unknown {
  return typeof member === "object" && member !== null && "id" in member ? member.id : undefined;
}

function readMember(
  member: unknown,
  { name, ref, position }: { name: string; ref: string; position: number },
): CallOutcome {
  if (typeof member === "object" && member !== null) {
    if ("error" in member) return reject(readError(member.error, name, ref));
    if ("result" in member && idOf(member) === position) {
      return { status: "fulfilled", value: member.result };
    }
  }
  const message = `Cannot call ${name}: the answer is not JSON-RPC`;
  return reject(new CallError("protocol", message, { executed: "maybe", ref }));
}

function reject(reason: CallError): CallOutcome {
  return { status: "rejected", reason };
}

function readError(error: unknown, name: string, ref: string): CallError {
  const { code, message, data } =
    (typeof error === "object" && error !== null ? error : {}) as Record<
      string,
      unknown
    >;
  const [known, executed] = ERRORS[Number(code)] ?? ["protocol", "maybe"];
  const why = typeof message === "string" ? message : `error ${String(code)}`;
  if (known !== "failed") {
    return new CallError(known, `Cannot call ${name}: ${why}`, { executed, ref, data });
  }
  // Message and data are the function's own, for people as they are.
  return new CallError(known, why, {
    executed: asExecuted(memberOf(data, "executed")) ?? executed,
    ref,
    data: memberOf(data, "data"),
  });
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/** What the server knows better than the code says: a function that failed before it began. */
function asExecuted(value: unknown): Executed | undefined {
  return value === "no" || value === "maybe" || value === "yes" ? value : undefined;
}
