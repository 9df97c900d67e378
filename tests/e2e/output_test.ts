/**
 * @module
 * Standard output that cannot be written is an error, and costs nothing that is shown only once.
 */
import assert from "node:assert/strict";
import { COMMAND_NAMES } from "../../cli/commands.ts";
import { type Outcome, PROGRAM, run, RUNTIME, ServerProcess, TempFolder } from "../program.ts";
import { testIf } from "../conditions.ts";
import { registerClient } from "../registered.ts";

/** Runs a command whose standard output is full, or a pipe that nobody reads. */
const OUTPUTS: Readonly<Record<string, string>> = {
  "No space left on device": '"$@" >/dev/full; exit $?',
  // The reader has exited before the command starts.
  "its reader is gone": 'exec 3> >(true); wait $!; "$@" >&3 3>&-; exit $?',
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

/** Command lines of commands that print; `$URL` is that of a server. All others print their help. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  serve: ["--port", "0", "--host", "127.0.0.1", "--config", "other.ini"],
  keygen: ["pair", "other", "--force"],
  appendclient: ["$KEY"],
  listclients: [],
  client: ["1", "--name", "x"],
  invite: ["--url", "http://home.example"],
  invites: ["--json"],
  "migrate-secrets": [],
  "rotate-secrets": ["--yes"],
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

/** How to undo what happens although nobody sees the result. */
const WAYS_BACK: Readonly<Record<string, RegExp>> = {
  client: /^msp: note: to undo: msp client 1 --name ''$/m,
  removeclient: /^msp: note: to register it again, .*: msp appendclient \S{44} --name x$/m,
  purgeclients: /^msp: note: msp appendclient \S{44}$/m,
  "migrate-secrets": /^msp: note: only a backup brings them back/m,
};

for (const [reason, script] of Object.entries(OUTPUTS)) {
  Deno.test(`every command: standard output that cannot be written is an error: ${reason}`, async () => {
    await using folder = await TempFolder.make();
    await registerClient(folder);
    await registerClient(folder, "second", ["--plain"]);
    await folder.write("other.ini", "[Server]\nStatepath=other/state\n");
    await using server = await ServerProcess.start({ cwd: folder.path });
    const key = "iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=";
    const others = COMMAND_NAMES.filter((name) => !Object.hasOwn(LINES, name));
    const lines = Object.entries({
      ...Object.fromEntries(others.map((name) => [name, ["--help"]])),
      ...LINES,
    });
    for (const [name, words] of lines) {
      const args = words.map((word) => ({ $URL: server.url, $KEY: key })[word] ?? word);
      const before = await store(folder);
      const { code, err } = await runInto(script, [name, ...args], folder.path);
      const what = `${name}: ${err}`;
      assert.equal(code, 1, what);
      assert.ok(err.includes(`msp: error: Cannot write to standard output: ${reason}\n`), what);
      assert.equal(err.match(/^msp: error: /gm)?.length, 1, what);
      assert.doesNotMatch(err, /\bat |os error|Unexpected/, what);
      assert.match(err, WAYS_BACK[name] ?? /(?:)/, what);
      if (SHOW_FIRST.includes(name)) assert.deepEqual(await store(folder), before, what);
    }
  });
}

testIf(
  RUNTIME.isExecutable,
  "Deno from npm is started by Node, which opens what was closed",
  "secrets are not written into a standard output that is closed",
  async () => {
    await using folder = await TempFolder.make();
    await registerClient(folder);
    await run([...PROGRAM, "keygen", "pair", "b"], { cwd: folder.path });
    const before = await store(folder);
    for (const args of [["appendclient", "b.pub"], ["rotate-secrets", "--yes"]]) {
      const { code, err } = await runInto('"$@" >&-; exit $?', args, folder.path);
      assert.equal(code, 1, args[0]);
      assert.match(err, /^msp: error: Cannot write to standard output: it is closed/);
    }
    assert.deepEqual(await store(folder), before);
  },
);

Deno.test("an error that cannot be told still gives its exit status", async () => {
  await using folder = await TempFolder.make();
  const script = '"$@" 2>/dev/full; exit $?';
  assert.equal((await runInto(script, ["nonsense"], folder.path)).code, 2);
  assert.equal((await runInto(script, ["listclients"], folder.path)).code, 1);
  assert.equal((await runInto(script, ["keygen", "pair", "x"], folder.path)).code, 0);
});
