import assert from "node:assert/strict";
import { originOf } from "../../../lib/http/forwarded.ts";

const OFF = {
  forwardedFor: 0,
  forwardedHost: 0,
  forwardedPort: 0,
  forwardedPrefix: 0,
  forwardedProto: 0,
};
const PEER = "192.0.2.9";

/** As Werkzeug's ProxyFix(x_for=n) sets REMOTE_ADDR. */
const ADDRESSES = [
  { trusted: 0, header: "198.51.100.1", address: PEER, why: "the header is not trusted" },
  { trusted: 1, header: undefined, address: PEER, why: "no header" },
  { trusted: 1, header: "198.51.100.1", address: "198.51.100.1", why: "one proxy" },
  {
    trusted: 1,
    header: "203.0.113.5, 198.51.100.1",
    address: "198.51.100.1",
    why: "the client forged the first",
  },
  { trusted: 2, header: "203.0.113.5, 198.51.100.1", address: "203.0.113.5", why: "two proxies" },
  { trusted: 2, header: "198.51.100.1", address: PEER, why: "fewer values than configured" },
  {
    trusted: 3,
    header: "a, 198.51.100.1, 198.51.100.2, 198.51.100.3",
    address: "198.51.100.1",
    why: "three proxies",
  },
  { trusted: 1, header: "", address: PEER, why: "empty header" },
  { trusted: 1, header: "198.51.100.1,", address: PEER, why: "empty last value" },
  { trusted: 1, header: "unknown", address: PEER, why: "not an address" },
  { trusted: 1, header: "198.51.100.1:4711", address: "198.51.100.1", why: "with a port" },
  { trusted: 1, header: "2001:DB8::1", address: "2001:db8::1", why: "IPv6" },
  { trusted: 1, header: "[2001:db8::1]", address: "2001:db8::1", why: "IPv6 in brackets" },
  {
    trusted: 1,
    header: '"[2001:db8::1]:4711"',
    address: "2001:db8::1",
    why: "IPv6 with a port, quoted",
  },
  { trusted: 1, header: "::ffff:198.51.100.1", address: "198.51.100.1", why: "IPv4 in IPv6" },
  { trusted: 1, header: "x".repeat(10_000), address: PEER, why: "a long value is no address" },
];

Deno.test("originOf() takes the address that ProxyFix takes", () => {
  assert.ok(ADDRESSES.length > 0);
  for (const { trusted, header, address, why } of ADDRESSES) {
    const headers = new Headers(header === undefined ? {} : { "x-forwarded-for": header });
    const origin = originOf(headers, PEER, { ...OFF, forwardedFor: trusted });
    assert.equal(origin.address, address, why);
  }
});

Deno.test("originOf() joins several lines of one header", () => {
  const headers = new Headers([["x-forwarded-for", "203.0.113.5"], [
    "x-forwarded-for",
    "198.51.100.1",
  ]]);
  assert.equal(originOf(headers, PEER, { ...OFF, forwardedFor: 2 }).address, "203.0.113.5");
});

Deno.test("originOf() counts host, port, prefix and protocol each by its own setting", () => {
  const headers = new Headers({
    "x-forwarded-host": "inner.example, outer.example",
    "x-forwarded-port": "8443",
    "x-forwarded-prefix": "/a, /b",
    "x-forwarded-proto": "http, https",
  });
  assert.deepEqual(originOf(headers, PEER, OFF), { address: PEER });
  const proxy = {
    ...OFF,
    forwardedHost: 1,
    forwardedPort: 2,
    forwardedPrefix: 2,
    forwardedProto: 1,
  };
  assert.deepEqual(originOf(headers, PEER, proxy), {
    address: PEER,
    host: "outer.example",
    prefix: "/a",
    protocol: "https",
  });
});
