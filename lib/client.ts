/**
 * @module
 * The calling side: one sealed call to a server. Used by `msp call`, importable by other programs.
 */
import type { PrivateKey, PublicKey, SecretHex } from "./crypto/keys.ts";
import { ClientBox } from "./crypto/nacl.ts";
import { CallError, reasonOf } from "./errors.ts";
import { encodeRequest, parseResponse } from "./protocol/v1_messages.ts";

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
 * that does not open under the keys.
 */
export async function callFunction(options: CallOptions): Promise<string> {
  const { url, functionName, keys, clock = Date.now, timeoutMs = TIMEOUT_MS } = options;
  const box = new ClientBox(keys.privateKey, keys.serverPublicKey);
  const nowSeconds = Math.floor(clock() / 1000);
  const body = encodeRequest(
    { secretHex: keys.secretHex, functionName, nowSeconds },
    (plaintext) => box.seal(plaintext),
  );
  const response = await post(options, body, timeoutMs);
  const plaintext = response.sealed === undefined ? undefined : box.open(response.sealed);
  if (plaintext !== undefined) return new TextDecoder().decode(plaintext);
  throw new CallError(`Cannot call ${url}: the answer does not open under these keys`, {
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

async function post(
  { url, caCertificate }: CallOptions,
  body: string,
  timeoutMs: number,
): Promise<{ sealed: Uint8Array | undefined }> {
  using client = Deno.createHttpClient({
    caCerts: caCertificate === undefined ? [] : [caCertificate],
  });
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      client,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch (error) {
    const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
    const state = isTimeout ? `no answer within ${timeoutMs / 1000} s` : describe(error);
    throw new CallError(`Cannot reach ${url}: ${state}`, { cause: error });
  }
  if (response.status === 401) {
    throw new CallError(`Cannot call ${url}: the server refused the call (401)`, {
      hint:
        "check the three files, the function's name and this machine's clock; the server's log has the reason",
    });
  }
  if (response.status !== 200) {
    throw new CallError(`Cannot call ${url}: the server answered with status ${response.status}`, {
      hint: "the endpoint of a Mini Share Point is …/v1",
    });
  }
  return { sealed: parseResponse(text) };
}

/** The innermost cause of a network error; the outer ones only say that something failed. */
function describe(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner instanceof Error ? inner.message : String(inner);
}
