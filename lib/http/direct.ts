/**
 * @module
 * Requests that go straight to their target. `fetch` asks the proxies of the environment (HTTP_PROXY, …)
 * whatever the target is; this machine itself is reached without one.
 */
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";

/** What goes along with a request. */
export interface DirectInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
  /** Path of a Unix socket in place of the host and port of the URL. */
  readonly socketPath?: string;
  /** A certificate authority to trust beside those of the system, in PEM. */
  readonly caCertificate?: string;
}

/** Statuses that have no body. */
const NULL_BODY = [204, 205, 304];

/** Whether a host is this machine. */
export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/i.test(hostname);
}

/**
 * Sends a request and gives the response as `fetch` does; redirects are not followed.
 *
 * @throws {Error} of the network, or the reason of the signal.
 */
export function directFetch(url: URL, init: DirectInit): Promise<Response> {
  const { method = "GET", headers = {}, body, signal, socketPath, caCertificate } = init;
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const options = {
      method,
      headers: { ...headers, ...body === undefined ? {} : { "content-length": body.length } },
      // Without an agent, no connection stays open.
      agent: false,
      signal,
      ...socketPath === undefined ? {} : { socketPath },
      ...caCertificate === undefined ? {} : { ca: caCertificate },
    };
    const request = send(url, options, (message) => {
      const status = message.statusCode ?? 0;
      const text = NULL_BODY.includes(status) ? null : Readable.toWeb(message);
      resolve(
        new Response(text as ReadableStream | null, {
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
