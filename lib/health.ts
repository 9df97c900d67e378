/**
 * @module
 * Whether a server takes requests, asked from outside: for scripts and containers. Never by way of a proxy.
 */
import type { Settings } from "./config/settings.ts";
import { CallError } from "./errors.ts";
import { bracketed } from "./http/listener.ts";
import { networkReason } from "./network_reason.ts";
import { findServer } from "./state.ts";

const TIMEOUT_MS = 5000;
/** A status line is shorter. */
const MAX_LINE_BYTES = 256;

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
  if (server?.admin !== undefined) return await checkUrl(`${server.admin}/healthz`);
  if (admin !== undefined && admin.listen.port !== 0) {
    return await checkUrl(`http://${authority(admin.listen)}/healthz`);
  }
  const url = URL.parse(server?.url ?? "");
  try {
    // Without a port, it is the URL for requests through a socket.
    if (listen.socket !== undefined && (url === null || url.port === "")) {
      return await checkSocket(listen.socket.path);
    }
    const scheme = listen.tls === undefined ? "http" : "https";
    const target = url ?? new URL(`${scheme}://${authority(listen)}/v1`);
    return target.protocol === "https:" ? await checkPort(target) : await checkUrl(target.href);
  } catch (error) {
    if (!(error instanceof CallError) || server !== undefined) throw error;
    const hint = `no server uses ${settings.stateFolder}; msp serve starts one`;
    throw new CallError(error.message, { cause: error.cause, hint });
  }
}

/**
 * Asks one URL: of `/healthz`, or of an endpoint.
 *
 * @throws {CallError} saying what is wrong.
 */
export async function checkUrl(text: string): Promise<string> {
  const url = new URL(text);
  const connect = url.protocol === "https:" ? Deno.connectTls : Deno.connect;
  return await ask(`${url.origin}${url.pathname}`, url, () => connect(addressOf(url)));
}

async function checkSocket(path: string): Promise<string> {
  const url = new URL("http://localhost/v1");
  return await ask(`the socket ${path}`, url, () => Deno.connect({ transport: "unix", path }));
}

async function checkPort(url: URL): Promise<string> {
  using connection = await inTime(Deno.connect(addressOf(url))).catch((error) => {
    throw notReached(url.host, error);
  });
  const { hostname, port } = connection.remoteAddr;
  return `${bracketed(hostname)}:${port} accepts connections`;
}

async function ask(name: string, url: URL, connect: () => Promise<Deno.Conn>): Promise<string> {
  const line = await statusLine(url, connect).catch((error) => {
    throw notReached(name, error);
  });
  const status = /^HTTP\/1\.[01] (\d{3})\b/.exec(line)?.[1];
  const expected = url.pathname === "/healthz" ? "200" : "405";
  if (status === expected) return `${name} is healthy`;
  const state = status === undefined
    ? "it does not answer with HTTP"
    : `status ${status}, expected ${expected}`;
  throw new CallError(`${name} is not healthy: ${state}`);
}

/** The first line of the response, which is all that counts; `fetch` would ask a proxy. */
async function statusLine(url: URL, connect: () => Promise<Deno.Conn>): Promise<string> {
  using connection = await inTime(connect());
  const head = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n`;
  const request = new TextEncoder().encode(`${head}Connection: close\r\n\r\n`);
  for (let done = 0; done < request.length;) {
    done += await inTime(connection.write(request.subarray(done)));
  }
  let text = "";
  const bytes = new Uint8Array(MAX_LINE_BYTES);
  while (!text.includes("\n") && text.length < MAX_LINE_BYTES) {
    const length = await inTime(connection.read(bytes));
    if (length === null) break;
    text += new TextDecoder().decode(bytes.subarray(0, length));
  }
  return text;
}

/** What a step gives, if it does so in time. */
async function inTime<T>(step: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DOMException("", "TimeoutError")), TIMEOUT_MS);
  });
  // Nobody waits for it any more when the time is over.
  step.catch(() => {});
  return await Promise.race([step, timeout]).finally(() => clearTimeout(timer));
}

function addressOf({ protocol, hostname, port }: URL): { hostname: string; port: number } {
  const fallback = protocol === "https:" ? 443 : 80;
  return {
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? fallback : Number(port),
  };
}

function notReached(name: string, error: unknown): CallError {
  return new CallError(`Cannot reach ${name}: ${networkReason(error).state}`, { cause: error });
}

/** Host and port by which this machine reaches what listens on every address. */
function authority({ host, port }: { host: string; port: number }): string {
  const local = { "0.0.0.0": "127.0.0.1", "::": "::1" }[host] ?? host;
  return `${bracketed(local)}:${port}`;
}
