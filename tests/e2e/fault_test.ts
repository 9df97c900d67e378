/**
 * What may happen to a machine: commands that are killed, a full disk, a read-only folder, a clock that
 * jumps. Nothing that was acknowledged is lost, nothing is half written, the next command works.
 */
import assert from "node:assert/strict";
import { hashedLine, parseRegisterLine } from "../../lib/keys/secrets.ts";
import { formatKey, type SecretHex } from "../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../lib/crypto/nacl.ts";
import { IS_FULL, isFile, isInstalled, mayMount, succeeds, testIf } from "../conditions.ts";
import { sealRequest } from "../v1_client.ts";
import { msp, mspOk, PROGRAM, run, ServerProcess, TempFolder } from "../program.ts";
import { randomFrom } from "../random.ts";
import { callServer, postTo, registerClient } from "../registered.ts";

/** What is in a key store; fails on anything that is half written. */
async function readStore(folder: TempFolder): Promise<{ keys: Set<string>; secrets: number }> {
  const keys = new Set<string>();
  for (const name of await folder.names("sec")) {
    if (!/^client_.*\.pub$/.test(name)) continue;
    const text = await folder.read(`sec/${name}`);
    const [, key] = /^([A-Za-z0-9+/]{43}=)(?:\nadded = .* by appendclient\n)?$/.exec(text) ?? [];
    assert.ok(key !== undefined, `sec/${name} is half written`);
    keys.add(key);
  }
  const register = await folder.read("sec/clients.dev");
  assert.ok(register === "" || register.endsWith("\n"), "the register is half written");
  const lines = register.split("\n").slice(0, -1);
  for (const line of lines) assert.ok(parseRegisterLine(line), "a line is half written");
  assert.match(await folder.read("sec/server.key"), /^[A-Za-z0-9+/]{43}=\s*$/);
  return { keys, secrets: new Set(lines).size };
}

const KILLS = IS_FULL ? 500 : 100;

Deno.test(`kill -9 at random points of ${KILLS} commands: nothing acknowledged is lost, nothing half written`, async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await registerClient(folder);
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const random = randomFrom(seed);
  let startedMs = performance.now();
  await mspOk(["listclients"], options);
  let usualMs = performance.now() - startedMs;
  /** Keys that the store must hold, and those that it may. */
  let certain = (await readStore(folder)).keys;
  let kills = 0;
  for (let i = 0; i < KILLS; i++) {
    const [first] = certain;
    const roll = random();
    const key = formatKey(generateKeyPair().publicKey);
    const args = roll < 0.6 || first === undefined
      ? ["appendclient", key]
      : roll < 0.8
      ? ["removeclient", first, "--yes"]
      : roll < 0.95
      ? ["rotate-secrets", "--yes"]
      : ["purgeclients", "--yes"];
    startedMs = performance.now();
    const process = new Deno.Command(PROGRAM[0] ?? "", {
      args: [...PROGRAM.slice(1), ...args],
      cwd: folder.path,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const timer = setTimeout(() => {
      try {
        process.kill("SIGKILL");
      } catch {
        // It was faster.
      }
    }, usualMs * (0.3 + random()));
    const { success, signal, stdout } = await process.output();
    clearTimeout(timer);
    if (signal === "SIGKILL") kills++;
    // How long a command takes changes with what else the machine does.
    else usualMs = performance.now() - startedMs;
    const note = `seed ${seed}, operation ${i} (${args[0]})`;
    const { keys } = await readStore(folder);
    const mayGo = args[0] === "purgeclients"
      ? certain
      : new Set(args[0] === "removeclient" ? [first] : []);
    for (const each of certain) {
      assert.ok(keys.has(each) || mayGo.has(each), `${note}: a client is lost`);
    }
    if (args[0] === "appendclient") {
      // The values are printed before the store changes: exit status 0 says that they count.
      const secret = /Secret: ([0-9a-f]{128})/.exec(new TextDecoder().decode(stdout))?.[1];
      if (success) assert.ok(keys.has(key), `${note}: not there`);
      const line = success ? hashedLine(secret as SecretHex) : "";
      assert.ok((await folder.read("sec/clients.dev")).includes(line), `${note}: no secret`);
    }
    if (success) {
      for (const each of mayGo) assert.ok(!keys.has(each ?? ""), `${note}: still there`);
    }
    certain = keys;
  }
  assert.ok(kills > KILLS / 5, `only ${kills} commands were killed`);
  await registerClient(folder, "last");
  const findings = JSON.parse((await msp(["doctor", "--json"], options)).out);
  const wrong = findings.filter(({ level, what }: { level: string; what: string }) =>
    level === "wrong" && !/secrets fewer than keys|modules\.ini/.test(what)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("20 commands at once of every kind leave a store that is whole, and all that were added", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await registerClient(folder);
  const keys = Array.from({ length: 14 }, () => formatKey(generateKeyPair().publicKey));
  const outcomes = await Promise.all([
    ...keys.map((key) => msp(["appendclient", key], options)),
    ...Array.from({ length: 2 }, () => msp(["rotate-secrets", "--yes"], options)),
    ...Array.from({ length: 2 }, () => msp(["migrate-secrets"], options)),
    msp(["listclients", "--json"], options),
    msp(["removeclient", "1", "--yes"], options),
  ]);
  for (const { code, err } of outcomes) assert.equal(code, 0, err);
  const store = await readStore(folder);
  assert.deepEqual([...store.keys].toSorted(), keys.toSorted());
});

const MAY_MOUNT = await mayMount();
const CANNOT_MOUNT = "no file system can be mounted here";

/** A small file system in place of a folder. */
class SmallDisk {
  private constructor(readonly path: string) {}

  static async mount(path: string, kilobytes: number): Promise<SmallDisk> {
    await Deno.mkdir(path, { recursive: true });
    const options = `size=${kilobytes}k,mode=755`;
    const { code, err } = await run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], {
      cwd: "/",
    });
    assert.equal(code, 0, err);
    return new SmallDisk(path);
  }

  async remount(mode: "ro" | "rw"): Promise<void> {
    await run(["mount", "-o", `remount,${mode}`, this.path], { cwd: "/" });
  }

  /** Takes all the room that is left. */
  async fill(): Promise<void> {
    await run(["dd", "if=/dev/zero", `of=${this.path}/filler`, "bs=1k"], { cwd: "/" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(["umount", "-l", this.path], { cwd: "/" });
  }
}

testIf(
  MAY_MOUNT,
  CANNOT_MOUNT,
  "a full disk: commands say so and change nothing, the server serves on",
  async () => {
    await using folder = await TempFolder.make();
    await using disk = await SmallDisk.mount(folder.join("sec"), 64);
    await using logDisk = await SmallDisk.mount(folder.join("log"), 64);
    const options = { cwd: folder.path };
    const client = await registerClient(folder);
    await using server = await ServerProcess.start(options);
    assert.match(String(await callServer(server.url, client, "time_test")), /^It is/);
    await disk.fill();
    await logDisk.fill();
    const before = await readStore(folder);
    const key = formatKey(generateKeyPair().publicKey);
    for (
      const args of [["appendclient", key], ["rotate-secrets", "--yes"], [
        "rotate-server-key",
        "--yes",
      ]]
    ) {
      const { code, err } = await msp(args, options);
      assert.equal(code, 1, args[0]);
      assert.match(err, /^msp: error: Cannot [^\n]*No space left on device[^\n]*\n/);
    }
    assert.deepEqual(await readStore(folder), before);
    assert.deepEqual((await folder.names("sec")).filter((name) => name.endsWith(".tmp")), []);
    // The journal fills the page that it has, then it says that it cannot go on.
    for (let i = 0; i < 200; i++) {
      assert.match(String(await callServer(server.url, client, "time_test")), /^It is/);
    }
    await server.waitForLog(/Cannot write .*\/sec\/state\/replay-00000001\.journal: No space left/);
    await Deno.remove(folder.join("sec/filler"));
    await server.waitForLog(/sec\/state\/\S+ is written again/);
    await registerClient(folder, "later");
  },
);

testIf(
  MAY_MOUNT,
  CANNOT_MOUNT,
  "a read-only key store: commands say so, the server needs another Statepath",
  async () => {
    await using folder = await TempFolder.make();
    await using disk = await SmallDisk.mount(folder.join("sec"), 64);
    const options = { cwd: folder.path };
    const client = await registerClient(folder);
    await disk.remount("ro");
    const key = formatKey(generateKeyPair().publicKey);
    const commands = [
      ["appendclient", key],
      ["removeclient", "1", "--yes"],
      ["purgeclients", "--yes"],
      ["rotate-secrets", "--yes"],
      ["migrate-secrets"],
      ["rotate-server-key", "--yes"],
    ];
    for (const args of commands) {
      const { code, err, out } = await msp(args, options);
      assert.equal(code, 1, args[0]);
      assert.match(err, /^msp: error: Cannot [^\n]*Read-only file system[^\n]*\n/);
      assert.equal(out, "");
    }
    const refused = await msp(["serve", "--host", "127.0.0.1", "--port", "0"], options);
    assert.equal(refused.code, 1);
    assert.match(
      refused.err,
      /msp: error: Cannot use the state folder \S+\/sec\/state: Read-only file system[^\n]*\nmsp: hint: set \[Server\] Statepath /,
    );
    await folder.write("config/config.ini", "[Server]\nStatepath=elsewhere/state\n");
    await using server = await ServerProcess.start(options);
    assert.match(String(await callServer(server.url, client, "time_test")), /^It is/);
    assert.equal((await msp(["listclients"], options)).code, 0);
    assert.equal(await folder.mode("elsewhere/state"), "700");
  },
);

testIf(
  MAY_MOUNT,
  CANNOT_MOUNT,
  "a file that is a mount of its own is named with what to mount instead, and nothing changes",
  async () => {
    await using folder = await TempFolder.make();
    await registerClient(folder);
    await folder.write("elsewhere/clients.dev", await folder.read("sec/clients.dev"));
    const [from, to] = [folder.join("elsewhere/clients.dev"), folder.join("sec/clients.dev")];
    assert.equal((await run(["mount", "--bind", from, to], { cwd: "/" })).code, 0);
    try {
      const before = await readStore(folder);
      const key = formatKey(generateKeyPair().publicKey);
      const { code, err } = await msp(["appendclient", key], { cwd: folder.path });
      assert.equal(code, 1);
      assert.equal(
        err.slice(-err.length + err.indexOf("msp: error")),
        `msp: error: Cannot replace ${to}: it is a mount of its own\n` +
          `msp: hint: mount its folder ${folder.join("sec")} instead of the file\n`,
      );
      assert.deepEqual(await readStore(folder), before);
    } finally {
      await run(["umount", "-l", to], { cwd: "/" });
    }
  },
);

testIf(
  isInstalled("strace") && await succeeds("strace", "-qq", "-o", "/dev/null", "true"),
  "strace is not installed, or may not trace",
  "a file system that cannot sync a folder is used like any other",
  async () => {
    await using folder = await TempFolder.make();
    const paths = [".", "sec", "sec/state", "config", "log"].flatMap((p) => ["-P", folder.join(p)]);
    const inject = ["-e", "trace=fsync", "-e", "inject=fsync:error=EINVAL"];
    const trace = folder.join("trace");
    const command = ["strace", "-f", "-qq", "-o", trace, ...paths, ...inject, ...PROGRAM];
    const commands = [
      ["keygen", "pair", "client"],
      ["appendclient", formatKey(generateKeyPair().publicKey)],
      ["rotate-server-key", "--yes"],
      ["purgeclients", "--yes"],
    ];
    for (const args of commands) {
      const { code, err } = await run([...command, ...args], { cwd: folder.path });
      assert.equal(code, 0, err);
      assert.match(await folder.read("trace"), /EINVAL.*INJECTED/, args[0]);
    }
  },
);

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

testIf(
  isFile(FAKETIME),
  "faketime is not installed",
  "a clock that jumps an hour ahead and back lets nothing in twice, and goes on",
  async () => {
    await using folder = await TempFolder.make();
    const client = await registerClient(folder);
    await folder.write("clock", "+0");
    const env = {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: folder.join("clock"),
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
    // An installation that is older than the first jump.
    await folder.write("clock", "-86400");
    await (await ServerProcess.start({ cwd: folder.path, env })).stop();
    await folder.write("clock", "+0");
    await using server = await ServerProcess.start({ cwd: folder.path, env });
    const send = async (body: string): Promise<number> => {
      const response = await postTo(server.url, body);
      await response.body?.cancel();
      return response.status;
    };
    const at = (offsetSeconds: number): string => {
      const now = Math.floor(Date.now() / 1000) + offsetSeconds;
      return JSON.stringify(sealRequest(client, "time_test", now));
    };
    const accepted = at(0);
    assert.equal(await send(accepted), 200);
    for (const [jump, offset] of [["+3600", 3600], ["-3600", -3600], ["+0", 0]] as const) {
      await folder.write("clock", jump);
      assert.equal(await send(accepted), 401, `the same request after ${jump}`);
      assert.equal(await send(at(offset)), 200, `a request with the server's time after ${jump}`);
      if (offset !== 0) assert.equal(await send(at(0)), 401, `one without after ${jump}`);
    }
    // Captured while the clock was ahead, and sent when it is right there again.
    const ahead = at(3600);
    await folder.write("clock", "+3600");
    assert.equal(await send(ahead), 200);
    await folder.write("clock", "+0");
    assert.equal(await send(ahead), 401);
    await folder.write("clock", "+3600");
    assert.equal(await send(ahead), 401);
  },
);
