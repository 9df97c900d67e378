/**
 * A join whose client, server or registration process is killed with SIGKILL, with the real program:
 * afterwards the client is registered or not, and the same link finishes it. The store's lock, held by the
 * test, is where they are killed; every other step of the registration is in tests/unit/keys/invites_test.ts.
 */
import assert from "node:assert/strict";
import { Connection } from "../../client/mod.ts";
import type { Fetch } from "../../client/transport.ts";
import { holdLock, invite, joinBy, listed, registrationOf } from "../invited.ts";
import { memoryProfiles } from "../memory_profiles.ts";
import { PROGRAM, run, ServerProcess, TempFolder } from "../program.ts";
import { writeModules } from "../functions.ts";
import { errorOf } from "../v2_server.ts";
import { testIf } from "../conditions.ts";

const IS_LINUX = Deno.build.os === "linux";
const MODULES = { echo: "export const entry_call = ({ params }) => params;" };

async function clientsIn(folder: TempFolder): Promise<string[]> {
  return (await folder.names("sec")).filter((name) => name.startsWith("client_"));
}

testIf(
  IS_LINUX,
  "needs ps of Linux",
  "the registration process is killed: nothing is registered, and the same link works",
  async () => {
    await using folder = await TempFolder.make();
    await writeModules(folder, { modules: MODULES });
    await using server = await ServerProcess.start({ cwd: folder.path });
    const link = await invite(folder, server.url);
    const profiles = memoryProfiles();
    {
      using _ = await holdLock(folder);
      const join = errorOf(joinBy(link, { profiles }));
      Deno.kill(await registrationOf(server), "SIGKILL");
      assert.equal((await join).code, "refused");
    }
    await server.waitForLog(/Refused invite .{8} from 127\.0\.0\.1: its process ended: SIGKILL/);
    assert.deepEqual(await clientsIn(folder), []);
    assert.equal((await listed(folder))[0]?.state, "open");
    const { profile, wasKept } = await joinBy(link, { profiles });
    assert.equal(wasKept, true);
    assert.deepEqual(await new Connection(profile).call("echo", { a: 1 }), { a: 1 });
  },
);

Deno.test("the registration process refuses malformed requests, and touches nothing", async () => {
  await using folder = await TempFolder.make();
  const program = PROGRAM.map((word) => `'${word}'`).join(" ");
  const paths = { serverFolder: "sec", clientsFolder: "sec", register: "sec/r" };
  const whole = { paths, publicKeyBase64: "A".repeat(43) + "=", address: "x" };
  const requests = [
    "",
    "{",
    "null",
    "{}",
    JSON.stringify({ ...whole, paths: { clientsFolder: "sec" }, tokenSha256: "0".repeat(64) }),
    JSON.stringify({ ...whole, tokenSha256: "../../x/".repeat(8) }),
    JSON.stringify({ ...whole, tokenSha256: "0".repeat(64), secretLine: ["x"] }),
  ];
  await Promise.all(requests.map(async (request) => {
    const line = `printf %s '${request}' | ${program} register-client`;
    const { code, out, err } = await run(["bash", "-c", line], { cwd: folder.path });
    const message =
      "msp: error: Cannot run register-client: only the server starts it, for itself\n";
    assert.deepEqual([code, out, err], [2, "", message], request);
  }));
  assert.deepEqual(await folder.names(), []);
});

Deno.test("a client that cannot be registered is refused, and the same link works later", async () => {
  await using folder = await TempFolder.make();
  await writeModules(folder, { modules: MODULES });
  await using server = await ServerProcess.start({ cwd: folder.path });
  const link = await invite(folder, server.url);
  const profiles = memoryProfiles();
  // In the place of its file.
  await Deno.mkdir(folder.join("sec/client_1.pub"));
  const error = await errorOf(joinBy(link, { profiles }));
  assert.deepEqual([error.code, error.data], ["refused", undefined]);
  await server.waitForLog(
    new RegExp(`Refused invite .{8} from .*: Cannot use the key store.*reference ${error.ref}`),
  );
  await Deno.remove(folder.join("sec/client_1.pub"));
  assert.equal((await listed(folder))[0]?.state, "open");
  assert.equal((await joinBy(link, { profiles })).wasKept, true);
});

testIf(
  IS_LINUX,
  "needs ps of Linux",
  "the server is killed while a client joins: the same link finishes it",
  async () => {
    await using folder = await TempFolder.make();
    await writeModules(folder, { modules: MODULES });
    const first = await ServerProcess.start({ cwd: folder.path });
    const link = await invite(folder, first.url);
    const port = String(first.port);
    const profiles = memoryProfiles();
    {
      using _ = await holdLock(folder);
      const join = errorOf(joinBy(link, { profiles }));
      await registrationOf(first);
      first.signal("SIGKILL");
      assert.equal((await join).code, "unreachable");
      await first.status();
    }
    // The process that it left goes on, before, while or after the next server reads the store.
    await using _second = await ServerProcess.startListening({
      cwd: folder.path,
      args: ["--host", "127.0.0.1", "--port", port],
    });
    const { profile } = await joinBy(link, { profiles });
    assert.deepEqual(await new Connection(profile).call("echo", { a: 1 }), { a: 1 });
    assert.deepEqual(await clientsIn(folder), ["client_1.pub"]);
    const [used] = await listed(folder);
    assert.deepEqual([used?.state, used?.clients.length], ["used", 1]);
  },
);

Deno.test("answers that are lost are asked for again: one use, one client", async () => {
  await using folder = await TempFolder.make();
  await writeModules(folder, { modules: MODULES });
  await using server = await ServerProcess.start({ cwd: folder.path });
  const link = await invite(folder, server.url);
  const profiles = memoryProfiles();
  let sent = 0;
  const losing: Fetch = async (url, init) => {
    sent++;
    await (await fetch(url, init)).body?.cancel();
    throw new TypeError("connection reset");
  };
  const error = await errorOf(joinBy(link, { profiles, fetch: losing, v1: true }));
  assert.deepEqual([error.code, error.executed, sent], ["unreachable", "maybe", 3]);
  const { profile, v1 } = await joinBy(link, { profiles, v1: true });
  assert.match(v1?.secret ?? "", /^[0-9a-f]{128}$/);
  assert.deepEqual(await new Connection(profile).call("echo", { a: 1 }), { a: 1 });
  assert.deepEqual(await clientsIn(folder), ["client_1.pub"]);
  assert.equal((await folder.read("sec/clients.dev")).split("\n").length, 2);
});

testIf(
  IS_LINUX,
  "needs ps of Linux",
  "msp join is killed before and while it says hello: the same command finishes it",
  async () => {
    await using folder = await TempFolder.make();
    await using home = await TempFolder.make();
    await writeModules(folder, { modules: MODULES });
    await using server = await ServerProcess.start({ cwd: folder.path });
    const link = await invite(folder, server.url);
    const command = (): Deno.Command =>
      new Deno.Command(PROGRAM[0] ?? "", {
        args: [...PROGRAM.slice(1), "join", link, "--profile", "home"],
        cwd: home.path,
        env: { HOME: home.path },
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      });
    let isKilled: Deno.CommandStatus;
    {
      using _ = await holdLock(folder);
      const process = command().spawn();
      await registrationOf(server);
      process.kill("SIGKILL");
      isKilled = await process.status;
      await process.stderr.cancel();
    }
    assert.equal(isKilled.signal, "SIGKILL");
    const kept = await home.read(".config/msp/home.json");
    const { code, stderr } = await command().output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.equal(await home.read(".config/msp/home.json"), kept);
    assert.deepEqual(await clientsIn(folder), ["client_1.pub"]);
    assert.deepEqual(await new Connection(JSON.parse(kept)).call("echo", { a: 1 }), { a: 1 });
  },
);
