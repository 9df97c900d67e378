/**
 * @module
 * Addresses as they stand in a URL.
 */

/**
 * A host as it stands before a port: IPv6 addresses in brackets.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(bracketed("::1"), "[::1]");
 * assert.equal(bracketed("127.0.0.1"), "127.0.0.1");
 * ```
 */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
