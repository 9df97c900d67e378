/**
 * @module
 * Requests to this machine. `fetch` asks the proxies of the environment (HTTP_PROXY, …) whatever the target
 * is; these go straight to it. Without TLS: `node:https` needs permissions that the program does not have.
 */
import { request as httpRequest } from "node:http";
import { Readable } from "node:stream";

/** What goes along with a request. */
export interface DirectInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
  /** Path of a Unix socket in place of the host and port of the URL. */
  readonly socketPath?: string;
}

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
      const status = message.statusCode ?? 0;
      const stream = NULL_BODY.includes(status) ? null : Readable.toWeb(message);
      resolve(
        new Response(stream as ReadableStream | null, {
          status,
          headers: Object.entries(message.headersDistinct).flatMap(([name, values = []]) =>
            values.map((value): [string, string] => [name, value])
          ),
        }),
      );
    });
    request.on("error", (error) => reject(signal.aborted ? signal.reason : error));
    request.end(body);
  });
}
