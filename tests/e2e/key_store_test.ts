import assert from "node:assert/strict";
import { sealRequest } from "../v1_client.ts";
import { testIf } from "../conditions.ts";
import { waitUntil } from "../functions.ts";
import { msp, mspOk, RUNTIME, ServerProcess, TempFolder } from "../program.ts";
import { callServer, postTo, registerClient } from "../registered.ts";

const isAnswer = (answer: string | number): boolean => String(answer).startsWith("It is");

Deno.test("a running server follows added and removed clients, and refuses none of the others", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  const stays = await registerClient(folder, "stays");
  await using server = await ServerProcess.start(options);
  const call = async (client: typeof stays): Promise<boolean> =>
    isAnswer(await callServer(server.url, client, "time_test"));
  assert.ok(await call(stays));
  const later = await registerClient(folder, "later");
  const wait = (isSo: () => Promise<boolean>, what: string): Promise<void> =>
    waitUntil(async () => {
      assert.ok(await call(stays));
      return await isSo();
    }, what);
  await wait(() => call(later), "the new client is heard");
  await mspOk(["client", "2", "--functions", "other"], options);
  await wait(async () => !await call(later), "the new client may not call it any more");
  await mspOk(["client", "2", "--functions", ""], options);
  await wait(() => call(later), "the new client may call it again");
  const clients = JSON.parse(await mspOk(["listclients", "--json"], options));
  assert.deepEqual(clients.map(({ number }: { number: string }) => number), ["1", "2"]);
  assert.match(clients[1].fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/);
  const refused = await msp(["removeclient", "7", "--yes"], options);
  assert.equal(refused.code, 1);
  await mspOk(["removeclient", clients[1].fingerprint, "--yes"], options);
  await wait(async () => !await call(later), "the removed client is not heard");
  await folder.write("sec/clients.dev", "half a li");
  await server.waitForLog(/clients\.dev: .* the secrets that were known stay valid/);
  assert.ok(await call(stays));
});

Deno.test("the register keeps digests, migrate-secrets and rotate-secrets work while the server runs", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  const client = await registerClient(folder);
  assert.match(await folder.read("sec/clients.dev"), /^sha256:[0-9a-f]{64}\n$/);
  await folder.write("sec/clients.dev", `${client.secretHex}\n`);
  await using server = await ServerProcess.start(options);
  assert.ok(isAnswer(await callServer(server.url, client, "time_test")));
  assert.match(await mspOk(["migrate-secrets"], options), /^Replaced 1 secret /);
  assert.ok(!(await folder.read("sec/clients.dev")).includes(client.secretHex));
  server.signal("SIGHUP");
  await server.waitForLog(/Reloading key store, modules and certificate/);
  assert.ok(isAnswer(await callServer(server.url, client, "time_test")));
  const [secret] = JSON.parse(await mspOk(["rotate-secrets", "--yes", "--json"], options));
  const renewed = { ...client, secretHex: secret };
  await waitUntil(
    async () => isAnswer(await callServer(server.url, renewed, "time_test")),
    "the new secret is valid",
  );
  assert.equal(await callServer(server.url, client, "time_test"), 401);
});

Deno.test("rotate-server-key keeps clients with --grace and refuses them without", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  const client = await registerClient(folder);
  await using server = await ServerProcess.start(options);
  const rotate = async (...args: string[]): Promise<typeof client> => {
    const out = await mspOk(["rotate-server-key", "--yes", ...args], options);
    const text = /\t(\S{44})\n/.exec(out)?.[1] ?? "";
    const serverPublicKey = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    return { ...client, serverPublicKey };
  };
  const second = await rotate("--grace", "1");
  await waitUntil(
    async () => isAnswer(await callServer(server.url, second, "time_test")),
    "the new key is valid",
  );
  assert.ok(isAnswer(await callServer(server.url, client, "time_test")), "the old one too");
  const third = await rotate();
  await waitUntil(
    async () => isAnswer(await callServer(server.url, third, "time_test")),
    "the third key is valid",
  );
  assert.equal(await callServer(server.url, second, "time_test"), 401, "it had no grace");
  assert.ok(isAnswer(await callServer(server.url, client, "time_test")), "its own grace goes on");
});

Deno.test("an accepted request is refused after a restart and after kill -9", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  const client = await registerClient(folder);
  const bodies: string[] = [];
  const send = async (server: ServerProcess): Promise<number> => {
    const before = [...bodies];
    for (let i = 0; i < 20; i++) bodies.push(JSON.stringify(sealRequest(client, "time_test")));
    const post = async (body: string): Promise<number> => {
      const response = await postTo(server.url, body);
      await response.body?.cancel();
      return response.status;
    };
    for (const body of before) assert.equal(await post(body), 401);
    for (const body of bodies.slice(before.length)) assert.equal(await post(body), 200);
    return before.length;
  };
  const first = await ServerProcess.start(options);
  await send(first);
  first.signal("SIGKILL");
  await first.status();
  const second = await ServerProcess.start(options);
  assert.equal(await send(second), 20);
  assert.equal(await second.stop(), 0);
  await using third = await ServerProcess.start(options);
  assert.equal(await send(third), 40);
  assert.equal(await folder.mode("sec/state"), "700");
  assert.equal(await folder.mode("sec/state/replay-00000001.journal"), "600");
  assert.deepEqual(await folder.names("log"), ["latest.log"]);
});

Deno.test("msp doctor finds what is wrong, says what to do, and exits with 1", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await registerClient(folder);
  const server = await ServerProcess.start(options);
  await server.stop();
  const before = await msp(["doctor"], options);
  assert.equal(before.code, 0, before.out);
  await Deno.chmod(folder.join("sec/server.key"), 0o644);
  await folder.write("sec/client_2.pub", await folder.read("sec/client_1.pub"));
  await folder.write("sec/client_3.pub", `${"A".repeat(43)}=`);
  await folder.write("sec/client_4.pub", "CANARY");
  await folder.write("sec/client_5.pub", await folder.read("client.key"));
  await folder.write("sec/client_6.pub", `${"/".repeat(42)}8=`);
  await folder.write("modules/simple_time.js", "export const entry_call = (;");
  const { code, out } = await msp(["doctor", "--json"], options);
  assert.equal(code, 1);
  const found: { what: string; remedy: string }[] = JSON.parse(out);
  for (
    const [what, remedy] of [
      [/server\.key has mode 644/, /^chmod 600 \/.*\/sec\/server\.key$/],
      [/client_2\.pub: the same key as .*\/sec\/client_1\.pub/, /remove/],
      [/client_3\.pub: a point of low order/, /remove/],
      [/client_4\.pub: not 32 bytes/, /remove/],
      [/client_5\.pub: the private key of .*\/client\.key/, /remove/],
      [/client_6\.pub: not in canonical form/, /remove/],
      [/Cannot load function time_test: .*SyntaxError/, /modules\.md/],
    ] as const
  ) {
    const finding = found.find((each) => what.test(each.what));
    assert.match(finding?.remedy ?? "", remedy, String(what));
  }
  assert.doesNotMatch(out, /CANARY/);
});

testIf(
  RUNTIME.isExecutable || !RUNTIME.isAtLeast("2.9.0"),
  "Deno 2.9 opens its debugger on SIGUSR1 beside any listener (SECURITY.md)",
  "SIGUSR1 opens no debugger and stops nothing",
  async () => {
    await using folder = await TempFolder.make();
    const client = await registerClient(folder);
    await using server = await ServerProcess.start({ cwd: folder.path });
    server.signal("SIGUSR1");
    assert.ok(isAnswer(await callServer(server.url, client, "time_test")));
    assert.doesNotMatch(server.err, /Debugger/);
  },
);
