/**
 * @module
 * Whether a server takes requests, asked from outside: for scripts and containers. Never by way of a proxy.
 */
import type { Settings } from "./config/settings.ts";
import { CallError } from "./errors.ts";
import { directFetch } from "./http/direct.ts";
import { bracketed } from "./http/listener.ts";
import { networkReason } from "./network_reason.ts";
import { findServer, type ServerAtWork } from "./state.ts";

const TIMEOUT_MS = 5000;

/**
 * Asks the server of an installation: its admin address when it has one, else its endpoint. A GET of the
 * endpoint is 405 and leaves no line in the log. Of a server with TLS only the connection is checked,
 * because its certificate has another name than this machine.
 *
 * @returns a line that says what was asked.
 * @throws {CallError} saying what is wrong.
 */
export async function checkHealth(settings: Settings): Promise<string> {
  const server = await findServer(settings.stateFolder);
  const { admin, listen } = settings;
  if (admin !== undefined && admin.listen.port !== 0) {
    return await checkUrl(`http://${authority(admin.listen)}/healthz`);
  }
  const url = URL.parse(server?.url ?? "");
  // Without a port, it is the URL for requests through a socket.
  if (listen.socket !== undefined && (url === null || url.port === "")) {
    const { path } = listen.socket;
    return await ask(new URL("http://localhost/v1"), `the socket ${path}`, { socketPath: path });
  }
  const scheme = listen.tls === undefined ? "http" : "https";
  const target = url ?? new URL(`${scheme}://${authority(listen)}/v1`);
  try {
    return target.protocol === "https:" ? await checkPort(target) : await ask(target, target.href);
  } catch (error) {
    throw error instanceof CallError && server === undefined
      ? withoutServer(error, settings)
      : error;
  }
}

/**
 * Asks one URL: of `/healthz`, or of an endpoint.
 *
 * @throws {CallError} saying what is wrong.
 */
export async function checkUrl(text: string): Promise<string> {
  return await ask(new URL(text), text);
}

/** The server that uses an installation now, for other commands. */
export type { ServerAtWork };

async function ask(url: URL, name: string, way: { socketPath?: string } = {}): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await directFetch(url, { ...way, signal }).catch((error) => {
    throw notReached(name, error);
  });
  await response.body?.cancel();
  const { status } = response;
  const expected = url.pathname === "/healthz" ? 200 : 405;
  if (status === expected) return `${name} is healthy`;
  throw new CallError(`${name} is not healthy: status ${status}, expected ${expected}`);
}

async function checkPort({ hostname, port }: URL): Promise<string> {
  const name = `${hostname}:${port}`;
  try {
    (await Deno.connect({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) }))
      .close();
    return `${name} accepts connections`;
  } catch (error) {
    throw notReached(name, error);
  }
}

function notReached(name: string, error: unknown): CallError {
  const { state } = networkReason(error);
  return new CallError(`Cannot reach ${name}: ${state}`, { cause: error });
}

function withoutServer(error: CallError, { stateFolder }: Settings): CallError {
  return new CallError(error.message, {
    cause: error.cause,
    hint: `no server uses ${stateFolder}; msp serve starts one`,
  });
}

/** Host and port by which this machine reaches what listens on every address. */
function authority({ host, port }: { host: string; port: number }): string {
  const local = { "0.0.0.0": "127.0.0.1", "::": "::1" }[host] ?? host;
  return `${bracketed(local)}:${port}`;
}
