import assert from "node:assert/strict";
import { originOf } from "../../../lib/http/forwarded.ts";
import { FORWARDED_ADDRESSES } from "../../forwarded_addresses.ts";

const OFF = {
  forwardedFor: 0,
  forwardedHost: 0,
  forwardedPort: 0,
  forwardedPrefix: 0,
  forwardedProto: 0,
};
const PEER = "192.0.2.9";

Deno.test("originOf() gives the same address as ProxyFix", () => {
  assert.ok(FORWARDED_ADDRESSES.length > 0);
  for (const { trusted, header, address, why } of FORWARDED_ADDRESSES) {
    const headers = new Headers(header === undefined ? {} : { "x-forwarded-for": header });
    const origin = originOf(headers, PEER, { ...OFF, forwardedFor: trusted });
    assert.equal(origin.address, address ?? PEER, why);
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
