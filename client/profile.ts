/**
 * @module
 * A profile: what a client needs to call one server. Where profiles are kept is the matter of file.ts and
 * browser.ts.
 */
import { type Bytes, fromBase64 } from "./bytes.ts";

/** How to reach a server, and as whom. */
export interface Profile {
  /** The server's endpoint, such as `https://home.example/v2`. */
  readonly url: string;
  /** The server's public key for protocol v2 (`server2.pub`), base64. */
  readonly serverKey: string;
  /** The client's private key, base64. */
  readonly privateKey: string;
  /** What the client calls this server. */
  readonly name?: string;
}

/** Bytes of a key. */
const KEY_BYTES = 32;

/** A profile whose values have the right form. */
export interface UsableProfile {
  readonly url: URL;
  readonly serverKey: Bytes;
  readonly privateKey: Bytes;
}

/**
 * The values of a profile.
 *
 * @throws {TypeError} naming the member that is malformed, and never its value, which may be a secret
 */
export function useProfile(profile: Profile): UsableProfile {
  return {
    url: endpointOf(profile.url),
    serverKey: keyOf(profile.serverKey, "serverKey"),
    privateKey: keyOf(profile.privateKey, "privateKey"),
  };
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
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.hash !== "") {
    throw new TypeError("Cannot use profile: url, expected one such as https://home.example/v2");
  }
  if (!/\/v2\/?$/.test(url.pathname)) url.pathname = url.pathname.replace(/\/*$/, "/v2");
  return url;
}

function keyOf(text: unknown, member: "serverKey" | "privateKey"): Bytes {
  const key = typeof text === "string" ? fromBase64(text.trim()) : undefined;
  if (key?.length === KEY_BYTES) return key;
  throw new TypeError(`Cannot use profile: ${member}, expected a key of 44 base64 characters`);
}
