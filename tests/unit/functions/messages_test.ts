import assert from "node:assert/strict";
import fc from "fast-check";
import { LineReader } from "../../../lib/functions/line_reader.ts";
import {
  type CallOutcome,
  cutOutcome,
  MAX_TEXT_LENGTH,
  parseFromHost,
} from "../../../lib/functions/messages.ts";

const GOOD: unknown[] = [
  ["loading", 0],
  ["loaded", 3, { title: "A light" }],
  ["failed", 1, "other", "does not load"],
  ["failed", 1, "address in use", "does not load"],
  ["results", 2, true, []],
  ["results", 2, false, [[1, "text", "x"], [2, "json", "{}"], [3, "error", "Error: no"]]],
  ["results", 2, false, [[1, "public", "x", "1"], [2, "params", "x", "/a"], [3, "large", ""]]],
  ["output", 0, "info", "a line"],
  ["left out", 0, 7],
  ["memory", 123_456],
  ["idle cpu", 10_000, ["f", "g"]],
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
  { text: `["results",0,true,[[1,"text","x",1]]]`, why: "a number for more text" },
  { text: `["results",0,true,[[1,"text","x","x","x"]]]`, why: "too many members" },
  { text: `["results",0,1,[]]`, why: "a number for a boolean" },
  { text: `["results",0,true,{}]`, why: "no list of outcomes" },
  { text: `["results",0,true,[[1,"text"]]]`, why: "an outcome without text" },
  { text: `["results",0,true,[[1,"text",{"length":0}]]]`, why: "an object for a text" },
  { text: `["results",0,true,[[1,"other","x"]]]`, why: "an unknown kind of outcome" },
  { text: `["results",0,true,[["1","text","x"]]]`, why: "a text for an id" },
  {
    text: JSON.stringify(["results", 0, true, Array(257).fill([1, "text", ""])]),
    why: "too many outcomes",
  },
  { text: `["output",0,"fatal","x"]`, why: "an unknown level" },
  { text: `["output",0,"constructor","x"]`, why: "a member of every object" },
  { text: `["output",0,"info",7]`, why: "a number for a text" },
  { text: `["left out",0,-1]`, why: "a negative count" },
  { text: `["idle cpu",1,[1]]`, why: "a number for a name" },
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

const LONG = "x".repeat(MAX_TEXT_LENGTH + 1);
const CUT = LONG.slice(0, MAX_TEXT_LENGTH);
const OUTCOMES: { outcome: CallOutcome; max: number; cut: CallOutcome }[] = [
  { outcome: [1, "text", "abc"], max: 3, cut: [1, "text", "abc"] },
  { outcome: [1, "text", "abcd"], max: 3, cut: [1, "large", ""] },
  { outcome: [1, "public", "ab", "cd"], max: 3, cut: [1, "large", ""] },
  { outcome: [1, "error", LONG], max: 3, cut: [1, "error", CUT] },
  { outcome: [1, "params", LONG, LONG], max: 3, cut: [1, "params", CUT, CUT] },
];

Deno.test("cutOutcome() keeps results within MaxResult, and texts for the log short", () => {
  for (const { outcome, max, cut } of OUTCOMES) assert.deepEqual(cutOutcome(outcome, max), cut);
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
