/**
 * @module
 * The calling side: one sealed call to a server. Used by `msp call`, importable by other programs.
 */
import { CallError as ClientError } from "../client/errors.ts";
import { callV1 } from "../client/v1.ts";
import { formatKey, type PrivateKey, type PublicKey, type SecretHex } from "./crypto/keys.ts";
import { CallError, reasonOf } from "./errors.ts";

/** What a client holds. */
export interface ClientKeys {
  readonly privateKey: PrivateKey;
  readonly secretHex: SecretHex;
  readonly serverPublicKey: PublicKey;
}

/** A call. */
export interface CallOptions {
  /** URL of the endpoint, such as `https://example.org/v1`. */
  readonly url: string;
  readonly functionName: string;
  readonly keys: ClientKeys;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  readonly timeoutMs?: number;
  /** A certificate authority to trust beside those of the system, in PEM. */
  readonly caCertificate?: string;
}

/** Longer than a server gives a function. */
const TIMEOUT_MS = 30_000;

/**
 * Calls a function and gives its answer.
 *
 * @throws {CallError} when the server cannot be reached, refuses the call, or answers with something
 * that does not open under the keys, or that is a part of the request itself.
 */
export async function callFunction(options: CallOptions): Promise<string> {
  const { url, functionName, keys, clock = Date.now, timeoutMs = TIMEOUT_MS, caCertificate } =
    options;
  using client = Deno.createHttpClient({
    caCerts: caCertificate === undefined ? [] : [caCertificate],
  });
  let status: number | undefined;
  try {
    return await callV1({
      url,
      functionName,
      timeoutMs,
      time: clock,
      keys: {
        privateKey: formatKey(keys.privateKey),
        serverKey: formatKey(keys.serverPublicKey),
        secret: keys.secretHex,
      },
      async fetch(target, init): Promise<Response> {
        const response = await fetch(target, { ...init, client });
        status = response.status;
        return response;
      },
    });
  } catch (error) {
    throw describeFailure(error, options, status);
  }
}

/** What the user is told. @param status of the last response, where there was one */
function describeFailure(
  error: unknown,
  { url, timeoutMs = TIMEOUT_MS }: CallOptions,
  status: number | undefined,
): CallError {
  const detail = { cause: error };
  if (!(error instanceof ClientError)) {
    return new CallError(`Cannot call ${url}: ${describe(error)}`, detail);
  }
  if (error.code === "timeout") {
    return new CallError(`Cannot reach ${url}: no answer within ${timeoutMs / 1000} s`, detail);
  }
  if (error.code === "refused") {
    return new CallError(`Cannot call ${url}: the server refused the call (401)`, {
      ...detail,
      hint:
        "check the three files, the function's name and this machine's clock; the server's log has the reason",
    });
  }
  if (status === undefined) {
    return new CallError(`Cannot reach ${url}: ${describe(error.cause)}`, detail);
  }
  if (status !== 200) {
    return new CallError(`Cannot call ${url}: the server answered with status ${status}`, {
      ...detail,
      hint: "the endpoint of a Mini Share Point is …/v1",
    });
  }
  return new CallError(`Cannot call ${url}: the answer does not open under these keys`, {
    ...detail,
    hint: "is the server's public key the right one, and is this URL a Mini Share Point?",
  });
}

/**
 * Reads a certificate.
 *
 * @throws {CallError} when there is none in the file.
 */
export async function readCertificate(path: string): Promise<string> {
  try {
    const text = await Deno.readTextFile(path);
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  } catch (error) {
    throw new CallError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  throw new CallError(`Cannot use ${path}: no certificate in PEM`);
}

/** The innermost cause of a network error; the outer ones only say that something failed. */
function describe(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner instanceof Error ? inner.message : String(inner);
}
