import assert from "node:assert/strict";
import type { Schema } from "@cfworker/json-schema";
import { ParamsCheck, schemaFault } from "../../../../lib/functions/host/params.ts";

const SCHEMA: Schema = {
  type: "object",
  properties: {
    item: { type: "string", maxLength: 5, pattern: "^[a-z]*$" },
    count: { type: "integer", minimum: 1 },
    list: { type: "array", maxItems: 2, items: { $ref: "#/$defs/part" } },
    choice: { anyOf: [{ type: "string" }, { type: "number" }] },
  },
  required: ["item"],
  additionalProperties: false,
  $defs: { part: { type: "object", properties: { x: { enum: ["a", "b"] } } } },
};

Deno.test("ParamsCheck.check() names the first thing that does not fit, and what the schema expects", () => {
  const rows: readonly [params: unknown, path?: string, expected?: string][] = [
    [{ item: "milk" }],
    [{ item: "", count: 1, list: [{ x: "a" }, { y: 1 }], choice: 1.5 }],
    [{}, "", "the member item"],
    [{ item: 1 }, "/item", 'type "string"'],
    [{ item: null }, "/item", 'type "string"'],
    [{ item: "cheese" }, "/item", "maxLength 5"],
    [{ item: "MILK" }, "/item", 'pattern "^[a-z]*$"'],
    [{ item: "a", count: 0 }, "/count", "minimum 1"],
    [{ item: "a", count: 1.5 }, "/count", 'type "integer"'],
    [{ item: "a", list: [{ x: "a" }, { x: "c" }] }, "/list/1/x", 'enum ["a","b"]'],
    [{ item: "a", list: [{}, {}, {}] }, "/list", "maxItems 2"],
    [{ item: "a", choice: true }, "/choice", 'anyOf [{"type":"string"},{"type":"number"}]'],
    [{ item: "a", other: 1 }, "/other", "no such member"],
    [{ item: "a", "a/b~c": 1 }, "/a~1b~0c", "no such member"],
    [JSON.parse('{"item":"a","__proto__":1}'), "/__proto__", "no such member"],
    [[], "", 'type "object"'],
  ];
  assert.equal(rows.length, 16);
  assert.equal(schemaFault(SCHEMA), undefined);
  const check = new ParamsCheck(SCHEMA);
  for (const [params, path, expected] of rows) {
    const fault = path === undefined ? undefined : { path, expected };
    assert.deepEqual(check.check(params), fault, JSON.stringify(params));
  }
});

Deno.test("ParamsCheck.check() says no more than a line, however large the schema", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `choice ${i}`);
  const check = new ParamsCheck({ type: "object", properties: { a: { enum: names } } });
  assert.equal(check.check({ a: 1 })?.expected.length, 200);
});

Deno.test("schemaFault() finds what would let arguments through, or fail at the first call", () => {
  const rows: readonly [schema: unknown, fault: RegExp | undefined][] = [
    [{ type: "object" }, undefined],
    [{ type: "object", properties: { a: true, b: false } }, undefined],
    [{ type: "object", properties: { pattern: { type: "string" }, $ref: {} } }, undefined],
    [{ type: "object", $defs: { a: {} }, properties: { b: { $ref: "#/$defs/a" } } }, undefined],
    [{ type: "object", properties: { self: { $ref: "#" } } }, undefined],
    [{}, /^\/type: expected "object"$/],
    [{ type: "string" }, /^\/type: expected "object"$/],
    [{ type: ["object"] }, /^\/type: expected "object"$/],
    [
      { type: "object", properties: { a: { type: "sting" } } },
      /^\/properties\/a\/type: expected one of array, .*, string, or a list of them$/,
    ],
    [{ type: "object", properties: [] }, /^\/properties: expected type "object"$/],
    [{ type: "object", properties: { a: "string" } }, /^\/properties\/a: expected type/],
    [{ type: "object", required: "a" }, /^\/required: expected type "array"$/],
    [{ type: "object", required: [1] }, /^\/required\/0: expected type "string"$/],
    [{ type: "object", properties: { a: { minimum: "1" } } }, /minimum: expected type "number"$/],
    [{ type: "object", properties: { a: { items: [{}] } } }, /^\/properties\/a\/items: expected/],
    [{ type: "object", properties: { a: { pattern: "[" } } }, /^the pattern \[ is malformed$/],
    [{ type: "object", patternProperties: { "(": {} } }, /^the pattern \( is malformed$/],
    [{ type: "object", properties: { a: { $ref: "#/$defs/none" } } }, /leads nowhere$/],
    [{ type: "object", properties: { a: { $ref: "https://x/y" } } }, /leads nowhere$/],
  ];
  assert.equal(rows.length, 19);
  for (const [schema, fault] of rows) {
    const found = schemaFault(schema as Schema);
    if (fault === undefined) assert.equal(found, undefined, JSON.stringify(schema));
    else assert.match(found ?? "nothing found", fault, JSON.stringify(schema));
  }
});
