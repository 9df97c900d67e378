/**
 * @module
 * Whether a server takes requests, asked from outside: for scripts and containers.
 */
import type { Settings } from "./config/settings.ts";
import { CallError } from "./errors.ts";
import { bracketed } from "./http/listener.ts";

const TIMEOUT_MS = 5000;

/**
 * Asks the admin address when there is one, else the public one: a GET of the endpoint is 405 and leaves
 * no line in the log. Of a server with TLS it is only seen that it accepts connections, because its
 * certificate has another name than this machine.
 *
 * @throws {CallError} saying what is wrong.
 */
export async function checkHealth(settings: Settings): Promise<string> {
  const { admin, listen: { host, port, socket, tls } } = settings;
  if (admin !== undefined && admin.listen.port !== 0) {
    return await checkUrl(
      `http://${bracketed(localHost(admin.listen.host))}:${admin.listen.port}/healthz`,
    );
  }
  if (socket !== undefined) {
    using client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket.path } });
    return await ask(`http://localhost/v1`, `the socket ${socket.path}`, client);
  }
  const address = `${bracketed(localHost(host))}:${port}`;
  if (tls === undefined) return await checkUrl(`http://${address}/v1`);
  try {
    (await Deno.connect({ hostname: localHost(host), port })).close();
    return `${address} accepts connections`;
  } catch (error) {
    throw notReached(address, error);
  }
}

/**
 * Asks one URL: of `/healthz`, or of an endpoint.
 *
 * @throws {CallError} saying what is wrong.
 */
export async function checkUrl(url: string): Promise<string> {
  return await ask(url, url);
}

async function ask(url: string, name: string, client?: Deno.HttpClient): Promise<string> {
  let status: number;
  try {
    const response = await fetch(url, {
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(client === undefined ? {} : { client }),
    });
    await response.body?.cancel();
    status = response.status;
  } catch (error) {
    throw notReached(name, error);
  }
  const expected = URL.parse(url)?.pathname === "/healthz" ? 200 : 405;
  if (status === expected) return `${name} is healthy`;
  throw new CallError(`Cannot call ${name} healthy: status ${status}, expected ${expected}`);
}

function notReached(name: string, error: unknown): CallError {
  const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
  const state = isTimeout ? `no answer within ${TIMEOUT_MS / 1000} s` : "it does not answer";
  return new CallError(`Cannot reach ${name}: ${state}`, { cause: error });
}

/** The address by which this machine reaches what listens on every address. */
function localHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}
