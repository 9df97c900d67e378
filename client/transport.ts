/**
 * @module
 * Bytes to the server and bytes back, over `fetch`. Knows HTTP, and nothing of what the bytes are.
 */
import { type Bytes, concat } from "./bytes.ts";
import { TimeIsOver } from "./deadline.ts";
import { CallError, type CallErrorCode } from "./errors.ts";
import { parseUrl } from "./url.ts";

/** Redirects to other paths of the same server that are followed for one request. */
const MAX_REDIRECTS = 3;

/** What `fetch` must be able to do. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** No usable answer came. */
export class TransportError extends Error {
  /**
   * @param wasSent whether the server may have got the request; `false` only when that is certain
   */
  constructor(
    readonly code: CallErrorCode & ("unreachable" | "protocol" | "too-large"),
    message: string,
    readonly wasSent: boolean,
    cause?: unknown,
  ) {
    super(message, { cause });
  }

  /** The same error, of a request that the server may have got. */
  asSent(): TransportError {
    return new TransportError(this.code, this.message, true, this.cause);
  }
}

/** Where to post, and how. */
export interface TransportOptions {
  readonly url: URL;
  readonly fetch: Fetch;
  /** Bytes of an answer at most. */
  readonly maxAnswerBytes: number;
  readonly contentType: string;
}

/** Posts bytes to one endpoint. */
export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /**
   * @returns the body of the answer, or "refused" when the server refused the request without a word
   * @throws {TransportError} when neither came
   */
  async post(body: Bytes, signal: AbortSignal): Promise<Bytes | "refused"> {
    let { url } = this.#options;
    for (let redirects = 0;; redirects++) {
      const response = await this.#fetch(url, body, signal).catch((error) => {
        // What redirected may have delivered the request before.
        throw error instanceof TransportError && redirects > 0 ? error.asSent() : error;
      });
      if (response.status === 200) return await this.#read(response, signal);
      await response.body?.cancel().catch(() => {});
      if (response.status === 401) return "refused";
      const target = redirectTarget(response, url);
      if (target === undefined || redirects >= MAX_REDIRECTS) throw describeStatus(response, url);
      url = target;
    }
  }

  async #fetch(url: URL, body: Bytes, signal: AbortSignal): Promise<Response> {
    try {
      return await this.#options.fetch(url.href, {
        method: "POST",
        headers: { "content-type": this.#options.contentType },
        body,
        // A redirect by the platform could make a GET of it, or go elsewhere.
        redirect: "manual",
        credentials: "omit",
        cache: "no-store",
        signal,
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const what = `Cannot reach ${url.origin}: ${innermost(error)}`;
      throw new TransportError("unreachable", what, !isCertainlyUnsent(error), error);
    }
  }

  async #read(response: Response, signal: AbortSignal): Promise<Bytes> {
    const { maxAnswerBytes } = this.#options;
    const parts: Uint8Array[] = [];
    let length = 0;
    try {
      for (const reader = response.body?.getReader();;) {
        const { done = true, value } = await reader?.read() ?? {};
        if (done) return concat(...parts);
        length += value?.length ?? 0;
        if (length > maxAnswerBytes) {
          await reader?.cancel();
          break;
        }
        if (value !== undefined) parts.push(value);
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const what = `Cannot read the answer: ${innermost(error)}`;
      throw new TransportError("unreachable", what, true, error);
    }
    const what = `Cannot read the answer: it has more than ${maxAnswerBytes} bytes`;
    throw new TransportError("too-large", what, true);
  }
}

/** Where to post again: 307 and 308 keep method and body (RFC 9110 §15.4). Only on the same server. */
function redirectTarget(response: Response, from: URL): URL | undefined {
  if (response.status !== 307 && response.status !== 308) return undefined;
  const target = parseUrl(response.headers.get("location") ?? "", from);
  return target !== undefined && target.origin === from.origin ? target : undefined;
}

function describeStatus(response: Response, url: URL): TransportError {
  const { status } = response;
  // 502 to 504 are by a proxy that does not reach the server.
  const code = status >= 502 && status <= 504 ? "unreachable" : "protocol";
  const target = parseUrl(response.headers.get("location") ?? "", url);
  const isRedirect = response.type === "opaqueredirect" || (status >= 300 && status < 400);
  const where = isRedirect
    ? `it redirects to ${isWeb(target) ? target.origin + target.pathname : "another address"}`
    : `status ${status}, expected 200`;
  return new TransportError(code, `Cannot use ${url.origin}${url.pathname}: ${where}`, true);
}

/** Whether a redirect names a web server: what other addresses hold is not for messages. */
function isWeb(target: URL | undefined): target is URL {
  return target !== undefined && /^https?:$/.test(target.protocol);
}

/** Codes of Node, Bun and undici for connections that never came about. */
const UNSENT = [
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "ConnectionRefused",
];

/** Whether no connection came about. Browsers do not tell. */
function isCertainlyUnsent(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if ("code" in each && UNSENT.includes(String(each.code))) return true;
    // Deno has no codes here; the phase of its HTTP client is in the text.
    if (each.message.includes("client error (Connect)")) return true;
    if (/port \d+ are blocked|^bad port$/.test(each.message)) return true;
  }
  return false;
}

/** The innermost cause; the outer ones only say that something failed. */
function innermost(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner instanceof Error ? inner.message : String(inner);
}

/** What a failure on the way means for a call; a reason of the caller's signal stays what it is. */
export function toCallError(
  error: unknown,
  { what, ref, isCall }: { what: string; ref?: string | undefined; isCall: boolean },
): unknown {
  const executed = isCall ? "maybe" : "no";
  if (error instanceof TimeIsOver) {
    return new CallError("timeout", `${what}: ${error.message}`, { executed, ref, cause: error });
  }
  if (!(error instanceof TransportError)) return error;
  const { code, message, cause, wasSent } = error;
  return new CallError(code, message, { executed: wasSent ? executed : "no", ref, cause });
}
