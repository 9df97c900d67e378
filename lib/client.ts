/**
 * @module
 * One call of protocol v1 for people: what went wrong in words, with a hint that comes from the cause.
 */
import { CallError as ClientError } from "../client/errors.ts";
import { callV1 } from "../client/v1.ts";
import { formatKey, type PrivateKey, type PublicKey, type SecretHex } from "./crypto/keys.ts";
import { CallError, reasonOf } from "./errors.ts";
import { directFetch, isDirect } from "./http/direct.ts";
import { networkReason } from "./network_reason.ts";
import { count } from "./prose.ts";

/** What a client holds. */
export interface ClientKeys {
  readonly privateKey: PrivateKey;
  readonly secretHex: SecretHex;
  readonly serverPublicKey: PublicKey;
}

/** A call. */
export interface CallOptions {
  /** URL of the endpoint, such as `https://example.org/v1`. */
  readonly url: URL;
  readonly functionName: string;
  readonly keys: ClientKeys;
  readonly timeoutMs?: number;
  /** A certificate authority to trust beside those of the system, in PEM. */
  readonly caCertificate?: string;
}

/** Longer than a server gives a function by default. */
const TIMEOUT_MS = 30_000;
/** The server's default for the difference of clocks, and what a network may take from it. */
const CLOCK_SECONDS = 25;

/**
 * Calls a function and gives its answer.
 *
 * @throws {CallError} when there is no answer.
 */
export async function callFunction(options: CallOptions): Promise<string> {
  const { url, functionName, keys, timeoutMs = TIMEOUT_MS } = options;
  using sender = new Sender(options);
  try {
    return await callV1({
      url: url.href,
      functionName,
      keys: {
        privateKey: formatKey(keys.privateKey),
        secret: keys.secretHex,
        serverKey: formatKey(keys.serverPublicKey),
      },
      timeoutMs,
      fetch: (target, init) => sender.send(target, init),
    });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    throw describe(error, sender.response, { url, timeoutMs });
  }
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
  throw new CallError(`Cannot use ${path}: it holds no CERTIFICATE in PEM`);
}

/** Sends requests, to this machine without a proxy, and keeps the last response for {@link describe}. */
class Sender {
  readonly #client: Deno.HttpClient;
  response: Response | undefined;

  constructor({ caCertificate }: CallOptions) {
    this.#client = Deno.createHttpClient({
      caCerts: caCertificate === undefined ? [] : [caCertificate],
    });
  }

  async send(target: string, init: RequestInit): Promise<Response> {
    const url = new URL(target);
    this.response = isDirect(url)
      ? await directFetch(url, directInit(init))
      : await fetch(target, { ...init, client: this.#client });
    return this.response;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function directInit({ body, signal }: RequestInit): Parameters<typeof directFetch>[1] {
  return {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: body as Uint8Array,
    signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
  };
}

function describe(
  error: ClientError,
  response: Response | undefined,
  { url, timeoutMs }: { url: URL; timeoutMs: number },
): CallError {
  // Name and password of a URL are for the server only, and so is what follows its path.
  const name = `${url.origin}${url.pathname}`;
  const fail = (message: string, hint?: string): CallError =>
    new CallError(message, { cause: error, ...hint === undefined ? {} : { hint } });
  if (error.code === "timeout") {
    return fail(`Cannot call ${name}: no answer within ${count(timeoutMs / 1000, "second")}`);
  }
  if (error.code === "refused") {
    return fail(`Cannot call ${name}: the server refused the call (401)`, refusalHint(response));
  }
  if (response === undefined) {
    const { state, hint } = networkReason(error);
    return fail(`Cannot reach ${name}: ${state}`, hint);
  }
  if (response.status === 200) {
    const state = error.message.replace(/^.*?: /, "");
    return fail(
      `Cannot call ${name}: ${state}`,
      "check that server.pub is this server's, that the URL is its …/v1, and what is in between",
    );
  }
  return fail(`Cannot call ${name}: ${statusText(response, url)}`, statusHint(response.status));
}

/** What a refusal can tell: the server's clock is in every response. */
function refusalHint(response: Response | undefined): string {
  const serverTime = Date.parse(response?.headers.get("date") ?? "");
  const seconds = Math.round((Date.now() - serverTime) / 1000);
  if (Math.abs(seconds) > CLOCK_SECONDS) {
    const direction = seconds > 0 ? "ahead of" : "behind";
    return `this machine's clock is ${
      count(Math.abs(seconds), "second")
    } ${direction} the server's`;
  }
  return "check the three files and the function's name; the server's log has the reason";
}

function statusText(response: Response, url: URL): string {
  const { status, headers } = response;
  const target = URL.parse(headers.get("location") ?? "", url);
  if (status < 300 || status >= 400 || target === null) return `status ${status}, expected 200`;
  return `it redirects to ${target.origin}${target.pathname} (status ${status})`;
}

function statusHint(status: number): string {
  if (status >= 300 && status < 400) return "call that URL, if it is the right server";
  if (status === 404 || status === 405) return "the endpoint of a Mini Share Point is …/v1";
  if (status === 413) return "a proxy in front of the server allows smaller requests only";
  if (status === 429) return "a proxy in front of the server limits requests: wait, then try again";
  if (status >= 502 && status <= 504) {
    return "a proxy answers, but it cannot reach the server: check that the server runs";
  }
  return "this is not the answer of a Mini Share Point: check the URL and what is in front of it";
}
