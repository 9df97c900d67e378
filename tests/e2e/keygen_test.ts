import assert from "node:assert/strict";
import { msp, mspOk, TempFolder } from "../program.ts";

Deno.test("keygen writes keys with their modes and refuses to overwrite them", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  assert.equal(await mspOk(["keygen", "private", "a"], options), "Generated: a.key\n");
  assert.deepEqual(await folder.names(), ["a.key"]);
  assert.equal(await mspOk(["keygen", "public", "a"], options), "Generated: a.pub\n");
  assert.match(await folder.read("a.key"), /^[A-Za-z0-9+/]{43}=$/);
  assert.match(await folder.read("a.pub"), /^[A-Za-z0-9+/]{43}=$/);
  assert.deepEqual([await folder.mode("a.key"), await folder.mode("a.pub")], ["600", "644"]);
  const before = [await folder.read("a.key"), await folder.read("a.pub")];
  for (const kind of ["private", "public", "pair"]) {
    const { code, out, err } = await msp(["keygen", kind, "a"], options);
    assert.deepEqual([code, out], [1, ""]);
    assert.match(
      err,
      /^msp: error: Cannot write \S*a\.(key|pub): it exists already\nmsp: hint: .*--force/,
    );
  }
  assert.deepEqual([await folder.read("a.key"), await folder.read("a.pub")], before);
  await mspOk(["keygen", "pair", "a", "--force"], options);
  assert.notEqual(await folder.read("a.key"), before[0]);
  assert.deepEqual(await folder.names(), ["a.key", "a.pub"]);
});

Deno.test("keygen says the fingerprint and the next step on standard error", async () => {
  await using folder = await TempFolder.make();
  const { out, err } = await msp(["keygen", "pair", "a"], { cwd: folder.path });
  assert.equal(out, "Generated: a.key\nGenerated: a.pub\n");
  assert.match(
    err,
    /^msp: note: fingerprint SHA256:\S{43}\nmsp: note: next, on the server: msp appendclient \S{44}\n$/,
  );
});

Deno.test("keygen pair leaves nothing when the public key is in the way", async () => {
  await using folder = await TempFolder.make();
  await folder.write("a.pub", "mine");
  assert.equal((await msp(["keygen", "pair", "a"], { cwd: folder.path })).code, 1);
  assert.deepEqual(await folder.names(), ["a.pub"]);
  assert.equal(await folder.read("a.pub"), "mine");
});

Deno.test("keygen takes names with spaces, and with - in front after --", async () => {
  await using folder = await TempFolder.make();
  for (const args of [["a b"], ["--", "-x"], ["./-y"]]) {
    await mspOk(["keygen", "private", ...args], { cwd: folder.path });
  }
  assert.deepEqual(await folder.names(), ["-x.key", "-y.key", "a b.key"]);
});

const FAILS = [
  { args: ["private", "no/x"], error: /Cannot write \S*no\/x\.key: there is no folder \S*no\n/ },
  { args: ["public", "no"], error: /Cannot read \S*no\.key: not found/ },
  {
    args: ["public", "bad"],
    error: /Cannot read \S*bad\.key: the text is not base64, expected a key of 32 bytes/,
  },
  {
    args: ["private", "/proc/outside"],
    error:
      /Cannot write \/proc\/outside\.key: outside of the paths.*\nmsp: hint: choose a path that is not/,
  },
];

Deno.test("keygen says what is wrong with a name or a key file, and not what is in it", async () => {
  await using folder = await TempFolder.make();
  await folder.write("bad.key", "SECRET-CANARY");
  assert.ok(FAILS.length > 0);
  for (const { args, error } of FAILS) {
    const { code, err } = await msp(["keygen", ...args], { cwd: folder.path });
    assert.equal(code, 1, err);
    assert.match(err, error);
    assert.doesNotMatch(err, /CANARY|\bat |allow-read=\/ /);
  }
});
