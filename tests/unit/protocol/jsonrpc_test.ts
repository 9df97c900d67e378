import assert from "node:assert/strict";
import fc from "fast-check";
import { membersOf } from "../../../lib/protocol/json_text.ts";
import {
  readRequest,
  type RpcCall,
  writeError,
  writeResponse,
  writeResult,
} from "../../../lib/protocol/jsonrpc.ts";
import { HOSTILE_TEXTS } from "../../hostile.ts";

/** What is answered to a request, when every call succeeds with 1. */
function answerTo(text: string, maxBatch = 3): string {
  const { isBatch, calls } = readRequest(text, maxBatch);
  return writeResponse(
    isBatch,
    calls.map((call) => call.ok ? writeResult(call.id, "1") : writeError(call.id, call.error)),
  );
}

function only(text: string): RpcCall {
  const { calls, isBatch } = readRequest(text, 16);
  assert.equal(isBatch, false);
  assert.equal(calls.length, 1);
  const [call] = calls;
  assert.ok(call);
  return call;
}

Deno.test("readRequest() gives params and id as they were written", () => {
  const rows: readonly [text: string, params: string | undefined, id: string | undefined][] = [
    ['{"jsonrpc":"2.0","method":"F","id":1}', undefined, "1"],
    ['{"jsonrpc":"2.0","method":"F"}', undefined, undefined],
    ['{"jsonrpc":"2.0","method":"F","id":null}', undefined, "null"],
    [
      '{"jsonrpc":"2.0","method":"F","id":12345678901234567890.50}',
      undefined,
      "12345678901234567890.50",
    ],
    ['{"jsonrpc":"2.0","method":"F","id":"\\u0061\\""}', undefined, '"\\u0061\\""'],
    ['{"jsonrpc":"2.0","method":"F","params":{ "n" : 1e400 },"id":1}', '{ "n" : 1e400 }', "1"],
    ['{"params":{},"params":{"b":2},"method":"F","jsonrpc":"2.0","id":7,"id":8}', '{"b":2}', "8"],
    ['{"p\\u0061rams":{"x":"}"},"method":"F","jsonrpc":"2.0"}', '{"x":"}"}', undefined],
    ['{"__proto__":{"id":1},"method":"F","jsonrpc":"2.0"}', undefined, undefined],
    ['{"jsonrpc":"2.0","method":"F","params":{"__proto__":1},"id":1}', '{"__proto__":1}', "1"],
    [' {"jsonrpc":"2.0","method":"F","id":1,"more":[{"id":2,"params":{}}]}   ', undefined, "1"],
  ];
  for (const [text, params, id] of rows) {
    assert.deepEqual(only(text), { ok: true, method: "F", params, id }, text);
  }
});

Deno.test("what is answered to requests, malformed ones and batches", () => {
  const ok = '{"jsonrpc":"2.0","result":1,"id":1}';
  const invalid = '{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}';
  const invalidOf = (id: string): string => invalid.replace('"id":null', `"id":${id}`);
  const parse = '{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}';
  const params =
    '{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params","data":{"path":"","expected":"an object"}},"id":1}';
  const call = '{"jsonrpc":"2.0","method":"f","id":1}';
  const notification = '{"jsonrpc":"2.0","method":"f"}';
  const rows: readonly [why: string, text: string, answer: string][] = [
    ["a call", call, ok],
    ["padded", call + " ".repeat(27), ok],
    ["a notification", notification, ""],
    ["nothing", "", parse],
    ["a byte order mark", "\ufeff" + call, parse],
    ["two texts", call + call, parse],
    ["single quotes", call.replaceAll('"', "'"), parse],
    ["another version", call.replace("2.0", "1.0"), invalidOf("1")],
    ["no version", '{"method":"f","id":1}', invalidOf("1")],
    ["no method", '{"jsonrpc":"2.0","id":1}', invalidOf("1")],
    ["a number for a method", '{"jsonrpc":"2.0","method":1,"id":"a"}', invalidOf('"a"')],
    ["an object for an id", '{"jsonrpc":"2.0","method":"f","id":{}}', invalid],
    ["an id that is true", '{"jsonrpc":"2.0","method":"f","id":true}', invalid],
    ["params by position", '{"jsonrpc":"2.0","method":"f","params":[1],"id":1}', params],
    ["… of a notification", '{"jsonrpc":"2.0","method":"f","params":[1]}', ""],
    ["params that are null", '{"jsonrpc":"2.0","method":"f","params":null,"id":1}', invalidOf("1")],
    ["params that are text", '{"jsonrpc":"2.0","method":"f","params":"x"}', invalid],
    ["a text", '"x"', invalid],
    ["null", "null", invalid],
    ["an empty batch", "[]", invalid],
    ["a batch", `[${call}, ${call}]`, `[${ok},${ok}]`],
    ["a batch of one", `[${call}]`, `[${ok}]`],
    ["a batch with a notification", `[${notification},${call}]`, `[${ok}]`],
    ["a batch of notifications", `[${notification},${notification}]`, ""],
    ["a batch with anything in it", `[1,${call},[]]`, `[${invalid},${ok},${invalid}]`],
    [
      "too large a batch",
      `[${call},${call},${call},${call}]`,
      invalid.replace('Request"', 'Request","data":{"maxBatch":3}'),
    ],
  ];
  assert.equal(rows.length, 26);
  for (const [why, text, answer] of rows) assert.equal(answerTo(text), answer, why);
});

Deno.test("hostile texts are answered, with JSON", () => {
  assert.ok(HOSTILE_TEXTS.length > 20);
  for (const text of HOSTILE_TEXTS) {
    for (
      const whole of [
        text,
        JSON.stringify(text),
        `{"jsonrpc":"2.0","method":${JSON.stringify(text)}}`,
      ]
    ) {
      const answer = answerTo(whole);
      if (answer !== "") JSON.parse(answer);
    }
  }
});

Deno.test("membersOf() finds what JSON.parse finds, whatever the white space, order and escapes", () => {
  const space = fc.constantFrom("", " ", "\n\t", "\r ");
  // JSON.parse of V8 13 to 15 reads the name `"\""` as a backslash, after it has read an object with a
  // member of that name.
  const text = fc.json({ maxDepth: 4 }).filter((json) => !json.includes("\\\\")).chain((json) =>
    fc.tuple(fc.constant(json), space)
  )
    .map(([json, gap]) => gap + JSON.stringify(JSON.parse(json), null, gap === "" ? 0 : 1) + gap);
  const name = fc.oneof(
    fc.string().filter((each) => !each.includes("\\")).map((each) => JSON.stringify(each)),
    fc.constantFrom('"a"', '"\\u0061"', '"__proto__"', '"\\""', '"{[,:"'),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, text), { maxLength: 8 }), space, (members, gap) => {
      const object = `${gap}{${
        members.map(([key, value]) => `${gap}${key}${gap}:${value}`)
      }${gap}}`;
      const parsed = JSON.parse(object);
      const found = membersOf(object);
      assert.deepEqual(new Set(found.keys()), new Set(Object.keys(parsed)));
      for (const [key, value] of found) {
        assert.deepEqual(JSON.parse(value), Object.getOwnPropertyDescriptor(parsed, key)?.value);
      }
      const array = `[${members.map(([, value]) => value)}${gap}]`;
      assert.deepEqual(
        [...membersOf(array).values()].map((each) => JSON.parse(each)),
        JSON.parse(array),
      );
    }),
    { numRuns: 2000 },
  );
});
