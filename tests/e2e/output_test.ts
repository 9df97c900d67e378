/**
 * @module
 * Standard output that cannot be written is an error, and costs nothing that is shown only once.
 */
import assert from "node:assert/strict";
import { COMMANDS } from "../../cli/commands.ts";
import { type Outcome, PROGRAM, run, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

/** Runs a command whose standard output is full, or a pipe that nobody reads. */
const OUTPUTS: Readonly<Record<string, string>> = {
  "No space left on device": '"$@" >/dev/full; exit $?',
  "its reader is gone": '"$@" | true; exit ${PIPESTATUS[0]}',
};

async function runInto(script: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return await run(["bash", "-c", script, "bash", ...PROGRAM, ...args], { cwd });
}

/** The files of the key store with their content. */
async function store(folder: TempFolder): Promise<Record<string, string>> {
  const names = (await folder.names("sec")).filter((name) => /\.(?:pub|key|dev)$/.test(name));
  const texts = await Promise.all(names.map((name) => folder.read(`sec/${name}`)));
  return Object.fromEntries(names.map((name, index) => [name, texts[index] ?? ""]));
}

/** Command lines of every command that prints; `$URL` is that of a server. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  serve: ["--port", "0", "--host", "127.0.0.1", "--config", "other.ini"],
  keygen: ["pair", "other", "--force"],
  appendclient: ["$KEY"],
  listclients: [],
  "rotate-secrets": ["--yes"],
  "migrate-secrets": [],
  "rotate-server-key": ["--yes"],
  call: ["$URL", "time_test"],
  functions: [],
  doctor: [],
  health: ["$URL"],
  version: [],
  help: [],
  removeclient: ["client_1.pub", "--yes"],
  purgeclients: ["--yes"],
};
/** What they print is shown only once, so nothing may change without it. */
const SHOW_FIRST = ["appendclient", "rotate-secrets", "rotate-server-key"];

for (const [reason, script] of Object.entries(OUTPUTS)) {
  Deno.test(`every command: standard output that cannot be written is an error: ${reason}`, async () => {
    assert.deepEqual(Object.keys(LINES).toSorted(), COMMANDS.map(({ name }) => name).toSorted());
    await using folder = await TempFolder.make();
    await registerClient(folder);
    await folder.write("other.ini", "[Server]\nStatepath=other/state\n");
    await using server = await ServerProcess.start({ cwd: folder.path });
    const key = "iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=";
    for (const [name, words] of Object.entries(LINES)) {
      const args = words.map((word) => ({ $URL: server.url, $KEY: key })[word] ?? word);
      const before = await store(folder);
      const { code, err } = await runInto(script, [name, ...args], folder.path);
      const what = `${name}: ${err}`;
      assert.equal(code, 1, what);
      assert.ok(err.includes(`msp: error: Cannot write to standard output: ${reason}\n`), what);
      assert.equal(err.match(/^msp: error: /gm)?.length, 1, what);
      assert.doesNotMatch(err, /\bat |os error|Unexpected/, what);
      if (SHOW_FIRST.includes(name)) assert.deepEqual(await store(folder), before, what);
    }
  });
}

Deno.test("an error that cannot be told still gives its exit status", async () => {
  await using folder = await TempFolder.make();
  const script = '"$@" 2>/dev/full; exit $?';
  assert.equal((await runInto(script, ["nonsense"], folder.path)).code, 2);
  assert.equal((await runInto(script, ["listclients"], folder.path)).code, 1);
  assert.equal((await runInto(script, ["keygen", "pair", "x"], folder.path)).code, 0);
});
