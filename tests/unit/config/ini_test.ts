import assert from "node:assert/strict";
import { parseIni, readIni } from "../../../lib/config/ini.ts";
import { HOSTILE_TEXTS } from "../../hostile.ts";
import { TempFolder } from "../../program.ts";

const READ = [
  { why: "plain", text: "[S]\nName=value", value: "value" },
  { why: "spaces around the sign", text: "[S]\nName = value ", value: "value" },
  { why: "CR LF", text: "[S]\r\nName=value\r\n", value: "value" },
  { why: "byte order mark", text: "\ufeff[S]\nName=value", value: "value" },
  { why: "case of the name does not matter", text: "[S]\nNAME=value", value: "value" },
  { why: "comments", text: "# a\n[S]\n; b\n#c\nName=value", value: "value" },
  { why: "an equals sign in the value", text: "[S]\nName=a=b", value: "a=b" },
  { why: "nothing", text: "[S]\nName=", value: "" },
  { why: "quotes keep a comment sign", text: '[S]\nName="a#b"', value: "a#b" },
  { why: "a number stays text", text: "[S]\nName=0010", value: "0010" },
  { why: "a word of JSON stays text", text: "[S]\nName=true", value: "true" },
  { why: "single quotes", text: "[S]\nName='a b'", value: "a b" },
  { why: "a backslash stays", text: "[S]\nName=C:\\new", value: "C:\\new" },
  { why: "a comment behind a section", text: "[S] ; main\nName=value", value: "value" },
  { why: "spaces in the brackets", text: "[ S ]\nName=value", value: "value" },
  {
    why: "a section that opens twice",
    text: "[S]\nx=1\n[T]\ny=1\n[S]\nName=value",
    value: "value",
  },
];

Deno.test("parseIni() reads what configparser reads", () => {
  assert.ok(READ.length > 0);
  for (const { why, text, value } of READ) {
    const { options, faults } = parseIni(text);
    assert.deepEqual(faults, [], why);
    const found = options.find(({ section, name }) => section === "S" && name === "name");
    assert.equal(found?.value, value, why);
  }
});

const FAULTY = [
  { text: "[S]\nName: value", line: 2, state: /colon/ },
  { text: "[S]\nName", line: 2, state: /not Name=value/ },
  { text: "Name=value", line: 1, state: /before the first/ },
  { text: "[S]\nA=1\n\na=2", line: 4, state: /second time/ },
  { text: "[S]\nA=1\n B=2", line: 3, state: /indented/ },
  { text: "[S]\nA=%(B)s", line: 2, state: /not supported/ },
  { text: "[S]\nA=1 ; one", line: 2, state: /comment/ },
  { text: "[DEFAULT]\nA=1\n[S]\nB=1", line: 1, state: /\[DEFAULT\], which is not supported/ },
  { text: "[S] x\na=1", line: 1, state: /before the first/ },
  { text: "[S]\n[T] x\na=1", line: 2, state: /not a \[Section\]/ },
  { text: "[S]\nA=1\n[s]\na=2", line: 4, state: /second time/ },
  { text: "[S]\na[]=1", line: 2, state: /impossible/ },
  { text: "[S\na=1", line: 1, state: /before the first/ },
  { text: "[S]\n=1", line: 2, state: /not Name=value/ },
];

Deno.test("parseIni() reports each skipped line with its number", () => {
  assert.ok(FAULTY.length > 0);
  for (const { text, line, state } of FAULTY) {
    const [fault] = parseIni(text).faults;
    assert.equal(fault?.line, line, text);
    assert.match(fault.state, state, text);
  }
});

const NOT_UTF8 = [
  { why: "UTF-16 with a byte order mark", bytes: [0xff, 0xfe, 0x5b, 0, 0x53, 0, 0x5d, 0] },
  { why: "UTF-16 without one", bytes: [0x5b, 0, 0x53, 0, 0x5d, 0] },
  { why: "Latin-1", bytes: [0x5b, 0x53, 0x5d, 0x0a, 0x61, 0x3d, 0xfc] },
];

Deno.test("readIni() refuses what is not UTF-8 text", async () => {
  await using folder = await TempFolder.make();
  assert.ok(NOT_UTF8.length > 0);
  for (const { why, bytes } of NOT_UTF8) {
    await Deno.writeFile(folder.join("x.ini"), Uint8Array.from(bytes));
    await assert.rejects(readIni(folder.join("x.ini")), /x\.ini: it is not UTF-8 text/, why);
  }
});

Deno.test("parseIni() keeps sections with dots apart", () => {
  const { options } = parseIni("[a.b]\nx=1\n[a]\nx=2\n[c.d.e]\ny=3");
  assert.deepEqual(options.map(({ section, value }) => [section, value]), [
    ["a.b", "1"],
    ["a", "2"],
    ["c.d.e", "3"],
  ]);
});

Deno.test("parseIni() never throws on any text, and touches no prototype", () => {
  for (const text of HOSTILE_TEXTS) {
    for (const each of [text, `[S]\n${text}`, `[S]\nName=${text}`, `[${text}]\nName=x`]) {
      for (const { value } of parseIni(each).options) assert.equal(typeof value, "string");
    }
  }
  assert.equal(Object.hasOwn(Object.prototype, "x"), false);
});
