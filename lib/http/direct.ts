/**
 * @module
 * Requests to this machine. `fetch` asks the proxies of the environment (HTTP_PROXY, …) whatever the target
 * is; these go straight to it. Without TLS: `node:https` needs permissions that the program does not have.
 */
import { Buffer } from "node:buffer";
import { type IncomingMessage, request as httpRequest } from "node:http";

/** What goes along with a request. */
export interface DirectInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
  /** Path of a Unix socket in place of the host and port of the URL. */
  readonly socketPath?: string;
}

/** More than any answer of a server. */
const MAX_BODY_BYTES = 128 * 1024 * 1024;
/** Statuses that have no body. */
const NULL_BODY = [204, 205, 304];

/** Whether {@link directFetch} can and should send a request: to this machine, without TLS. */
export function isDirect({ protocol, hostname }: URL): boolean {
  return protocol === "http:" &&
    /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/i.test(hostname);
}

/**
 * Sends a request and gives the response as `fetch` does; redirects are not followed.
 *
 * @throws {Error} of the network, or the reason of the signal.
 */
export function directFetch(url: URL, init: DirectInit): Promise<Response> {
  const { method = "GET", headers = {}, body, signal, socketPath } = init;
  return new Promise((resolve, reject) => {
    const options = {
      method,
      headers: { ...headers, ...body === undefined ? {} : { "content-length": body.length } },
      // Without an agent, no connection stays open.
      agent: false,
      signal,
      ...socketPath === undefined ? {} : { socketPath },
    };
    const request = httpRequest(url, options, (message) => {
      collect(message).then((bytes) => resolve(toResponse(message, bytes)), reject);
    });
    request.on("error", (error) => reject(signal.aborted ? signal.reason : error));
    request.end(body);
  });
}

/** Not as a stream: Deno 2.4.2 fails when a stream of Node is cancelled. */
async function collect(message: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of message) {
    length += part.length;
    if (length > MAX_BODY_BYTES) throw new RangeError(`more than ${MAX_BODY_BYTES} bytes`);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

function toResponse(message: IncomingMessage, bytes: Uint8Array<ArrayBuffer>): Response {
  const status = message.statusCode ?? 0;
  const headers = Object.entries(message.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value])
  );
  return new Response(NULL_BODY.includes(status) ? null : bytes, { status, headers });
}
