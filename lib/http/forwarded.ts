/**
 * @module
 * What trusted proxies say of the client, counted as Werkzeug's ProxyFix counts: the n-th value of
 * an X-Forwarded-* header from the right was set by the outermost of n trusted proxies. A header
 * with fewer values is ignored.
 */
import { isIP } from "node:net";
import type { ProxySettings } from "../config/settings.ts";
import type { Origin } from "../observer.ts";

/** Where a request comes from: the peer, corrected by the headers that are trusted. */
export function originOf(headers: Headers, peerAddress: string, proxy: ProxySettings): Origin {
  if (!isAnyTrusted(proxy)) return { address: withoutMapping(peerAddress) };
  const host = trustedValue(headers, "x-forwarded-host", proxy.forwardedHost);
  const port = trustedValue(headers, "x-forwarded-port", proxy.forwardedPort);
  const prefix = trustedValue(headers, "x-forwarded-prefix", proxy.forwardedPrefix);
  const protocol = trustedValue(headers, "x-forwarded-proto", proxy.forwardedProto);
  const forwardedFor = trustedValue(headers, "x-forwarded-for", proxy.forwardedFor);
  return {
    address: parseAddress(forwardedFor) ?? withoutMapping(peerAddress),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(protocol === undefined ? {} : { protocol }),
  };
}

function isAnyTrusted(proxy: ProxySettings): boolean {
  return proxy.forwardedFor > 0 || proxy.forwardedHost > 0 || proxy.forwardedPort > 0 ||
    proxy.forwardedPrefix > 0 || proxy.forwardedProto > 0;
}

function trustedValue(headers: Headers, name: string, trusted: number): string | undefined {
  if (trusted === 0) return undefined;
  // Several lines of one header arrive joined with commas.
  const values = headers.get(name)?.split(",").map((value) => value.trim()) ?? [];
  return values.at(-trusted) || undefined;
}

/**
 * The IP address in a text that may carry a port, as some proxies write it. Any other text
 * (`unknown`, `_hidden`) gives `undefined`: it must not become a key of our tables.
 */
function parseAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const unquoted = text.replace(/^"(.*)"$/, "$1");
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(unquoted)?.[1] ??
    /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(unquoted)?.[1] ?? unquoted;
  return isIP(bare) === 0 ? undefined : withoutMapping(bare.toLowerCase());
}

/** An IPv4 address that arrived through an IPv6 socket is still an IPv4 address. */
function withoutMapping(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
