import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { callServer, registerClient } from "../registered.ts";
import { msp, mspOk, ServerProcess, TempFolder } from "../program.ts";

const CTIME =
  /^It is currently: \n\t(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/;

Deno.test("--version prints our name", async () => {
  await using folder = await TempFolder.make();
  assert.match(
    await mspOk(["--version"], { cwd: folder.path }),
    /^msp \d+\.\d+\.\d+ \(Mini Share Point/,
  );
});

Deno.test("a first start in an empty folder makes everything, and says so", async () => {
  await using folder = await TempFolder.make();
  await using server = await ServerProcess.start({ cwd: folder.path });
  const made = [
    "log",
    "config",
    "config/config.ini",
    "config/modules.ini",
    "modules",
    "modules/simple_time.js",
    "sec",
    "sec/server.key",
    "sec/server.pub",
    "sec/server2.key",
    "sec/server2.pub",
    "sec/clients.dev",
    "sec/state",
  ];
  for (const path of made) {
    assert.match(server.err, new RegExp(`INFO server: Created ${folder.join(path)}\n`));
  }
  assert.match(
    server.out,
    /^Mini Share Point is ready on http:\/\/127\.0\.0\.1:\d+\/v1 \(listening on 127\.0\.0\.1:\d+\), server public key [A-Za-z0-9+/]{43}=\n$/,
  );
  assert.equal(server.publicKeyBase64, await folder.read("sec/server.pub"));
  assert.equal(await folder.read("sec/clients.dev"), "");
  for (const path of ["sec/server.key", "sec/server2.key", "sec/clients.dev"]) {
    assert.equal(await folder.mode(path), "600", path);
  }
  assert.equal(await folder.mode("sec"), "700");
  assert.equal(await folder.mode("sec/server.pub"), "644");
});

Deno.test("a second start touches nothing that exists", async () => {
  await using folder = await TempFolder.make();
  await (await ServerProcess.start({ cwd: folder.path })).stop();
  await folder.write("config/config.ini", "[Clients]\nRequestTTL=60\n");
  await folder.write("modules/simple_time.js", "export const entry_call = () => 'mine';\n");
  const keys = ["server.key", "server.pub", "server2.key", "server2.pub"];
  const paths = ["config/modules.ini", ...keys.map((key) => `sec/${key}`), "sec/clients.dev"];
  const before = await Promise.all(paths.map((path) => folder.read(path)));
  const server = await ServerProcess.start({ cwd: folder.path });
  assert.doesNotMatch(server.err, /Created/);
  assert.equal(await server.stop(), 0);
  assert.deepEqual(await Promise.all(paths.map((path) => folder.read(path))), before);
  assert.equal(await folder.read("config/config.ini"), "[Clients]\nRequestTTL=60\n");
});

Deno.test("the whole way: keygen, appendclient, serve, call", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  assert.equal(
    await mspOk(["keygen", "pair", "client"], options),
    "Generated: client.key\nGenerated: client.pub\n",
  );
  const registered = await mspOk(["appendclient", await folder.read("client.pub")], options);
  const form =
    /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] INFO: Client Hex Secret: ([0-9a-f]{128})\nServer public key:\n\t(\S{44})\n$/;
  assert.match(registered, form);
  const [, secret = "", serverKey = ""] = form.exec(registered) ?? [];
  const digest = createHash("sha256").update(secret).digest("hex");
  assert.equal(await folder.read("sec/clients.dev"), `sha256:${digest}\n`);
  assert.equal(await folder.read("sec/server.pub"), serverKey);
  assert.deepEqual(await folder.names("sec"), [
    ".lock",
    "client_1.pub",
    "clients.dev",
    "server.key",
    "server.pub",
    "server2.key",
    "server2.pub",
  ]);
  await folder.write("client.secret", secret);
  await Deno.chmod(folder.join("client.secret"), 0o600);
  await folder.write("server.pub", `${serverKey}\n`);
  await using server = await ServerProcess.start(options);
  const answer = await mspOk(["call", server.url, "time_test"], options);
  assert.match(answer.replace(/\n$/, ""), CTIME);
  const stranger = await msp(["call", server.url, "no_such_function"], options);
  assert.equal(stranger.code, 1);
  assert.equal(stranger.out, "");
  assert.match(
    stranger.err,
    /^msp: error: Cannot call .*refused the call \(401\) \(executed: maybe\)\nmsp: hint: /,
  );
});

Deno.test("the key store of an existing installation is served unchanged, all twelve clients", async () => {
  await using folder = await TempFolder.make();
  const clients = [];
  for (let i = 0; i < 12; i++) clients.push(await registerClient(folder, `c${i}`));
  // As the original leaves it: no line end after keys, wide modes, a name, what an editor adds.
  for (const name of await folder.names("sec")) await Deno.chmod(folder.join("sec", name), 0o644);
  await Deno.rename(folder.join("sec/client_3.pub"), folder.join("sec/client_alice.pub"));
  await folder.write("sec/client_4.pub", `${await folder.read("sec/client_4.pub")}\r\n`);
  await folder.write("config/config.ini", "[Server]\nKeypath=sec\nIPAddressTTL=300\n");
  await folder.write("config/modules.ini", "[Modules]\ntime_test=simple_time\n");
  await folder.write("modules/simple_time.py", "def entry_call() -> str: ...\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  assert.match(server.err, /Registered client keys: 12, secrets: 12/);
  for (const client of clients) {
    assert.match(String(await callServer(server.url, client, "time_test")), CTIME);
    assert.match(String(await callServer(server.url, client, "TIME_Test")), CTIME);
  }
  assert.equal(await server.stop(), 0);
  await registerClient(folder, "next");
  const names = await folder.names("sec");
  assert.ok(names.includes("client_13.pub") && names.includes("client_alice.pub"), names.join());
});

Deno.test("flags and environment name the files; a flag overrides the environment", async () => {
  await using folder = await TempFolder.make();
  await folder.write(
    "a/config.ini",
    "[Server]\nKeypath=keys\n[Clients]\nKeypath=keys\nRegister=reg/list\n",
  );
  const env = {
    MSP_CONFIG_PATH: "nowhere/config.ini",
    MSP_MODCONF_PATH: "b/modules.ini",
    MSP_LOGFILE_PATH: "c/log",
    MSP_LOGLEVEL: "DEBUG",
  };
  const args = ["--config", "a/config.ini", "--modules", "d/modules"];
  // Only folders that are there are taken for what was meant.
  for (const name of ["b", "c", "d"]) await Deno.mkdir(folder.join(name));
  const server = await ServerProcess.start({ cwd: folder.path, env, args });
  assert.deepEqual(await folder.names(), ["a", "b", "c", "d", "keys", "reg"]);
  const keys = [".lock", "server.key", "server.pub", "server2.key", "server2.pub", "state"];
  assert.deepEqual(await folder.names("keys"), keys);
  assert.equal(await folder.read("reg/list"), "");
  assert.ok(server.port > 0);
  assert.equal(await server.stop(), 0);
  const lines = server.err.replace(/^msp: note: .*\n/gm, "");
  assert.equal(await folder.read("c/log/latest.log"), lines, "file and console say the same");
});

Deno.test("Host and Port of config.ini are used; flags beat them", async () => {
  await using folder = await TempFolder.make();
  await folder.write("config/config.ini", "[Server]\nHost=192.0.2.1\nPort=1\n");
  const server = await ServerProcess.start({ cwd: folder.path });
  assert.match(server.out, /listening on 127\.0\.0\.1:/);
  await server.stop();
  const refused = await msp(["serve"], { cwd: folder.path });
  assert.equal(refused.code, 1);
  assert.match(refused.err, /msp: error: Cannot listen on 192\.0\.2\.1:1: /);
});
