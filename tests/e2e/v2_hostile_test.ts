/**
 * Protocol v2 against clocks that are wrong, floods, and eyes that read the log.
 */
import assert from "node:assert/strict";
import { Connection } from "../../client/mod.ts";
import { isFile, testIf } from "../conditions.ts";
import { writeModules } from "../functions.ts";
import { residentMegabytes } from "../process_memory.ts";
import { ServerProcess, TempFolder } from "../program.ts";
import { registerProfile, v2Url } from "../v2_client.ts";
import { errorOf } from "../v2_server.ts";

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const ECHO = "export const entry_call = ({ params }) => params;";

testIf(
  isFile(FAKETIME),
  "faketime is not installed",
  "a server whose clock is ten years ahead or behind answers v2",
  async () => {
    await using folder = await TempFolder.make();
    const profile = await registerProfile(folder);
    await writeModules(folder, { modules: { echo: ECHO } });
    for (const clock of ["+315360000", "-315360000"]) {
      await folder.write("clock", clock);
      const env = {
        LD_PRELOAD: FAKETIME,
        FAKETIME_TIMESTAMP_FILE: folder.join("clock"),
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      };
      await using server = await ServerProcess.start({ cwd: folder.path, env });
      await server.waitForLog(/INFO functions: Functions: echo/);
      const home = new Connection({ ...profile, url: v2Url(server.url) });
      assert.deepEqual(await home.call("echo", { a: 1 }), { a: 1 }, clock);
    }
  },
);

Deno.test("a flood of hellos, real, replayed and garbage, leaves nothing behind", async () => {
  await using folder = await TempFolder.make();
  const profile = await registerProfile(folder);
  await writeModules(folder, { modules: { echo: ECHO } });
  await folder.write("config/config.ini", "[Limits]\nFailuresPerMinute=1000000\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(/INFO functions: Functions: echo/);
  const url = v2Url(server.url);
  const hellos: Uint8Array<ArrayBuffer>[] = [];
  const home = new Connection({ ...profile, url }, {
    fetch(target, init): Promise<Response> {
      hellos.push(init.body as Uint8Array<ArrayBuffer>);
      return fetch(target, init);
    },
  });
  await home.call("echo", {});
  const [real] = hellos;
  assert.ok(real);
  const garbage = Uint8Array.from(real);
  garbage[50] = (garbage[50] ?? 0) ^ 1;
  const flood = async (count: number): Promise<number[]> => {
    const statuses: number[] = [];
    const lane = async (): Promise<void> => {
      while (statuses.length < count) {
        const body = statuses.length % 2 === 0 ? real : garbage;
        statuses.push(0);
        const headers = { "content-type": "application/octet-stream" };
        const response = await fetch(url, { method: "POST", body, headers });
        await response.body?.cancel();
        statuses.push(response.status);
      }
    };
    await Promise.all(Array.from({ length: 32 }, lane));
    return statuses.filter((status) => status !== 0);
  };
  await flood(500);
  const before = await residentMegabytes(server.pid);
  const statuses = await flood(3000);
  assert.deepEqual(new Set(statuses), new Set([200, 401]));
  assert.ok(await residentMegabytes(server.pid) - before < 60, "memory stays");
  assert.deepEqual(await home.call("echo", { still: true }), { still: true });
});

Deno.test("marked params, results, names and keys appear in no log and no error", async () => {
  await using folder = await TempFolder.make();
  const profile = await registerProfile(folder);
  await writeModules(folder, {
    modules: {
      echo: ECHO,
      strict: `export const params = { type: "object", additionalProperties: false };
        export const entry_call = () => "MARKED-RESULT";`,
      map: "export const entry_call = () => new Map([['MARKED-RESULT', 1]]);",
      fails: "export const entry_call = () => { throw new Error('for the log'); };",
    },
  });
  const env = { MSP_LOGLEVEL: "DEBUG" };
  await using server = await ServerProcess.start({ cwd: folder.path, env });
  await server.waitForLog(/INFO functions: Functions: /);
  const bodies: Uint8Array[] = [];
  const home = new Connection({ ...profile, url: v2Url(server.url) }, {
    fetch(target, init): Promise<Response> {
      bodies.push(init.body as Uint8Array);
      return fetch(target, init);
    },
  });
  const marked = { "MARKED-NAME": "MARKED-VALUE" };
  assert.deepEqual(await home.call("echo", marked), marked);
  const errors = [
    await errorOf(home.call("strict", marked)),
    await errorOf(home.call("map", marked)),
    await errorOf(home.call("fails", marked)),
    await errorOf(home.call("MARKED-FUNCTION", marked)),
  ];
  await server.waitForLog(/for the log/);
  assert.doesNotMatch(server.err, /MARKED/);
  for (const { message, cause } of errors) {
    assert.doesNotMatch(message, /MARKED-(?:VALUE|RESULT)|for the log/);
    assert.equal(cause, undefined);
  }
  const secrets = [
    profile.privateKey,
    await folder.read("sec/server2.key"),
    await folder.read("sec/server.key"),
  ];
  for (const secret of secrets) assert.ok(!server.err.includes(secret.trim().slice(0, 20)));
  assert.ok(bodies.every((body) => !new TextDecoder().decode(body).includes("MARKED")));
});
