import assert from "node:assert/strict";
import { Authority } from "../authority.ts";
import { msp, ServerProcess, TempFolder } from "../program.ts";
import { callServer, registerClient } from "../registered.ts";

Deno.test("TLS: the server reloads a new certificate, and keeps it when the next one is broken", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  const authority = await Authority.make(folder);
  await authority.issue("server-tls", "first");
  await folder.write(
    "config/config.ini",
    "[Server]\nCertFile=server-tls.pem\nKeyFile=server-tls.key\n",
  );
  await using server = await ServerProcess.start({ cwd: folder.path });
  assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+\/v1$/);
  const call = ["call", server.url, "time_test", "--ca", "ca.pem"];
  const { out, err } = await msp(call, { cwd: folder.path });
  assert.match(out, /^It is currently/, err);
  assert.match(await authority.shown(server.port), /CN ?= ?first/);

  // Calls go on all the while, each on a connection of its own.
  let isChanging = true;
  const calls = (async () => {
    const failures = [];
    while (isChanging) {
      const outcome = await msp(call, { cwd: folder.path });
      if (outcome.code !== 0) failures.push(outcome.err);
    }
    return failures;
  })();
  await authority.issue("server-tls", "second");
  await server.waitForLog(/Certificate reloaded: .*\/server-tls\.pem/);
  assert.match(await authority.shown(server.port), /CN ?= ?second/);
  await folder.write("server-tls.key", await folder.read("ca.key"));
  await server.waitForLog(
    /KeyFile is not the key of CertFile; the previous certificate stays in use/,
  );
  await folder.write("server-tls.pem", "half written");
  await server.waitForLog(
    /Cannot use .*\/server-tls\.pem: it holds no CERTIFICATE in PEM; the previous/,
  );
  isChanging = false;
  assert.deepEqual(await calls, []);
  assert.match(await authority.shown(server.port), /CN ?= ?second/);
});

Deno.test("TLS: a pair that cannot be used stops the start with one clear error", async () => {
  await using folder = await TempFolder.make();
  const authority = await Authority.make(folder);
  await authority.issue("a", "a");
  await authority.issue("b", "b");
  const serve = async (cert: string, key: string): Promise<string> => {
    await folder.write("config/config.ini", `[Server]\nCertFile=${cert}\nKeyFile=${key}\n`);
    const { code, err } = await msp(["serve"], { cwd: folder.path });
    assert.equal(code, 1);
    return err;
  };
  assert.match(await serve("a.pem", "b.key"), /error: .*KeyFile is not the key of CertFile\n/);
  assert.match(await serve("a.pem", "none.key"), /error: Cannot read .*\/none\.key: not found\n/);
  assert.match(
    await serve("a.key", "a.key"),
    /error: Cannot use .*\/a\.key: it holds no CERTIFICATE in PEM\n/,
  );
});

Deno.test("TLS: a port that another program listens on is refused", async () => {
  await using folder = await TempFolder.make();
  await (await Authority.make(folder)).issue("a", "a");
  await folder.write("config/config.ini", "[Server]\nCertFile=a.pem\nKeyFile=a.key\n");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const args = ["serve", "--host", "127.0.0.1", "--port", String(listener.addr.port)];
  const { code, err } = await msp(args, { cwd: folder.path });
  assert.equal(code, 1);
  assert.match(err, /error: Cannot listen on 127\.0\.0\.1:\d+: another program listens there\n/);
});

Deno.test("msp doctor finds a TLS key that others can read, a wrong one, and a certificate that expires soon", async () => {
  await using folder = await TempFolder.make();
  const authority = await Authority.make(folder);
  await authority.issue("a", "a");
  await authority.issue("b", "b");
  const findings = async (cert: string, key: string): Promise<string> => {
    await folder.write("config/config.ini", `[Server]\nCertFile=${cert}\nKeyFile=${key}\n`);
    return (await msp(["doctor"], { cwd: folder.path })).out;
  };
  await Deno.chmod(folder.join("a.key"), 0o644);
  await Deno.chmod(folder.join("b.key"), 0o640);
  const first = await findings("a.pem", "a.key");
  assert.match(
    first,
    /wrong: .*\/a\.key: everybody can read it\n {2}remedy: chmod o-rwx .*\/a\.key\n/,
  );
  assert.match(first, /note: .*\/a\.pem: it expires in (?:1 day|2 days)\n/);
  const second = await findings("a.pem", "b.key");
  assert.match(
    second,
    /wrong: .*\/a\.pem and .*\/b\.key: KeyFile is not the key of CertFile\n/,
  );
  assert.doesNotMatch(second, /everybody/);
  assert.match(await findings("a.pem", "c.key"), /wrong: Cannot read .*\/c\.key: not found\n/);
});

Deno.test("a Unix socket has its mode, serves, replaces a stale one, and is removed at a stop", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write("config/config.ini", "[Server]\nSocket=msp.sock\nSocketMode=600\n");
  const start = (): Promise<ServerProcess> => ServerProcess.startListening({ cwd: folder.path });
  const call = async (): Promise<string | number> => {
    using http = Deno.createHttpClient({
      proxy: { transport: "unix", path: folder.join("msp.sock") },
    });
    return await callServer("http://localhost/v1", client, "time_test", {}, http);
  };
  {
    await using server = await start();
    assert.match(server.out, /listening on .*\/msp\.sock\)/);
    assert.equal(await folder.mode("msp.sock"), "600");
    assert.match(String(await call()), /^It is currently/);
    await folder.write("other.ini", "[Server]\nSocket=msp.sock\nStatepath=other/state\n");
    const second = await msp(["serve", "--config", "other.ini"], { cwd: folder.path });
    assert.match(
      second.err,
      /error: Cannot listen on .*\/msp\.sock: another program listens there\n/,
    );
    server.signal("SIGKILL");
    await server.status();
  }
  assert.equal((await folder.names()).includes("msp.sock"), true, "left behind");
  {
    await using server = await start();
    assert.match(String(await call()), /^It is currently/);
    assert.equal(await server.stop(), 0);
  }
  assert.equal((await folder.names()).includes("msp.sock"), false, "removed");
  await folder.write("msp.sock", "no socket");
  const { err } = await msp(["serve"], { cwd: folder.path });
  assert.match(err, /error: Cannot listen on .*\/msp\.sock: the file there is not a socket\n/);
  assert.equal(await folder.read("msp.sock"), "no socket");
});
