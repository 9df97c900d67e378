/**
 * @module
 * Web pages of other origins (the Fetch standard, "CORS protocol"): which may call, and what a browser must be
 * told for that. Without an allowed origin nothing is said.
 */

type Headers = [string, string][];

/** For how many seconds a browser may keep what it was told. */
const MAX_AGE = "86400";

/** The origins that may call one protocol. */
export class OriginPolicy {
  readonly #allowed: ReadonlySet<string>;

  constructor(allowed: readonly string[]) {
    this.#allowed = new Set(allowed);
  }

  /** What every response to a page says; the same whatever the response is. */
  headersFor(request: Request): Headers {
    const origin = this.#allowed.size === 0 ? null : request.headers.get("origin");
    if (origin === null) return [];
    if (this.#allowed.has("*")) return [["access-control-allow-origin", "*"]];
    if (!this.#allowed.has(origin)) return [["vary", "origin"]];
    return [["access-control-allow-origin", origin], ["vary", "origin"]];
  }

  /** The answer to a browser that asks before it sends a page's POST; nothing when it may not. */
  preflight(request: Request): Response | undefined {
    const { headers } = request;
    const isPreflight = request.method === "OPTIONS" &&
      headers.get("access-control-request-method") === "POST";
    const allowed = isPreflight ? this.headersFor(request) : [];
    if (!allowed.some(([name]) => name === "access-control-allow-origin")) return undefined;
    const isPrivate = headers.get("access-control-request-private-network") === "true";
    return new Response(null, {
      status: 204,
      headers: [
        ...allowed,
        ["access-control-allow-methods", "POST"],
        ["access-control-allow-headers", "content-type"],
        ["access-control-max-age", MAX_AGE],
        ...isPrivate ? [["access-control-allow-private-network", "true"]] satisfies Headers : [],
      ],
    });
  }
}
