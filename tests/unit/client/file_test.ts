import assert from "node:assert/strict";
import { fileProfiles } from "../../../client/file.ts";
import { ProfileError } from "../../../client/mod.ts";
import { TempFolder } from "../../program.ts";
import { TestServer } from "../../v2_server.ts";

const { profile } = new TestServer();

async function errorOf(action: Promise<unknown>): Promise<ProfileError> {
  const error = await action.then(() => assert.fail("no error"), (reason) => reason);
  assert.ok(error instanceof ProfileError, String(error));
  assert.ok(!error.message.includes(profile.privateKey.slice(4, 30)), "a secret in a message");
  return error;
}

Deno.test("save() and load(): one file a profile, for its owner only", async () => {
  await using folder = await TempFolder.make();
  const profiles = fileProfiles(folder.join("config", "msp"));
  assert.deepEqual(await profiles.list(), []);
  await profiles.save("home", { ...profile, name: "home" });
  assert.deepEqual(await profiles.load("home"), { ...profile, name: "home" });
  assert.equal(await folder.mode("config/msp/home.json"), "600");
  assert.equal(await folder.mode("config/msp"), "700");
  assert.deepEqual(await folder.names("config/msp"), ["home.json"], "no temporary file stays");
  assert.deepEqual(await profiles.list(), ["home"]);
  await profiles.remove("home");
  await profiles.remove("home");
  assert.deepEqual(await profiles.list(), []);
});

Deno.test("save() replaces an existing profile only when it is asked to", async () => {
  await using folder = await TempFolder.make();
  const profiles = fileProfiles(folder.path);
  await profiles.save("home", profile);
  const other = { ...profile, url: "https://other.example/v2" };
  assert.match((await errorOf(profiles.save("home", other))).message, /it exists already/);
  assert.equal((await profiles.load("home")).url, profile.url);
  await profiles.save("home", other, { replace: true });
  assert.equal((await profiles.load("home")).url, other.url);
  assert.deepEqual(await folder.names(), ["home.json"]);
});

Deno.test("ten at once: one profile is created, and it is whole", async () => {
  await using folder = await TempFolder.make();
  const profiles = fileProfiles(folder.path);
  const all = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) => profiles.save("home", { ...profile, name: `n${i}` })),
  );
  assert.equal(all.filter(({ status }) => status === "fulfilled").length, 1);
  await profiles.load("home");
});

Deno.test("load() refuses a file that others can read, and says how to change that", async () => {
  await using folder = await TempFolder.make();
  const profiles = fileProfiles(folder.path);
  await profiles.save("home", profile);
  for (const mode of [0o644, 0o640, 0o604, 0o660, 0o601]) {
    await Deno.chmod(folder.join("home.json"), mode);
    const error = await errorOf(profiles.load("home"));
    assert.match(error.message, /other users can read it/);
    assert.equal(error.hint, `chmod 600 ${folder.join("home.json")}`);
  }
});

Deno.test("load() refuses a malformed profile, and repeats nothing of it", async () => {
  await using folder = await TempFolder.make();
  const profiles = fileProfiles(folder.path);
  const text = JSON.stringify(profile);
  const rows: readonly [why: string, text: string, message: RegExp][] = [
    ["half written", text.slice(0, -5), /it is not JSON/],
    ["empty", "", /it is not JSON/],
    ["another text", `${profile.privateKey}\n`, /it is not JSON/],
    ["null", "null", /no object/],
    ["a list", "[]", /url, expected/],
    ["no key", JSON.stringify({ ...profile, privateKey: undefined }), /privateKey, expected/],
    ["half a key", text.replace(profile.privateKey, profile.privateKey.slice(0, 30)), /privateKey/],
    ["another URL", text.replace("http:", "file:"), /url, expected/],
    ["much too long", text.padEnd(100_000), /100000 bytes, no profile/],
  ];
  for (const [why, content, message] of rows) {
    await Deno.writeTextFile(folder.join("home.json"), content, { mode: 0o600 });
    assert.match((await errorOf(profiles.load("home"))).message, message, why);
  }
  assert.match(
    (await errorOf(profiles.load("work"))).message,
    /Cannot find profile work: .*work\.json/,
  );
});

Deno.test("a name is never a path", async () => {
  await using folder = await TempFolder.make();
  const profiles = fileProfiles(folder.path);
  for (const name of ["", "..", ".x", "../x", "a/b", "a\\b", "a\0b", "x".repeat(65), "ä", "-x"]) {
    assert.match((await errorOf(profiles.load(name))).message, /expected a name of letters/);
    assert.match((await errorOf(profiles.save(name, profile))).message, /expected a name/);
  }
});

Deno.test("a malformed profile is not written", async () => {
  await using folder = await TempFolder.make();
  const profiles = fileProfiles(folder.path);
  await assert.rejects(profiles.save("home", { ...profile, serverKey: "x" }), TypeError);
  assert.deepEqual(await folder.names(), []);
});

Deno.test("a folder that cannot be written is an error with its path", async () => {
  await using folder = await TempFolder.make();
  await folder.write("file", "");
  const profiles = fileProfiles(folder.join("file"));
  assert.match(
    (await errorOf(profiles.save("home", profile))).message,
    /^Cannot write .*file\/home\.json: a part of the path is not a folder$/,
  );
});
