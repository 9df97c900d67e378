import assert from "node:assert/strict";
import fc from "fast-check";
import { LineReader } from "../../../../lib/functions/processes/line_reader.ts";
import { MAX_TEXT_LENGTH, parseFromHost } from "../../../../lib/functions/wire/messages.ts";

const GOOD: unknown[] = [
  ["loading", 0],
  ["loaded", 3, { title: "A light" }],
  ["failed", 1, "other", "does not load"],
  ["failed", 1, "address in use", "does not load"],
  ["output", 0, "info", "a line"],
  ["left out", 0, 7],
  ["memory", 123_456],
  ["cpu", 1000],
  ["alive", 0],
];

Deno.test("parseFromHost() takes every message of a host as it is", () => {
  for (const message of GOOD) {
    assert.deepEqual(parseFromHost(JSON.stringify(message)), message);
  }
});

const BAD: { text: string; why: string }[] = [
  { text: "", why: "nothing" },
  { text: "[", why: "no JSON" },
  { text: "{}", why: "no list" },
  { text: "null", why: "null" },
  { text: `["unknown",1]`, why: "no such message" },
  { text: `["loading"]`, why: "no worker" },
  { text: `["loading",-1]`, why: "a negative number" },
  { text: `["loading",1.5]`, why: "a fraction" },
  { text: `["loading","1"]`, why: "a text for a number" },
  { text: `["output",0,"fatal","x"]`, why: "an unknown level" },
  { text: `["output",0,"constructor","x"]`, why: "a member of every object" },
  { text: `["output",0,"info",7]`, why: "a number for a text" },
  { text: `["left out",0,-1]`, why: "a negative count" },
  { text: `["cpu","1"]`, why: "a text for a time" },
];

Deno.test("parseFromHost() takes nothing else", () => {
  assert.ok(BAD.length > 0);
  for (const { text, why } of BAD) assert.equal(parseFromHost(text), undefined, why);
});

Deno.test("parseFromHost() cuts texts for the log, and believes of a module what has its form", () => {
  const long = "x".repeat(MAX_TEXT_LENGTH + 1);
  const parse = (message: unknown): unknown => parseFromHost(JSON.stringify(message));
  const cut = long.slice(0, MAX_TEXT_LENGTH);
  assert.deepEqual(parse(["output", 0, "info", long]), ["output", 0, "info", cut]);
  assert.deepEqual(parse(["failed", 0, "other", long]), ["failed", 0, "other", cut]);
  assert.deepEqual(parse(["loaded", 0, { title: 1, x: 2 }]), ["loaded", 0, {}]);
  assert.deepEqual(parse(["loaded", 0]), ["loaded", 0, {}]);
});

Deno.test("parseFromHost() never throws", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseFromHost(text)));
});

Deno.test("LineReader.read() gives the same lines however the bytes come", () => {
  const text = fc.array(fc.string({ unit: "grapheme", maxLength: 20 }), { maxLength: 10 })
    .map((lines) => lines.map((line) => line.replaceAll("\n", "")).join("\n"));
  fc.assert(fc.property(text, fc.array(fc.nat(30)), (content, cuts) => {
    const bytes = new TextEncoder().encode(`${content}\n`);
    const reader = new LineReader();
    const lines: string[] = [];
    let from = 0;
    for (const cut of [...cuts, bytes.length]) {
      const chunk = bytes.slice(from, from + cut);
      lines.push(...reader.read(chunk));
      // The stream may write something else there.
      chunk.fill(0);
      from += cut;
    }
    const expected = content.split("\n");
    assert.deepEqual(lines, expected.filter((line) => line !== ""));
    assert.equal(reader.takeEmptyLines(), expected.length - lines.length);
    assert.equal(reader.pendingBytes, 0);
  }));
});

Deno.test("LineReader counts bytes of a line without end, and can forget them", () => {
  const reader = new LineReader();
  const bytes = new TextEncoder().encode("token and more");
  for (let i = 0; i < 3; i++) assert.deepEqual(reader.read(bytes), []);
  assert.equal(reader.pendingBytes, 3 * bytes.length);
  assert.equal(reader.pendingStart(5), "token");
  reader.dropPending();
  assert.deepEqual(reader.read(new TextEncoder().encode("rest\n")), ["rest"]);
});
