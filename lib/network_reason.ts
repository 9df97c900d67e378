/**
 * @module
 * Why a server cannot be reached, in words that help: what Deno and Node say about the network is
 * made for their developers.
 */

/** Why a request failed, and what can be done about it. */
export interface NetworkReason {
  /** Completes "Cannot reach …: ". */
  readonly state: string;
  readonly hint?: string;
}

interface Pattern extends NetworkReason {
  readonly matches: RegExp;
}

/** The first one that matches a code or a message in the chain of causes counts. */
const PATTERNS: readonly Pattern[] = [
  {
    matches: /TimeoutError|timed out/i,
    state: "no answer in time",
  },
  {
    // https://fetch.spec.whatwg.org/#port-blocking
    matches: /Requests to port \d+ are blocked|bad port/i,
    state: "the port belongs to another protocol, HTTP clients refuse to use it",
    hint: "let the server listen on another port, such as 8000",
  },
  {
    matches: /ECONNREFUSED|connection refused/i,
    state: "connection refused",
    hint: "nothing listens at that address: check host and port, and whether the server runs",
  },
  {
    matches: /ENOTFOUND|EAI_|lookup address|no such host|name or service not known/i,
    state: "the host name is not known",
  },
  {
    matches: /EHOSTUNREACH|ENETUNREACH|no route to host|network is unreachable/i,
    state: "the network has no way to that address",
  },
  {
    matches: /CaUsedAsEndEntity/,
    state: "its certificate is that of an authority, not that of a server",
    hint: "the server needs a certificate with basicConstraints CA:FALSE",
  },
  {
    matches: /UnknownIssuer|self[- ]signed|unable to (?:get|verify)/i,
    state: "its certificate is not from an authority that is trusted here",
    hint: "pass the certificate of its authority with --ca FILE",
  },
  {
    matches: /NotValidForName|altnames|not valid for name/i,
    state: "its certificate is for another host name",
  },
  {
    matches: /certificate.*expired|CERT_HAS_EXPIRED|Expired/i,
    state: "its certificate has expired",
  },
  {
    matches: /NotValidYet/i,
    state: "its certificate is not valid yet",
    hint: "check this machine's clock",
  },
  {
    matches: /peer certificate/i,
    state: "its certificate cannot be verified",
  },
  {
    matches: /InvalidContentType|wrong version number|corrupt message/i,
    state: "it does not answer with TLS",
    hint: "try the same URL with http://",
  },
  {
    matches: /HPE_|invalid HTTP version|Parse Error/i,
    state: "it does not answer with HTTP",
    hint: "a server with TLS needs https://",
  },
  {
    matches:
      /ECONNRESET|EPIPE|closed before|connection (?:reset|closed|error)|socket hang up|unexpected (?:eof|end)/i,
    state: "the connection was closed without an answer",
    hint: "a server with TLS does so without https://",
  },
];

/**
 * Why a request failed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const error = new TypeError("failed", { cause: new Error("Connection refused (os error 111)") });
 * assert.equal(networkReason(error).state, "connection refused");
 * ```
 */
export function networkReason(error: unknown): NetworkReason {
  const texts: string[] = [];
  for (let each = error; each instanceof Error; each = each.cause) {
    texts.push(each.name, each.message, "code" in each ? String(each.code) : "");
  }
  const text = texts.join("\n");
  const found = PATTERNS.find(({ matches }) => matches.test(text));
  if (found === undefined) return { state: "the network failed" };
  const { state, hint } = found;
  return { state, ...hint === undefined ? {} : { hint } };
}
