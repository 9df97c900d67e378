import assert from "node:assert/strict";
import { describeError } from "../../../lib/functions/describe_error.ts";

class DbError extends Error {
  readonly code = "SQLITE_BUSY";
}

/** An error without a place: where it was thrown is tested by itself. */
function bare<T extends Error>(error: T): T {
  error.stack = "";
  return error;
}

function chain(length: number): Error {
  let error = bare(new Error("0"));
  for (let i = 1; i < length; i++) error = bare(new Error(String(i), { cause: error }));
  return error;
}

const cycle = bare(new Error("cycle"));
cycle.cause = bare(new Error("inner", { cause: cycle }));

const TEXTS: { what: string; error: unknown; text: string | RegExp }[] = [
  { what: "a message", error: bare(new TypeError("no")), text: "TypeError: no" },
  { what: "no message", error: bare(new DbError()), text: "DbError [SQLITE_BUSY]" },
  {
    what: "a class without a name, and a code",
    error: bare(new DbError("locked")),
    text: "DbError [SQLITE_BUSY]: locked",
  },
  {
    what: "a code that the message has",
    error: bare(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })),
    text: "Error: connect ECONNREFUSED",
  },
  {
    what: "a cause",
    error: bare(new Error("no answer", { cause: bare(new DbError("locked")) })),
    text: "Error: no answer; cause: DbError [SQLITE_BUSY]: locked",
  },
  {
    what: "a cause that is not an error",
    error: bare(new Error("x", { cause: { status: 500 } })),
    text: "Error: x; cause: { status: 500 }",
  },
  { what: "a long chain", error: chain(100), text: /^Error: 99; cause: .*; cause: Error: 94$/ },
  {
    what: "a cycle",
    error: cycle,
    text: /^Error: cycle; cause: Error: inner; cause: Error: cycle/,
  },
  {
    what: "an AggregateError",
    error: bare(new AggregateError([bare(new Error("a")), "b", { c: 1 }], "all")),
    text: "AggregateError: all; errors: Error: a, b, { c: 1 }",
  },
  {
    what: "many errors",
    error: bare(new AggregateError(Array.from({ length: 1000 }, (_, i) => i), "all")),
    text: "AggregateError: all; errors: 0, 1, 2, 3, 4, 995 more",
  },
  {
    what: "several lines",
    error: bare(new Error("first\n\n  second\r\nthird\n")),
    text: "Error: first | second | third",
  },
  { what: "an object", error: { status: 404, device: "x" }, text: '{ status: 404, device: "x" }' },
  { what: "undefined", error: undefined, text: "undefined" },
  { what: "null", error: null, text: "null" },
  { what: "a text", error: "plain", text: "plain" },
  { what: "a symbol", error: Symbol("s"), text: "Symbol(s)" },
  { what: "a function", error: function f(): void {}, text: "[Function: f]" },
  { what: "a long text", error: "x".repeat(1_000_000), text: /^x{1500}…$/ },
  {
    what: "a getter that throws",
    error: Object.defineProperty(new Error(), "message", {
      get(): never {
        throw new Error("getter");
      },
    }),
    text: "something that cannot be described",
  },
  {
    what: "a proxy that throws",
    error: new Proxy(new Error("x"), {
      get(): never {
        throw new Error("trap");
      },
    }),
    text: "something that cannot be described",
  },
  {
    what: "an object that describes itself by throwing",
    error: {
      [Symbol.for("Deno.customInspect")](): never {
        throw new Error("inspect");
      },
    },
    text: "something that cannot be described",
  },
];

for (const { what, error, text } of TEXTS) {
  Deno.test(`describeError() describes ${what}`, () => {
    const found = describeError(error);
    if (typeof text === "string") assert.equal(found, text);
    else assert.match(found, text);
    assert.doesNotMatch(found, /\n/);
  });
}

Deno.test("describeError() names the place in the module, not in the program", () => {
  const error = new Error("x");
  error.stack = "Error: x\n    at own (" + new URL("../../../lib/functions/a.ts", import.meta.url) +
    ":1:1)\n    at entry_call (file:///m/x.js:3:7)\n    at file:///m/y.js:9:9";
  assert.equal(describeError(error), "Error: x (file:///m/x.js:3:7)");
});
