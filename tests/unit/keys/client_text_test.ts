import assert from "node:assert/strict";
import fc from "fast-check";
import { changeRules, formatClientFile, rulesFound } from "../../../lib/keys/client_text.ts";
import { RULE_NAMES } from "../../../lib/keys/rules.ts";
import { parseClientFile } from "../../../lib/keys/store_reader.ts";
import { formatKey } from "../../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../../lib/crypto/nacl.ts";
import { HOSTILE_TEXTS } from "../../hostile.ts";

const { publicKey } = generateKeyPair();
const KEY = formatKey(publicKey);

const CHANGES: readonly {
  why: string;
  before: string;
  change: Readonly<Record<string, string | undefined>>;
  isCleared?: boolean;
  after: string;
}[] = [
  { why: "no rules yet", before: KEY, change: { name: "a" }, after: "name = a\n" },
  { why: "nothing", before: `${KEY}\n\nrate = 1/s`, change: {}, after: "\nrate = 1/s\n" },
  {
    why: "in its place, with comments and line ends of Windows",
    before: `${KEY}\r\n# one\r\nRate=1/s\r\n  name =  a\r\n`,
    change: { rate: "2/min" },
    after: "# one\nrate = 2/min\n  name =  a\n",
  },
  {
    why: "removed",
    before: `${KEY}\nname = a\nrate = 1/s\n`,
    change: { rate: undefined, from: undefined },
    after: "name = a\n",
  },
  {
    why: "given twice",
    before: `${KEY}\nrate = 1/s\nrate = 2/s\n`,
    change: { rate: "3/s" },
    after: "rate = 3/s\n",
  },
  {
    why: "a line that is not a rule stays",
    before: `${KEY}\nrat = 1/s\n`,
    change: { name: "a" },
    after: "rat = 1/s\nname = a\n",
  },
  {
    why: "cleared",
    before: `${KEY}\n# note\nname = a\nrat = 1/s\nx\nrate = 1/s\nadded = today\n\nfrom = ::1`,
    change: { functions: "f" },
    isCleared: true,
    after: "# note\nname = a\nadded = today\n\nfunctions = f\n",
  },
];

Deno.test("changeRules() changes the rules that are meant, and nothing else", () => {
  assert.ok(CHANGES.length > 5);
  for (const { why, before, change, isCleared = false, after } of CHANGES) {
    const options = { change: new Map(Object.entries(change)), isCleared };
    assert.equal(changeRules(before, options), `${KEY}\n${after}`, why);
  }
});

Deno.test("changeRules() keeps key and comments of any file, and a second time changes nothing", () => {
  const line = fc.oneof(
    fc.constantFrom(...RULE_NAMES.map((name) => `${name} = 1/s`), "# note", "", ...HOSTILE_TEXTS),
    fc.string({ unit: "grapheme" }),
  );
  const value = fc.constantFrom("1/s", "2026-01-01", undefined);
  const changes = fc.dictionary(fc.constantFrom(...RULE_NAMES), value);
  fc.assert(fc.property(fc.array(line), changes, fc.boolean(), (lines, change, isCleared) => {
    const options = { change: new Map(Object.entries(change)), isCleared };
    const text = [KEY, ...lines].join("\n");
    const once = changeRules(text, options);
    assert.equal(once.split("\n", 1)[0], KEY);
    assert.equal(changeRules(once, options), once);
    const notes = (of: string): number => of.match(/^# note$/gm)?.length ?? 0;
    assert.equal(notes(once), notes(text));
    const file = parseClientFile(once);
    assert.ok(typeof file !== "string");
    assert.ok(!isCleared || typeof rulesFound(once, file) === "object");
  }));
});

Deno.test("formatClientFile() writes what parseClientFile() reads", () => {
  const rules = { name: "a = b #", functions: ["f*", "!g"], rate: { calls: 1, perSeconds: 60 } };
  const file = parseClientFile(formatClientFile(publicKey, rules));
  assert.deepEqual(typeof file !== "string" && file.rules, { ok: true, rules });
  assert.equal(formatClientFile(publicKey, {}), KEY);
});

Deno.test("rulesFound() still tells the name where a rule cannot be used", () => {
  const text = `${KEY}\nname = a\nrat = 1/s\nadded = today\nrate = 1/s`;
  const file = parseClientFile(text);
  assert.ok(typeof file !== "string");
  const found = rulesFound(text, file);
  assert.deepEqual(found.rules, { name: "a", added: "today" });
  assert.equal(found.fault?.line, 3);
});
