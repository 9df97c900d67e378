/**
 * @module
 * What Werkzeug's ProxyFix(x_for=n) makes of REMOTE_ADDR, for the unit and the end-to-end test.
 */

/** A trusted count, a header, and the address that follows; none when it is the peer's. */
export const FORWARDED_ADDRESSES: readonly {
  readonly trusted: number;
  readonly header: string | undefined;
  readonly address: string | undefined;
  readonly why: string;
}[] = [
  { trusted: 0, header: "198.51.100.1", address: undefined, why: "the header is not trusted" },
  { trusted: 1, header: undefined, address: undefined, why: "no header" },
  { trusted: 1, header: "198.51.100.1", address: "198.51.100.1", why: "one proxy" },
  {
    trusted: 1,
    header: "203.0.113.5, 198.51.100.1",
    address: "198.51.100.1",
    why: "the client forged the first",
  },
  { trusted: 2, header: "203.0.113.5, 198.51.100.1", address: "203.0.113.5", why: "two proxies" },
  { trusted: 2, header: "198.51.100.1", address: undefined, why: "fewer values than configured" },
  {
    trusted: 3,
    header: "a, 198.51.100.1, 198.51.100.2, 198.51.100.3",
    address: "198.51.100.1",
    why: "three proxies",
  },
  { trusted: 1, header: "", address: undefined, why: "empty header" },
  { trusted: 1, header: "198.51.100.1,", address: undefined, why: "empty last value" },
  { trusted: 1, header: "unknown", address: undefined, why: "not an address" },
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
  {
    trusted: 1,
    header: "x".repeat(10_000),
    address: undefined,
    why: "a long value is not an address",
  },
];
