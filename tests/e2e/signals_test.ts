/**
 * Signals that come early, and signals that reach function processes too.
 */
import assert from "node:assert/strict";
import { FunctionServer, waitUntil } from "../functions.ts";
import { run, ServerProcess, TempFolder } from "../program.ts";
import { callServer, registerClient } from "../registered.ts";

/** Numbers of signals: a bit each in /proc/PID/status. */
const NUMBERS = { SIGHUP: 1, SIGUSR1: 10, SIGUSR2: 12 } as const;

/** Whether a process handles a signal, so that it no longer dies of it. */
async function handles(pid: number, signal: keyof typeof NUMBERS): Promise<boolean> {
  const { out } = await run(["sed", "-n", "s/^SigCgt:\t//p", `/proc/${pid}/status`], { cwd: "/" });
  return (BigInt(`0x${out.trim() || 0}`) >> BigInt(NUMBERS[signal] - 1) & 1n) === 1n;
}

Deno.test("signals before the server is ready stop nothing, and a reload is not lost", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await using server = ServerProcess.spawn({ cwd: folder.path, args: ["--port", "0"] });
  await waitUntil(() => handles(server.pid, "SIGHUP"), "SIGHUP is handled");
  const isEarly = !server.out.includes("\n");
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGHUP"] as const) server.signal(signal);
  await server.waitUntilReady();
  assert.ok(isEarly, "the signals came too late for this test");
  await server.waitForLog(/INFO server: Reloading key store, modules and certificate\n/);
  for (const signal of ["SIGUSR1", "SIGUSR2"] as const) server.signal(signal);
  assert.match(String(await callServer(server.url, client, "time_test")), /^It is currently/);
  assert.equal(await server.stop(), 0);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} to the whole process group lets the calls in flight end`, async () => {
    await using folder = await TempFolder.make();
    await folder.write("state/started", "");
    await using functions = await FunctionServer.start(folder, {
      modules: {
        slow: `export const entry_call = async () => {
          Deno.writeTextFileSync("state/started", "yes");
          await new Promise((done) => setTimeout(done, 1000));
          return "done";
        };`,
      },
      sections: "[slow]\nWrite=state\n",
    });
    const hosts = await functions.hosts();
    assert.equal(hosts.length, 1);
    const answer = functions.call("slow");
    await waitUntil(async () => await folder.read("state/started") === "yes", "the call runs");
    for (const pid of hosts) for (const each of [signal, "SIGHUP"] as const) Deno.kill(pid, each);
    functions.server.signal(signal);
    assert.equal(await answer, "done");
    assert.equal((await functions.server.status()).code, 0);
    assert.doesNotMatch(functions.server.err, /ERROR/);
  });
}
