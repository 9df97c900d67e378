import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import {
  listClientFiles,
  readClientKey,
  readRegisterLines,
} from "../../../lib/keys/store_reader.ts";
import { HOSTILE_TEXTS } from "../../hostile.ts";
import { TempFolder } from "../../program.ts";

const A = "a1".repeat(64), B = "b2".repeat(64), D = "d3".repeat(32);

const REGISTERS = [
  { why: "as the original writes it", text: `${A}\n${B}\n`, secrets: [A, B], lines: [] },
  { why: "without a line end", text: `${A}\n${B}`, secrets: [A, B], lines: [] },
  { why: "line ends of Windows", text: `${A}\r\n${B}\r\n`, secrets: [A, B], lines: [] },
  { why: "line ends of old Macs", text: `${A}\r${B}\r`, secrets: [A, B], lines: [] },
  { why: "empty lines and spaces", text: `\n  ${A}\t\n\n\n${B} \n\n`, secrets: [A, B], lines: [] },
  {
    why: "digests, one of them limited",
    text: `sha256:${D}\nsha256:${D.toUpperCase()} until=99\n`,
    secrets: [D, D],
    lines: [],
  },
  { why: "a digest cut short", text: `sha256:${D.slice(1)}\n${B}\n`, secrets: [B], lines: [1] },
  { why: "a limit that is none", text: `sha256:${D} until=x\n`, secrets: [], lines: [1] },
  { why: "a line cut short", text: `${A.slice(1)}\n${B}\n`, secrets: [B], lines: [1] },
  { why: "something else", text: `${A}\n\nnote\n${B}\nx\n`, secrets: [A, B], lines: [3, 5] },
  { why: "comments", text: `# note\n${A}\n  # note\r#\r\n${B}\n# x`, secrets: [A, B], lines: [] },
  { why: "nothing", text: "", secrets: [], lines: [] },
];

Deno.test("readRegisterLines() reads the secrets, and reports other lines with their numbers", async () => {
  assert.ok(REGISTERS.length > 0);
  await using folder = await TempFolder.make();
  for (const { why, text, secrets, lines } of REGISTERS) {
    await folder.write("clients.dev", text);
    const found: string[] = [];
    const faults = await readRegisterLines(folder.join("clients.dev"), (line) => {
      found.push(line.kind === "plain" ? line.secret : Buffer.from(line.digest).toString("hex"));
    });
    assert.deepEqual(found, secrets, why);
    const states = lines.map((line) => `line ${line} is not a secret, skipped`);
    assert.deepEqual(faults.map(({ state }) => state), states, why);
  }
});

Deno.test("readRegisterLines() never throws on any text, and a missing register is empty", async () => {
  await using folder = await TempFolder.make();
  for (const text of HOSTILE_TEXTS) {
    await folder.write("clients.dev", text);
    await readRegisterLines(
      folder.join("clients.dev"),
      (line) => assert.ok(line.kind === "hashed" || line.secret.length === 128),
    );
  }
  const faults = await readRegisterLines(folder.join("missing"), () => assert.fail("a secret"));
  assert.deepEqual(faults, []);
});

Deno.test("listClientFiles() gives client files only, numbers in numeric order", async () => {
  await using folder = await TempFolder.make();
  const others = [
    "server.pub",
    "client_5.key",
    "client.pub",
    ".client_1.pub.x.tmp",
    "client_4.pub.bak",
  ];
  const names = ["client_10.pub", "client_9.pub", "client_bob.pub", "client_.pub", "client_1.pub"];
  for (const name of [...names, ...others]) await folder.write(name, "");
  await Deno.mkdir(folder.join("client_7.pub"));
  const sorted = ["client_1.pub", "client_9.pub", "client_10.pub", "client_.pub", "client_bob.pub"];
  assert.deepEqual(await listClientFiles(folder.path), sorted);
});

Deno.test("readClientKey() reports a malformed key, without its content", async () => {
  await using folder = await TempFolder.make();
  for (const text of HOSTILE_TEXTS) {
    await folder.write("client_1.pub", text);
    const key = readClientKey(folder.join("client_1.pub"));
    if (!("state" in key)) assert.equal(key.length, 32);
    else assert.match(key.state, /^[a-zA-Z0-9 ,.:+/=-]{1,80}, skipped$/);
  }
  const missing = readClientKey(join(folder.path, "client_2.pub"));
  assert.equal("state" in missing && missing.state, "not found, skipped");
});
