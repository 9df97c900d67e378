/**
 * @module
 * Addresses of servers.
 */

/** A URL, or `undefined`; `URL.parse` is missing in Node 20. */
export function parseUrl(text: string, base?: URL): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}

/**
 * The endpoint of a server: its address with `/v2` at the end, which may be left out.
 *
 * @throws {TypeError} when it is not the address of a server
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(endpointOf("https://home.example").href, "https://home.example/v2");
 * assert.equal(endpointOf("https://home.example/msp/v2/").href, "https://home.example/msp/v2/");
 * ```
 */
export function endpointOf(text: string): URL {
  const url = parseUrl(text);
  const isAddress = url !== undefined && /^https?:$/.test(url.protocol) &&
    url.username === "" && url.password === "" && url.hash === "";
  if (!isAddress) {
    throw new TypeError("Cannot use profile: url, expected one such as https://home.example/v2");
  }
  if (!/\/v2\/?$/.test(url.pathname)) url.pathname = url.pathname.replace(/\/*$/, "/v2");
  return url;
}
