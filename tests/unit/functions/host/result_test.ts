import assert from "node:assert/strict";
import { PublicError, publicPartOf } from "../../../../lib/functions/host/public_error.ts";
import { toJson } from "../../../../lib/functions/host/result.ts";
import { aboutOf, believeAbout } from "../../../../lib/functions/wire/about.ts";

class Point {
  x = 1;
}

Deno.test("toJson() gives what JSON carries, as JSON.stringify does", () => {
  const date = new Date(0);
  const values: unknown[] = [
    1,
    null,
    true,
    [],
    {},
    [1, [2, { a: 3 }]],
    { a: undefined, b: [undefined] },
    date,
    { date },
    new Point(),
    Object.create(null),
    { toJSON: () => "x" },
    NaN,
    new Boolean(true),
  ];
  for (const value of values) assert.equal(toJson(value), JSON.stringify(value));
  assert.equal(toJson(undefined), "null");
});

Deno.test("toJson() refuses what JSON would empty or drop without a word", () => {
  const rows: readonly [value: unknown, message: RegExp][] = [
    [new Map([[1, 2]]), /holds a Map, which/],
    [new Set(), /holds a Set,/],
    [{ a: { b: [0, new Map()] } }, /holds a Map at \.a\.b\[1\],/],
    [new Error("secret"), /holds an Error,/],
    [new Response("x"), /holds a Response,/],
    [new ReadableStream(), /holds a ReadableStream,/],
    [Promise.resolve(), /holds a Promise,/],
    [new Uint8Array(3), /holds an? Uint8Array,/],
    [new ArrayBuffer(3), /holds an ArrayBuffer,/],
    [/x/, /holds a RegExp,/],
    [() => 1, /holds a Function,/],
    [{ f: Math.abs }, /holds a Function at \.f,/],
    [Symbol("x"), /holds a Symbol,/],
    [[new WeakMap()], /holds a WeakMap at \[0\],/],
    [[].values(), /holds an Array Iterator,/],
    [new Headers({ a: "b" }), /holds a Headers,/],
    [{ p: [Promise.resolve()] }, /holds a Promise at \.p\[0\],/],
  ];
  assert.equal(rows.length, 17);
  for (const [value, message] of rows) {
    assert.throws(() => toJson(value), (error) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, message);
      assert.ok(!error.message.includes("secret"));
      return true;
    });
  }
  const circle: { list?: unknown; other?: unknown } = {};
  circle.list = [circle, circle];
  circle.other = circle;
  assert.throws(() => toJson(circle), /^TypeError: the result holds itself at \.list\[0\],/);
  assert.throws(() => toJson({ n: [1n] }), /^TypeError: the result holds a BigInt at \.n\[0\],/);
  const big = BigInt.prototype as { toJSON?: () => string };
  big.toJSON = () => "1";
  assert.equal(toJson({ n: 1n }), '{"n":"1"}', "as many modules do");
  delete big.toJSON;
  const shared = {};
  assert.equal(toJson([shared, shared]), "[{},{}]");
  // What a module says of its own values is its own error.
  const own = { toJSON: () => circle };
  assert.throws(() => toJson(own), TypeError);
});

Deno.test("publicPartOf() gives message and data of a PublicError, and of nothing else", () => {
  assert.deepEqual(publicPartOf(new PublicError("locked", { data: { door: 2 } })), {
    message: "locked",
    data: { door: 2 },
  });
  assert.deepEqual(publicPartOf(new PublicError("locked")), { message: "locked", data: undefined });
  class Own extends Error {
    override name = "PublicError";
  }
  assert.equal(publicPartOf(new Own("of the module"))?.message, "of the module");
  for (const other of [new Error("x"), "PublicError", { name: "PublicError" }, null, undefined]) {
    assert.equal(publicPartOf(other), undefined);
  }
  const cause = new Error("cause");
  const error = new PublicError("x", { cause });
  assert.ok(error instanceof Error);
  assert.equal(error.cause, cause);
});

Deno.test("aboutOf() gives what a module says of itself; a schema that cannot be used is a fault", () => {
  const params = { type: "object" };
  const annotations = { idempotentHint: true, destructiveHint: 1, other: true };
  const whole = { title: "Add", description: "Adds", params, annotations, entry_call: () => {} };
  assert.deepEqual(aboutOf(whole), {
    about: {
      title: "Add",
      description: "Adds",
      params: '{"type":"object"}',
      annotations: { idempotentHint: true },
    },
  });
  assert.deepEqual(aboutOf({ entry_call: () => {} }), { about: {} });
  const circle: { self?: unknown } = {};
  circle.self = circle;
  const deep: unknown = JSON.parse(`{"a":${"[".repeat(300)}${"]".repeat(300)}}`);
  for (const bad of ["x", 1, null, [], () => {}, circle, deep, { a: "x".repeat(70_000) }]) {
    assert.match(aboutOf({ params: bad }).fault ?? "", /is not an object of at most 65536/);
  }
});

Deno.test("believeAbout() takes nothing for granted", () => {
  const hostile = [
    null,
    1,
    "x",
    [],
    { title: {}, description: [], params: 1, annotations: "x" },
    { params: "[]" },
    { params: "null" },
    { params: "{" },
    { params: "x".repeat(70_000) },
    { params: `{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}}` },
    { params: '{"properties":null}' },
    { params: '{"properties":[]}' },
    { params: '{"properties":{"a":{}},"required":7}' },
    { annotations: { readOnlyHint: "yes" } },
  ];
  for (const value of hostile) assert.deepEqual(believeAbout(value), {});
  const long = believeAbout({ title: "t".repeat(10_000), description: "d".repeat(100_000) });
  assert.equal(long.title?.length, 200);
  assert.equal(long.description?.length, 4000);
});
