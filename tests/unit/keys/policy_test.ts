import assert from "node:assert/strict";
import fc from "fast-check";
import { ClientPolicy } from "../../../lib/keys/policy.ts";
import { type ClientRules, parseRules } from "../../../lib/keys/rules.ts";

function rulesOf(lines: string): ClientRules {
  const result = parseRules(`KEY\n${lines}`);
  assert.ok(result.ok, result.ok ? "" : result.fault.state);
  return result.rules;
}

Deno.test("ClientPolicy.mayCall() takes globs over the whole name, and a denial wins", () => {
  const table = [
    { functions: undefined, name: "anything", may: true, why: "no rule" },
    { functions: "time_test", name: "time_test", may: true, why: "the name" },
    { functions: "time_test", name: "TIME_test", may: true, why: "case-insensitive" },
    { functions: "time_test", name: "time_test2", may: false, why: "the whole name" },
    { functions: "time_test", name: "a_time_test", may: false, why: "the whole name" },
    { functions: "light_*", name: "light_on", may: true, why: "a glob" },
    { functions: "light_*", name: "light_", may: true, why: "* may be nothing" },
    { functions: "light_*", name: "lights", may: false, why: "the part before *" },
    { functions: "*", name: "x", may: true, why: "everything" },
    { functions: "*_on", name: "light_on", may: true, why: "* in front" },
    { functions: "l*t_*n", name: "light_on", may: true, why: "two globs" },
    { functions: "a*b*c", name: "abbbbb", may: false, why: "backtracking ends" },
    { functions: "*, !light_alarm", name: "light_alarm", may: false, why: "! wins" },
    { functions: "!light_alarm, *", name: "light_alarm", may: false, why: "! wins in any order" },
    { functions: "*, !light_*", name: "light_on", may: false, why: "! with a glob" },
    { functions: "!light_*", name: "time_test", may: true, why: "only denials allow the rest" },
    { functions: "!light_*", name: "light_on", may: false, why: "only denials" },
    {
      functions: "*, !caf\u00e9",
      name: "cafe\u0301",
      may: false,
      why: "the same name, decomposed",
    },
    { functions: "cafe\u0301", name: "caf\u00e9", may: true, why: "the same name, composed" },
    { functions: "light.*", name: "light_x", may: false, why: "not a regular expression" },
  ];
  assert.equal(table.length, 20);
  for (const { functions, name, may, why } of table) {
    const rules = functions === undefined ? {} : rulesOf(`functions = ${functions}`);
    assert.equal(
      new ClientPolicy([rules]).mayCall(name.toLowerCase()),
      may,
      `${functions} ${name}: ${why}`,
    );
  }
  const both = [rulesOf("functions = light_*"), rulesOf("functions = *_on")];
  assert.equal(new ClientPolicy(both).mayCall("light_on"), true);
  assert.equal(
    new ClientPolicy(both).mayCall("light_off"),
    false,
    "two files: the stricter of both",
  );
});

Deno.test("ClientPolicy.bars() keeps to what is written", () => {
  const table = [
    { from: undefined, address: "203.0.113.1", may: true },
    { from: "192.168.1.0/24", address: "192.168.1.255", may: true },
    { from: "192.168.1.0/24", address: "192.168.2.1", may: false },
    { from: "192.168.1.7/24", address: "192.168.1.255", may: true },
    { from: "0.0.0.0/0", address: "203.0.113.1", may: true },
    { from: "0.0.0.0/0", address: "2001:db8::1", may: false },
    { from: "fd00::/8", address: "fd12:3456::1", may: true },
    { from: "fd00::/8", address: "fe80::1", may: false },
    { from: "10.0.0.1", address: "10.0.0.1", may: true },
    { from: "10.0.0.1", address: "10.0.0.11", may: false },
    { from: "10.0.0.1", address: "local", may: false },
    { from: "10.0.0.1, ::1", address: "::1", may: true },
    { from: "2001:DB8::/32", address: "2001:db8:1::1", may: true },
  ];
  assert.equal(table.length, 13);
  for (const { from, address, may } of table) {
    const rules = from === undefined ? {} : rulesOf(`from = ${from}`);
    const bar = new ClientPolicy([rules]).bars({ address, nowSeconds: 0 });
    assert.equal(bar, may ? undefined : "client_source", `${from} ${address}`);
  }
  const rules = rulesOf("expires = 2027-03-01");
  const end = Date.UTC(2027, 2, 1) / 1000;
  const isExpired = (all: ClientRules[], nowSeconds: number): boolean =>
    new ClientPolicy(all).bars({ address: "10.0.0.1", nowSeconds }) === "client_expired";
  assert.equal(isExpired([rules], end - 1), false);
  assert.equal(isExpired([rules], end), true, "from the first second of that day, UTC");
  assert.equal(isExpired([{}, rules], end), true, "two files: the stricter of both");
  assert.equal(isExpired([{}], Number.MAX_SAFE_INTEGER), false);
});

Deno.test("ClientPolicy.mayCall() agrees with a regular expression on any pattern", () => {
  const part = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 8 });
  const name = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 });
  fc.assert(fc.property(part, name, (pattern, name) => {
    const expected = new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(name);
    assert.equal(new ClientPolicy([{ functions: [pattern] }]).mayCall(name), expected);
    assert.equal(new ClientPolicy([{ functions: [`!${pattern}`] }]).mayCall(name), !expected);
  }));
});

Deno.test("ClientPolicy.mayCall() takes no time on patterns made to backtrack", () => {
  const policy = new ClientPolicy([{ functions: ["*a".repeat(500) + "*b"] }]);
  const startedMs = performance.now();
  for (let i = 0; i < 100; i++) assert.equal(policy.mayCall("a".repeat(16_000)), false);
  assert.ok(performance.now() - startedMs < 1000);
});

Deno.test("ClientPolicy.count() lets a rate's calls through at once, then one at a time", () => {
  const table: { rates: string[]; calls: [atMs: number, waitMs: number][]; why: string }[] = [
    { rates: [], calls: [[0, 0], [0, 0], [0, 0]], why: "no rate" },
    { rates: ["1/s"], calls: [[0, 0], [0, 1000], [400, 600], [1000, 0], [1001, 999]], why: "one" },
    { rates: ["3/s"], calls: [[0, 0], [0, 0], [0, 0], [0, 1000 / 3], [334, 0]], why: "a burst" },
    {
      rates: ["2/s"],
      calls: [[0, 0], [0, 0], [60_000, 0], [60_000, 0], [60_000, 500]],
      why: "a pause does not add up",
    },
    {
      rates: ["1/s", "1/min"],
      calls: [[0, 0], [0, 60_000], [60_000, 0]],
      why: "two files: the stricter of both",
    },
    {
      rates: ["2/day", "1/s"],
      calls: [[0, 0], [500, 500], [1000, 0], [2000, 43_198_000]],
      why: "what one of them refuses counts for none",
    },
  ];
  assert.equal(table.length, 6);
  for (const { rates, calls, why } of table) {
    const policy = new ClientPolicy(rates.map((rate) => rulesOf(`rate = ${rate}`)));
    for (const [atMs, waitMs] of calls) {
      assert.equal(Math.round(policy.count(atMs)), Math.round(waitMs), `${why}, at ${atMs}`);
    }
  }
});
