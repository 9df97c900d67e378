/**
 * @module
 * Which installation a command works on, and what it says about that.
 */
import assert from "node:assert/strict";
import { msp, mspOk, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

const NAMED = [
  ["appendclient", "iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q="],
  ["listclients"],
  ["removeclient", "1", "--yes"],
  ["purgeclients", "--yes"],
  ["rotate-secrets", "--yes"],
  ["migrate-secrets"],
  ["rotate-server-key", "--yes"],
  ["functions"],
  ["doctor"],
  ["health"],
];

Deno.test("a config.ini that was named and is missing is an error of every command, and nothing is created", async () => {
  await using folder = await TempFolder.make();
  const { path: cwd } = folder;
  assert.ok(NAMED.length > 0);
  for (const args of NAMED) {
    const byFlag = await msp([...args, "--config", "no.ini"], { cwd });
    assert.deepEqual([byFlag.code, byFlag.out], [1, ""], args[0]);
    assert.equal(byFlag.err, `msp: error: Cannot use --config ${cwd}/no.ini: not found\n`);
    const byVariable = await msp(args, { cwd, env: { MSP_CONFIG_PATH: "no.ini" } });
    assert.equal(byVariable.code, 1, args[0]);
    assert.equal(
      byVariable.err,
      `msp: error: Cannot use MSP_CONFIG_PATH = ${cwd}/no.ini: not found\n`,
    );
  }
  assert.deepEqual(await folder.names(), []);
});

const SERVE_FLAGS = ["--config", "--modules-config", "--modules", "--log-dir"];

Deno.test("serve creates a named file only in a folder that is there", async () => {
  await using folder = await TempFolder.make();
  for (const flag of SERVE_FLAGS) {
    const { code, err } = await msp(["serve", flag, "no/such"], { cwd: folder.path });
    assert.equal(code, 1);
    const state = `Cannot use ${flag} ${folder.path}/no/such: there is no folder ${folder.path}/no`;
    assert.equal(
      err,
      `msp: error: ${state}\nmsp: hint: create the folder first, or correct the path\n`,
    );
  }
  assert.deepEqual(await folder.names(), []);
  await using server = await ServerProcess.start({
    cwd: folder.path,
    args: ["--config", "my.ini"],
  });
  assert.match(server.err, new RegExp(`Created ${folder.join("my.ini")}\n`));
});

Deno.test("serve says first where it creates an installation, or which one it serves", async () => {
  await using folder = await TempFolder.make();
  const first = await ServerProcess.start({ cwd: folder.path });
  assert.equal(
    first.err.split("[", 1)[0],
    `msp: note: creating a new installation in ${folder.path}\n` +
      `msp: note: next: msp invite NAME --url URL, then msp join 'LINK' on the client\n`,
  );
  await first.stop();
  await registerClient(folder);
  const second = await ServerProcess.start({ cwd: folder.path });
  assert.equal(
    second.err.split("[", 1)[0],
    `msp: note: serving ${folder.path} with 1 registered client\n`,
  );
  await second.stop();
  await folder.write("config/config.ini", "[Log]\nFormat=json\n");
  const third = await ServerProcess.start({ cwd: folder.path });
  await third.stop();
  for (const line of third.err.trim().split("\n")) JSON.parse(line);
});

Deno.test("serve says that a time zone is not known", async () => {
  await using folder = await TempFolder.make();
  const zones = { "Nowhere/City": true, "Europe/Berlin": false, UTC: false, ":Europe/Rome": false };
  for (const [TZ, isUnknown] of Object.entries(zones)) {
    await using server = await ServerProcess.start({ cwd: folder.path, env: { TZ } });
    assert.equal(server.err.includes(`TZ = "${TZ}" is not a time zone that is known`), isUnknown);
  }
});

Deno.test("invite says when it creates a key store, and when no server runs", async () => {
  await using folder = await TempFolder.make();
  const notes = async (): Promise<string> => {
    const args = ["invite", "phone", "--url", "http://localhost:8000"];
    return (await msp(args, { cwd: folder.path })).err;
  };
  assert.match(await notes(), new RegExp(`created a new key store in ${folder.join("sec")}; `));
  assert.match(await notes(), new RegExp(`no server uses ${folder.join("sec/state")}: `));
  await using _server = await ServerProcess.start({ cwd: folder.path });
  assert.doesNotMatch(await notes(), /created|no server/);
});

Deno.test("appendclient says when it creates a key store, the others need one", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await mspOk(["keygen", "pair", "client"], options);
  for (const args of NAMED.slice(1, 7)) {
    const { code, out, err } = await msp(args, options);
    assert.deepEqual([code, out], [1, ""], args[0]);
    assert.match(
      err,
      new RegExp(`there is no folder ${folder.join("sec")}\nmsp: hint: .*--config`),
    );
  }
  assert.deepEqual(await folder.names(), ["client.key", "client.pub"]);
  const key = await folder.read("client.pub");
  const first = await msp(["appendclient", key], options);
  const created = `msp: note: created a new key store in ${folder.join("sec")}\n`;
  const registered = `msp: note: registered in ${folder.join("sec/client_1.pub")}; to undo: `;
  assert.equal(first.err, `${created}${registered}msp removeclient 1\n`);
  await mspOk(["removeclient", "1", "--yes"], options);
  const second = await msp(["appendclient", key], options);
  assert.equal(second.err, `${registered}msp removeclient 1\n`);
});
