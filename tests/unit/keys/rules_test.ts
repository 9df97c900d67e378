import assert from "node:assert/strict";
import fc from "fast-check";
import { type ClientRules, formatRules, parseRules } from "../../../lib/keys/rules.ts";
import { HOSTILE_TEXTS } from "../../hostile.ts";

const KEY = "q1ZlkeyKEYkeyKEYkeyKEYkeyKEYkeyKEYkeyKEYke0=";

function rulesOf(lines: string): ClientRules {
  const result = parseRules(`${KEY}\n${lines}`);
  assert.ok(result.ok, result.ok ? "" : result.fault.state);
  return result.rules;
}

Deno.test("parseRules() reads every rule, in the forms that people write", () => {
  const table: { lines: string; rules: ClientRules; why: string }[] = [
    { lines: "", rules: {}, why: "no rules" },
    { lines: "\n\n# a comment\n", rules: {}, why: "comments" },
    { lines: "name = Anna's phone", rules: { name: "Anna's phone" }, why: "a name with a space" },
    { lines: "NAME=x", rules: { name: "x" }, why: "case-insensitive, no spaces" },
    { lines: "name = a = b", rules: { name: "a = b" }, why: "the first = separates" },
    {
      lines: "name = x\r\nrate = 1/s\r\n",
      rules: { name: "x", rate: { calls: 1, perSeconds: 1 } },
      why: "CR LF",
    },
    {
      lines: "functions = time_test, Light_*, !light_alarm",
      rules: { functions: ["time_test", "light_*", "!light_alarm"] },
      why: "patterns",
    },
    {
      lines: "expires = 2027-03-01",
      rules: { expiresAtSeconds: Date.UTC(2027, 2, 1) / 1000 },
      why: "a day",
    },
    {
      lines: "expires = 2027-03-01T18:30Z",
      rules: { expiresAtSeconds: Date.UTC(2027, 2, 1, 18, 30) / 1000 },
      why: "a time",
    },
    {
      lines: "from = 192.168.1.0/24, fd00::/8, 10.0.0.1",
      rules: { from: ["192.168.1.0/24", "fd00::/8", "10.0.0.1"] },
      why: "networks",
    },
    { lines: "rate = 30/min", rules: { rate: { calls: 30, perSeconds: 60 } }, why: "a rate" },
    {
      lines: "rate = 1000 / day",
      rules: { rate: { calls: 1000, perSeconds: 86_400 } },
      why: "spaces",
    },
    {
      lines: "added = 2026-11-26 by invite",
      rules: { added: "2026-11-26 by invite" },
      why: "a note",
    },
  ];
  assert.equal(table.length, 13);
  for (const { lines, rules, why } of table) assert.deepEqual(rulesOf(lines), rules, why);
});

Deno.test("parseRules() refuses what it does not understand, with the line and without the value", () => {
  const table: { lines: string; line: number; state: RegExp; why: string }[] = [
    { lines: "nmae = x", line: 2, state: /is not a rule: expected name/, why: "a misspelt rule" },
    { lines: "CANARY", line: 2, state: /is not a rule/, why: "no =" },
    { lines: "= x", line: 2, state: /is not a rule/, why: "no name" },
    { lines: "__proto__ = x", line: 2, state: /is not a rule/, why: "a name that objects have" },
    { lines: "name = ", line: 2, state: /gives name a value that cannot be used/, why: "empty" },
    { lines: "name = 12", line: 2, state: /not a number/, why: "a number means client_12" },
    { lines: `name = ${KEY}`, line: 2, state: /not a key/, why: "a key" },
    {
      lines: "name = --force",
      line: 2,
      state: /gives name a value that cannot/,
      why: "looks like an option",
    },
    { lines: `name = ${"x".repeat(65)}`, line: 2, state: /64 characters/, why: "too long" },
    {
      lines: "name = a\u0000b",
      line: 2,
      state: /gives name a value that cannot/,
      why: "a control character",
    },
    {
      lines: "name = a\u2028b",
      line: 2,
      state: /gives name a value that cannot/,
      why: "a line separator",
    },
    {
      lines: "name = a\u202eb",
      line: 2,
      state: /gives name a value that cannot/,
      why: "turns the order of letters around",
    },
    { lines: "name = a\nname = b", line: 3, state: /a second time/, why: "twice" },
    { lines: "functions = ", line: 2, state: /function names/, why: "empty" },
    { lines: "functions = a,,b", line: 2, state: /function names/, why: "an empty pattern" },
    { lines: "functions = !", line: 2, state: /function names/, why: "! of nothing" },
    { lines: "functions = !!a", line: 2, state: /function names/, why: "twice !" },
    { lines: "functions = a b", line: 2, state: /function names/, why: "no comma" },
    { lines: "expires = soon", line: 2, state: /a date such as/, why: "no date" },
    { lines: "expires = 2027-02-31", line: 2, state: /a date such as/, why: "not a real date" },
    { lines: "expires = 2027-13-01", line: 2, state: /a date such as/, why: "no month" },
    { lines: "expires = 01.03.2027", line: 2, state: /a date such as/, why: "another form" },
    { lines: "expires = 2027-03-01T18:00", line: 2, state: /UTC/, why: "whose time?" },
    { lines: "from = example.org", line: 2, state: /IP addresses/, why: "a host name" },
    { lines: "from = 192.168.1.0/33", line: 2, state: /IP addresses/, why: "prefix too long" },
    { lines: "from = fd00::/129", line: 2, state: /IP addresses/, why: "prefix too long" },
    { lines: "from = 192.168.1", line: 2, state: /IP addresses/, why: "half an address" },
    { lines: "from = *", line: 2, state: /IP addresses/, why: "no pattern" },
    { lines: "rate = 30", line: 2, state: /30\/min/, why: "no time" },
    { lines: "rate = 0/min", line: 2, state: /30\/min/, why: "never" },
    { lines: "rate = -1/min", line: 2, state: /30\/min/, why: "negative" },
    { lines: "rate = 1/year", line: 2, state: /30\/min/, why: "unknown unit" },
    { lines: "rate = 1/constructor", line: 2, state: /30\/min/, why: "a name that objects have" },
    { lines: "# x\n\nrate = CANARY", line: 4, state: /30\/min/, why: "lines are counted" },
  ];
  assert.equal(table.length, 34);
  for (const { lines, line, state, why } of table) {
    const result = parseRules(`${KEY}\n${lines}`);
    assert.ok(!result.ok, why);
    assert.equal(result.fault.line, line, why);
    assert.match(result.fault.state, state, why);
    assert.ok(!result.fault.state.includes("CANARY"), why);
  }
});

Deno.test("formatRules() writes what parseRules() reads", () => {
  const lines = [
    "name = Anna's phone",
    "functions = time_test, light_*, !light_alarm",
    "expires = 2027-03-01T18:00:30Z",
    "from = 192.168.1.0/24, fd00::/8",
    "rate = 30/min",
    "added = 2026-11-26 by invite",
  ].join("\n") + "\n";
  assert.equal(formatRules(rulesOf(lines)), lines);
  assert.equal(formatRules({}), "");
  assert.equal(formatRules(rulesOf("expires = 2027-03-01")), "expires = 2027-03-01\n");
});

Deno.test("parseRules() takes any text, and keeps no line of it", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...HOSTILE_TEXTS));
  const name = fc.constantFrom("name", "functions", "expires", "from", "rate", "added", "x");
  fc.assert(fc.property(fc.array(fc.tuple(name, text)), (lines) => {
    const result = parseRules(`${KEY}\n${lines.map(([n, v]) => `${n} = ${v}`).join("\n")}`);
    if (!result.ok) return;
    assert.deepEqual(rulesOf(formatRules(result.rules)), result.rules);
  }));
});
