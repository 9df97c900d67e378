/**
 * @module
 * Health and metrics, on an address of their own that nobody outside should reach. `GET /healthz` is 200
 * while the server takes requests, else 503; `GET /metrics` is for Prometheus.
 */
import type { ListenAddress } from "../config/settings.ts";
import { ConfigError, reasonOf } from "../errors.ts";
import { bracketed } from "./host_name.ts";

/** What the admin address tells. */
export interface AdminSources {
  /** Whether the server takes requests. */
  readonly isHealthy: () => boolean;
  readonly metrics: () => Promise<{ contentType: string; text: string }>;
}

/** A running admin server. */
export interface AdminServer {
  /** URL without a path. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/**
 * Listens.
 *
 * @throws {ConfigError} when the address cannot be listened on.
 */
export function startAdmin({ host, port }: ListenAddress, sources: AdminSources): AdminServer {
  const name = bracketed(host);
  try {
    const server = Deno.serve(
      { hostname: host, port, onListen: () => {} },
      (request) => answer(request, sources),
    );
    // Out of descriptors it ends; the server itself goes on.
    server.finished.catch(() => {});
    return { url: `http://${name}:${server.addr.port}`, stop: () => server.shutdown() };
  } catch (error) {
    throw new ConfigError(`Cannot listen on ${name}:${port}: ${reasonOf(error)}`, {
      cause: error,
      hint: "choose another address in config.ini [Admin] Listen",
    });
  }
}

async function answer(request: Request, sources: AdminSources): Promise<Response> {
  const path = URL.parse(request.url)?.pathname;
  if (path !== "/healthz" && path !== "/metrics") return new Response(null, { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
  }
  if (path === "/healthz") {
    return sources.isHealthy() ? new Response("ok\n") : new Response("down\n", { status: 503 });
  }
  const { contentType, text } = await sources.metrics();
  return new Response(text, { headers: { "content-type": contentType } });
}
