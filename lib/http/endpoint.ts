/**
 * @module
 * (Request, peer address) → Response: the public side of every protocol. Routes by path, applies the
 * limits, and turns whatever is refused into the same empty 401. The reason goes to the observer.
 */
import type { Calls, RefusedCall } from "../calls.ts";
import type { ProxySettings } from "../config/settings.ts";
import { type BodyReader, discardBody } from "../limits/body.ts";
import type { RequestGate } from "../limits/gate.ts";
import type { RefusalClock } from "../limits/refusal_clock.ts";
import type { Observer, Origin } from "../observer.ts";
import type { Protocol, Sealed } from "../protocol/protocol.ts";
import type { Refusal } from "../refusals.ts";
import { OriginPolicy } from "./cors.ts";
import { originOf } from "./forwarded.ts";

/** The parts of the endpoint. */
export interface EndpointParts {
  readonly calls: Calls;
  readonly protocols: readonly Protocol[];
  readonly bodies: BodyReader;
  readonly gate: RequestGate;
  readonly refusalClock: RefusalClock;
  readonly proxy: ProxySettings;
  readonly observer: Observer;
}

/** Handles one request; never rejects. */
export type Endpoint = (request: Request, peerAddress: string) => Promise<Response>;

/** Where a request goes: to a protocol, or to a refusal with a status of its own. */
type Route = { readonly protocol: Protocol; readonly origins: OriginPolicy } | {
  readonly refusal: Refusal;
  readonly status: 404 | 405;
};

/**
 * Deno before 2.9 compresses answers that a client would accept compressed, which is wasted on
 * ciphertext. A second header costs 2 µs a request, so newer versions do without.
 */
const COMPRESSES = /^2\.[0-8]\./.test(Deno.version.deno);
/** A refusal closes the connection, as Deno does by itself where a body was left unread: all look alike. */
const REFUSAL_HEADERS: [string, string][] = [["connection", "close"]];

/** Builds the handler from its parts. */
export function createEndpoint(parts: EndpointParts): Endpoint {
  const { calls, bodies, gate, refusalClock, proxy, observer } = parts;
  const router = new Router(parts.protocols);

  /** Never rejects. */
  async function answer(
    protocol: Protocol,
    request: Request,
    { address }: Origin,
  ): Promise<Sealed | RefusedCall> {
    try {
      if (!protocol.acceptsType(request.headers.get("content-type") ?? "")) {
        await discardBody(request);
        return { ok: false, code: "wrong_content_type" };
      }
      const body = await bodies.read(request, protocol.bodyForm);
      if (!body.ok) return body;
      return await calls.answer(protocol, body.content, address);
    } catch (error) {
      const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return { ok: false, code: "internal_error", detail };
    }
  }

  async function respond(request: Request, route: Route, origin: Origin): Promise<Response> {
    const begun = refusalClock.begin();
    const startedMs = performance.now();
    const protocol = "protocol" in route ? route.protocol : undefined;
    const pageHeaders = "origins" in route ? route.origins.headersFor(request) : [];
    const full = gate.enter(origin.address);
    let outcome: Sealed | RefusedCall;
    if (full === undefined && protocol !== undefined) {
      outcome = await answer(protocol, request, origin);
      if (outcome.ok) {
        gate.leave(origin.address);
        const durationMs = performance.now() - startedMs;
        observer.answered({ protocol: protocol.name, origin, durationMs });
        return makeAnswer(outcome, protocol, pageHeaders);
      }
    } else {
      await discardBody(request);
      outcome = full ?? ("refusal" in route ? route.refusal : { ok: false, code: "not_found" });
    }
    const { code, detail, functionName, client, reference } = outcome;
    const durationMs = performance.now() - startedMs;
    const name = protocol?.name ?? "none";
    const caller = { client, reference, origin };
    observer.refused({ protocol: name, code, detail, functionName, ...caller, durationMs });
    // Don't delay a request that found no slot: it would occupy the slot that is missing.
    if (full === undefined) {
      await refusalClock.hold(begun);
      gate.leave(origin.address);
    }
    return makeRefusal("status" in route ? route.status : 401, pageHeaders);
  }

  return (request, peerAddress) => {
    const route = router.route(request);
    if (route instanceof Response) return Promise.resolve(route);
    return respond(request, route, originOf(request.headers, peerAddress, proxy));
  };
}

function makeAnswer(
  { body }: Sealed,
  { answerType }: Protocol,
  pageHeaders: readonly [string, string][],
): Response {
  const headers: [string, string][] = [["content-type", answerType], ...pageHeaders];
  if (COMPRESSES) headers.push(["cache-control", "no-transform"]);
  return new Response(body, { headers });
}

function makeRefusal(
  status: 401 | 404 | 405,
  pageHeaders: readonly [string, string][],
): Response {
  const allow: [string, string][] = status === 405 ? [["allow", "POST"]] : [];
  return new Response(null, { status, headers: [...REFUSAL_HEADERS, ...allow, ...pageHeaders] });
}

/** Finds the protocol of a request by its path alone, in every version of HTTP. */
class Router {
  readonly #routes: ReadonlyMap<string, Route>;
  /** Nearly all clients call the server by one name. */
  #lastUrl = "";
  #lastRoute: Route = NOT_FOUND;

  constructor(protocols: readonly Protocol[]) {
    this.#routes = new Map(
      protocols.flatMap((protocol) => {
        const path = `/${protocol.name}`;
        const route = { protocol, origins: new OriginPolicy(protocol.allowedOrigins) };
        return [[path, route], [`${path}/`, route]] satisfies [string, Route][];
      }),
    );
  }

  /** A response where a browser only asks whether a page may send a request. */
  route(request: Request): Route | Response {
    const { url } = request;
    const route = url === this.#lastUrl ? this.#lastRoute : this.#find(request);
    if ("refusal" in route || request.method === "POST") return route;
    const preflight = route.origins.preflight(request);
    if (preflight !== undefined) return preflight;
    // `msp health` asks with GET; the log shows the others only.
    const isProbe = request.method === "GET" || request.method === "HEAD";
    return isProbe ? PROBE : WRONG_METHOD;
  }

  #find(request: Request): Route {
    const path = pathOf(request);
    const route = this.#routes.get(path) ?? NOT_FOUND;
    const { url } = request;
    // `http://x/v1/` can also be `Host: x/v1` with the path `/`; without the last slash it cannot.
    if ("protocol" in route && url.endsWith(path) && !path.endsWith("/")) {
      this.#lastUrl = url;
      this.#lastRoute = route;
    }
    return route;
  }
}

/**
 * The path of the request target, without its query. Deno puts the raw Host header in front of it,
 * which may hold a path of its own; a target with a host (absolute form, HTTP/2) stands alone.
 */
function pathOf({ url, headers }: Request): string {
  const afterScheme = url.slice(url.indexOf("//") + 2);
  const host = headers.get("host") ?? "";
  const afterHost = afterScheme.startsWith(host) ? afterScheme.slice(host.length) : "";
  const target = afterHost.startsWith("/") ? afterHost : afterScheme.replace(/^[^/?#]*/, "");
  return target.replace(/[?#].*$/s, "");
}

const NOT_FOUND: Route = { refusal: { ok: false, code: "not_found" }, status: 404 };
const WRONG_METHOD: Route = { refusal: { ok: false, code: "wrong_method" }, status: 405 };
const PROBE: Route = { refusal: { ok: false, code: "probe" }, status: 405 };
