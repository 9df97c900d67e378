/**
 * @module
 * The link of an invite: `https://home.example/join#1.SERVER_KEY.TOKEN`. What follows `#` is never sent to a
 * web server. The key is the server's for protocol v2, 43 base64url characters; the token has 22.
 */
import { type Bytes, fromBase64, toBase64 } from "./bytes.ts";
import { parseUrl } from "./url.ts";

const VERSION = "1";
const KEY_BYTES = 32;
const TOKEN_BYTES = 16;

/** What a link says. */
export interface InviteLink {
  /** Address of the server, without `/join`. */
  readonly url: string;
  /** The server's public key for protocol v2. */
  readonly serverKey: Bytes;
  readonly token: Bytes;
}

/** A text is not the link of an invite. Its message never holds the text, which is a secret. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

/**
 * The text of a link.
 *
 * @throws {LinkError} when the address is not that of a server
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const link = { url: "https://home.example", serverKey: new Uint8Array(32), token: new Uint8Array(16) };
 * const text = formatLink(link);
 * assert.equal(text, `https://home.example/join#1.${"A".repeat(43)}.${"A".repeat(22)}`);
 * assert.deepEqual(parseLink(text), link);
 * ```
 */
export function formatLink({ url, serverKey, token }: InviteLink): string {
  return `${serverAddress(url)}/join#${VERSION}.${toBase64Url(serverKey)}.${toBase64Url(token)}`;
}

/**
 * What a link says.
 *
 * @throws {LinkError} when it is none, or of a version that this library does not know
 */
export function parseLink(text: string): InviteLink {
  const [, address = "", version = "", rest = ""] = /^([^#]*)\/join#(\d{1,9})\.(.*)$/s
    .exec(text.trim()) ?? [];
  if (address === "") throw wrongLink();
  if (version !== VERSION) {
    throw new LinkError(
      `Cannot use the link: it has version ${version}, expected ${VERSION}; update this program`,
    );
  }
  const [key = "", token = "", ...others] = rest.split(".");
  const link = { serverKey: bytesOf(key, KEY_BYTES), token: bytesOf(token, TOKEN_BYTES) };
  if (others.length > 0) throw wrongLink();
  return { url: serverAddress(address), ...link };
}

/**
 * The address of a server as it stands in links: without a slash at the end.
 *
 * @throws {LinkError} when it is not one
 */
export function serverAddress(text: string): string {
  const url = parseUrl(text);
  const isAddress = url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "" && url.search === "" && !/[?#\s]/.test(text);
  if (isAddress) return url.origin + url.pathname.replace(/\/+$/, "");
  throw new LinkError("Cannot use the address: expected one such as https://home.example");
}

function bytesOf(text: string, length: number): Bytes {
  const bytes = /[+/=]/.test(text) ? undefined : fromBase64(text);
  // One value has one spelling.
  if (bytes?.length !== length || toBase64Url(bytes) !== text) throw wrongLink();
  return bytes;
}

function wrongLink(): LinkError {
  return new LinkError(
    "Cannot use the link: it is not complete, expected https://…/join#1. and two parts",
  );
}

function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
