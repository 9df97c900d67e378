/**
 * @module
 * Health and metrics, on an address of their own that must not be reachable from outside.
 * `GET /healthz` is 200 while the server accepts requests, else 503. `GET /readyz` is 200 while a proxy
 * should send it requests. `GET /metrics` is for Prometheus.
 */
import { isIP } from "node:net";
import type { AdminSettings } from "../config/settings.ts";
import type { Observer } from "../observer.ts";
import { Listener } from "./listener.ts";

const PATHS = ["/healthz", "/readyz", "/metrics"];

/** What the admin address tells. */
export interface AdminSources {
  /** Whether the server accepts requests. */
  readonly isHealthy: () => boolean;
  /** Why a proxy should send requests elsewhere; `undefined` when it should not. */
  readonly notReady: () => string | undefined;
  readonly metrics: () => Promise<{ contentType: string; text: string }>;
}

/**
 * Listens.
 *
 * @throws {ConfigError} when the address cannot be listened on.
 */
export async function startAdmin(
  { listen, hosts }: AdminSettings,
  sources: AdminSources,
  observer: Observer,
): Promise<Listener> {
  const handler = (request: Request): Promise<Response> => answer(request, sources, hosts);
  const addressOptions = "config.ini [Admin] Listen";
  return await Listener.start(
    { handler, observer, part: "admin_listener", addressOptions },
    listen,
  );
}

async function answer(
  request: Request,
  sources: AdminSources,
  hosts: readonly string[],
): Promise<Response> {
  if (!isKnownHost(request.headers.get("host"), hosts)) {
    return new Response("unknown Host; see [Admin] Hosts\n", { status: 421 });
  }
  const path = URL.parse(request.url)?.pathname;
  if (!PATHS.includes(path ?? "")) return new Response(null, { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
  }
  if (path === "/healthz") {
    return sources.isHealthy() ? new Response("ok\n") : new Response("down\n", { status: 503 });
  }
  if (path === "/readyz") {
    const state = sources.notReady();
    return state === undefined
      ? new Response("ready\n")
      : new Response(`not ready: ${state}\n`, { status: 503 });
  }
  const { contentType, text } = await sources.metrics();
  return new Response(text, { headers: { "content-type": contentType } });
}

/**
 * Whether a Host header names this server. A page in a browser can reach a private address under a
 * name that its own DNS server gives (DNS rebinding), but never under an IP address.
 */
function isKnownHost(header: string | null, hosts: readonly string[]): boolean {
  if (header === null) return true;
  const name = header.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return name === "localhost" || isIP(name) !== 0 || hosts.includes(name);
}
