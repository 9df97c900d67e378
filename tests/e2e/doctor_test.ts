import assert from "node:assert/strict";
import { IS_ROOT, isInstalled, testIf } from "../conditions.ts";
import { msp, mspOk, PROGRAM, run, RUNTIME, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

interface Finding {
  readonly level: string;
  readonly what: string;
  readonly remedy: string;
}

async function findings(folder: TempFolder, ...args: string[]): Promise<Finding[]> {
  const { out, err } = await msp(["doctor", "--json", ...args], { cwd: folder.path });
  assert.equal(err, "");
  return JSON.parse(out);
}

Deno.test("doctor in an empty folder says that there is no installation, and creates none", async () => {
  await using folder = await TempFolder.make();
  const { code, out } = await msp(["doctor"], { cwd: folder.path });
  assert.equal(code, 1);
  assert.match(out, new RegExp(`^wrong: there is no installation in ${folder.path}\n {2}remedy: `));
  assert.deepEqual(await folder.names(), []);
});

Deno.test("doctor shows every fault at once, of every part", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  await folder.write("config/config.ini", "[Server]\nPort=x\nPrt=1\n[Clients]\nRequestTTL=0\n");
  await folder.write("config/modules.ini", "[Modules]\ngone=gone\n");
  await folder.write("sec/client_2.pub", "garbage");
  await Deno.chmod(folder.join("sec/server.key"), 0o644);
  const found = (await findings(folder)).map(({ what }) => what).join("\n");
  for (
    const what of [
      /line 2: \[Server\] Port = "x"/,
      /line 3: unknown option \[Server\] prt/,
      /line 5: \[Clients\] RequestTTL = "0"/,
      /client_2\.pub/,
      /server\.key has mode 644/,
      /there is no gone\.ts, \.js, \.mjs in /,
    ]
  ) assert.match(found, what);
});

Deno.test("doctor asks the running server, and says what a restart would change", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  const options = { cwd: folder.path };
  await folder.write("config/config.ini", "[Admin]\nListen=127.0.0.1:0\n");
  await folder.write("config/modules.ini", "[Modules]\nf=f\n");
  await folder.write("modules/f.js", "export default () => 1;\n");
  assert.match(await mspOk(["doctor"], options), /^no server uses \S+\/sec\/state\n/);
  await using server = await ServerProcess.start(options);
  await server.waitForLog(/Functions: f\n/);
  const version = /^msp (\S+)/.exec(await mspOk(["version"], options))?.[1];
  const fact =
    `the running server (process ${server.pid}, version ${version}) listens on ${server.url}`;
  assert.ok((await mspOk(["doctor"], options)).includes(`${fact}\n`));
  assert.deepEqual(await findings(folder), []);

  await folder.write("modules/f.js", "export default () => {\n");
  await server.waitForLog(/Cannot load function f/);
  await folder.write("config/config.ini", "[Admin]\nListen=none\n");
  const now = await findings(folder);
  const config = now.find(({ what }) => what.includes("config.ini was changed after the start"));
  assert.equal(config?.level, "note");
  assert.match(config?.remedy ?? "", /restart/);
});

Deno.test("doctor names functions that do not work in the running server, though their files do", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  await folder.write("config/config.ini", "[Admin]\nListen=127.0.0.1:0\n");
  await folder.write("config/modules.ini", "[Modules]\nf=f\n");
  await folder.write("modules/f.js", "export default () => {\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(/Cannot load function f/);
  const found = await findings(folder);
  const what = `function f does not work in the running server (process ${server.pid})`;
  assert.ok(found.some((each) => each.level === "wrong" && each.what === what));
});

Deno.test("doctor --url compares the clock with that of a server, on a client too", async () => {
  await using folder = await TempFolder.make();
  let offsetMs = 0;
  const answer = (): Response =>
    new Response(null, { headers: { date: new Date(Date.now() + offsetMs).toUTCString() } });
  await using other = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
  const url = `http://127.0.0.1:${other.addr.port}/v1`;
  const clock = async (): Promise<string[]> =>
    (await findings(folder, "--url", url)).map(({ level, what }) => `${level}: ${what}`);
  assert.deepEqual(await clock(), []);
  const agrees = await mspOk(["doctor", "--url", url], { cwd: folder.path });
  assert.equal(agrees, `the clock agrees with that of ${url}\nNothing found\n`);
  offsetMs = 10_500;
  assert.match(
    String(await clock()),
    /^note: the clock is 1[01] seconds behind that of http:\/\/127/,
  );
  offsetMs = -600_000;
  assert.match(
    String(await clock()),
    /^wrong: the clock is (?:599|60[01]) seconds ahead of that of/,
  );
  await registerClient(folder);
  await folder.write("sec/client_2.pub", "garbage");
  assert.ok((await clock()).length > 1, "the other checks of an installation too");
  const none = await findings(folder, "--url", "http://anna:canary@127.0.0.1:9/v1");
  const gone = none.find(({ what }) => what.startsWith("Cannot reach http://127.0.0.1:9/v1: conn"));
  assert.equal(gone?.level, "wrong");
  assert.doesNotMatch(JSON.stringify(none), /canary/);
});

testIf(
  IS_ROOT,
  "only root gives files away",
  "doctor says which files of log and state belong to another user",
  async () => {
    await using folder = await TempFolder.make();
    await registerClient(folder);
    await (await ServerProcess.start({ cwd: folder.path })).stop();
    await Deno.chown(folder.join("log/latest.log"), 1000, 1000);
    const found = await findings(folder);
    const note = found.find(({ what }) => what.includes("log/latest.log belongs to user 1000"));
    assert.equal(note?.remedy, `chown 0:0 ${folder.join("log/latest.log")}`);
  },
);

testIf(
  IS_ROOT && RUNTIME.isExecutable && isInstalled("setpriv"),
  "only root changes users, and only the executable runs as any",
  "files that root left behind are named, with what to do, by serve, doctor and commands",
  async () => {
    await using folder = await TempFolder.make();
    await Deno.chmod(folder.path, 0o755);
    await Deno.mkdir(folder.join("inst"));
    await Deno.copyFile(PROGRAM[0] ?? "", folder.join("msp"));
    await Deno.chown(folder.join("inst"), 1000, 1000);
    const cwd = folder.join("inst");
    const asUser = (...args: string[]) =>
      run([
        "setpriv",
        "--reuid=1000",
        "--regid=1000",
        "--clear-groups",
        folder.join("msp"),
        ...args,
      ], {
        cwd,
      });
    await mspOk(["keygen", "pair", "client"], { cwd });
    const key = await folder.read("inst/client.pub");
    assert.equal((await asUser("appendclient", key)).code, 0);
    // As with sudo, once, to try it.
    await (await ServerProcess.start({ cwd })).stop();
    const serve = await asUser("serve", "--host", "127.0.0.1", "--port", "0");
    assert.equal(serve.code, 1);
    const denied = "the operating system denies access";
    const log = folder.join("inst/log/latest.log");
    assert.match(serve.err, new RegExp(`error: Cannot write the log, ${log}: ${denied}\n`));
    assert.match(serve.err, new RegExp(`hint: the user of this program needs access to ${log}:`));
    const doctor = await asUser("doctor");
    assert.equal(doctor.code, 1);
    assert.match(
      doctor.out,
      new RegExp(`wrong: ${log}: ${denied}\n {2}remedy: .*chown USER ${log}`),
    );
    await Deno.chown(folder.join("inst/sec"), 0, 0);
    for (const args of [["listclients"], ["appendclient", key], ["rotate-secrets", "--yes"]]) {
      const { code, err } = await asUser(...args);
      assert.equal(code, 1, args[0]);
      assert.match(err, new RegExp(`^msp: error: Cannot [^\n]*${denied}\nmsp: hint: `), args[0]);
    }
    const locked = await asUser("doctor");
    assert.equal(locked.code, 1);
    assert.equal(locked.err, "");
    assert.match(locked.out, new RegExp(`wrong: Cannot [^\n]*sec[^\n]*: ${denied}\n`));
  },
);
