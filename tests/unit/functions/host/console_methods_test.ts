import assert from "node:assert/strict";
import { consoleMethods, formatValues } from "../../../../lib/functions/host/console_methods.ts";

const FORMATS: { values: unknown[]; text: string }[] = [
  { values: [], text: "" },
  { values: [undefined], text: "" },
  { values: ["a", 1, { b: 2 }], text: "a 1 { b: 2 }" },
  { values: ["%s has %d items, %o", "cart", 3, { a: 1 }], text: "cart has 3 items, { a: 1 }" },
  { values: ["100%% %i", 7.9], text: "100% 7" },
  { values: ["100%"], text: "100%" },
  { values: ["%%"], text: "%%" },
  { values: ["%d|%i|%f|%d", 7.9, "8.7", 1.5, 5n], text: "7|8|1.5|5" },
  { values: ["%d|%d", {}, Symbol("x")], text: "NaN|NaN" },
  { values: ["%s|%s|%s", { a: 1 }, null, Symbol("x")], text: "{ a: 1 }|null|Symbol(x)" },
  { values: ["%c red", "color: red"], text: " red" },
  { values: ["%j", { a: 1 }], text: '{"a":1}' },
  { values: ["%s and %s", "one"], text: "one and %s" },
  { values: ["%x", 1], text: "%x 1" },
  { values: [1, "%s", 2], text: "1 %s 2" },
  {
    values: [{ a: [1, { b: new Map([["c", 1]]) }] }],
    text: '{ a: [ 1, { b: Map(1) { "c" => 1 } } ] }',
  },
];

for (const { values, text } of FORMATS) {
  Deno.test(`formatValues() gives ${JSON.stringify(text)}`, () => {
    assert.equal(formatValues(values), text);
  });
}

Deno.test("each method of the console writes at its level", () => {
  const lines: string[] = [];
  const methods = consoleMethods((level, text) => lines.push(`${level} ${text}`));
  const call = (name: string, ...values: unknown[]): void => methods[name]?.(...values);
  call("log", "log");
  call("debug", "debug");
  call("warn", "warn");
  call("error", "error");
  call("dir", { a: 1 }, { depth: 0 });
  call("assert", true, "not shown");
  call("assert", false);
  call("assert", false, "%d is odd", 4);
  call("assert", false, { a: 1 });
  call("count");
  call("count", "n");
  call("count");
  call("countReset");
  call("count");
  call("group", "outer");
  call("group");
  call("log", "two\nlines");
  call("groupEnd");
  call("groupEnd");
  call("groupEnd");
  call("timeEnd", "t");
  call("log", "end");
  assert.deepEqual(lines, [
    "info log",
    "debug debug",
    "warn warn",
    "error error",
    "info { a: 1 }",
    "error Assertion failed",
    "error Assertion failed: 4 is odd",
    "error Assertion failed: { a: 1 }",
    "info default: 1",
    "info n: 1",
    "info default: 2",
    "info default: 1",
    "info outer",
    "info     two\n    lines",
    "warn Timer 't' does not exist",
    "info end",
  ]);
});
