import assert from "node:assert/strict";
import { repositoryPath } from "../../tasks/root.ts";
import { IS_ROOT, testIf } from "../conditions.ts";
import { FunctionServer, writeModules } from "../functions.ts";
import { mspOk, run, RUNTIME, ServerProcess, TempFolder } from "../program.ts";

/** What a function tries, and what must become of it without grants. */
const ATTEMPTS: { what: string; code: string }[] = [
  { what: "read the server's key", code: "Deno.readTextFileSync('sec/server.key')" },
  { what: "read the secrets", code: "Deno.readTextFileSync('sec/clients.dev')" },
  { what: "read the configuration", code: "Deno.readTextFileSync('config/config.ini')" },
  { what: "list the working folder", code: "[...Deno.readDirSync('.')]" },
  { what: "read by another way", code: "(await import('node:fs')).readFileSync('sec/server.key')" },
  { what: "leave the modules folder", code: "Deno.readTextFileSync('modules/../sec/server.key')" },
  { what: "connect", code: "await Deno.connect({ hostname: '127.0.0.1', port: 9 })" },
  { what: "fetch", code: "await fetch('http://127.0.0.1:4242/')" },
  { what: "listen", code: "Deno.listen({ port: 0 })" },
  { what: "resolve a name", code: "await Deno.resolveDns('localhost', 'A')" },
  { what: "read a variable", code: "Deno.env.get('MSP_LOGLEVEL')" },
  { what: "read all variables", code: "Deno.env.toObject()" },
  { what: "write into the modules folder", code: "Deno.writeTextFileSync('modules/x.js', '')" },
  { what: "write the log", code: "Deno.writeTextFileSync('log/latest.log', '')" },
  { what: "write to /tmp", code: "Deno.makeTempFileSync()" },
  { what: "make a link", code: "Deno.symlinkSync('sec', 'modules/link')" },
  { what: "start a program", code: "new Deno.Command('/bin/true').outputSync()" },
  { what: "start this program", code: "new Deno.Command('/proc/self/exe').outputSync()" },
  { what: "load native code", code: "Deno.dlopen('libc.so.6', {})" },
  { what: "ask for the host's name", code: "Deno.hostname()" },
  {
    what: "start a worker with more",
    code: "new Worker('data:application/javascript,', " +
      "{ type: 'module', deno: { permissions: { read: true } } })",
  },
  {
    what: "ask for a permission",
    code: "Deno.permissions.requestSync({ name: 'read' }).state === 'granted' || missing()",
  },
];

function probe(attempts: typeof ATTEMPTS): string {
  const tries = attempts.map(({ what, code }) =>
    `await attempt(${JSON.stringify(what)}, async () => ${code});`
  );
  return `
    const missing = () => { throw new Deno.errors.NotCapable("no"); };
    export async function entry_call() {
      const results = {};
      const attempt = async (what, run) => {
        try { await run(); results[what] = "allowed"; } catch (error) { results[what] = error.name; }
      };
      ${tries.join("\n")}
      return results;
    }`;
}

Deno.test("a function without grants can touch nothing, in a worker or alone in its process", async () => {
  await using folder = await TempFolder.make();
  // One that may start workers runs in one itself.
  const withoutWorkers = ATTEMPTS.filter(({ code }) => !code.includes("Worker"));
  await using functions = await FunctionServer.start(folder, {
    modules: { worker: probe(ATTEMPTS), alone: probe(withoutWorkers) },
    sections: "[alone]\nProcess=own\n",
  });
  for (const [name, { length }] of Object.entries({ worker: ATTEMPTS, alone: withoutWorkers })) {
    const results: Record<string, string> = JSON.parse(String(await functions.call(name)));
    assert.equal(Object.keys(results).length, length);
    for (const [what, result] of Object.entries(results)) {
      // Deno reads resolv.conf before it asks for the permission; the kernel refuses that.
      const refused = what === "resolve a name" ? ["NotCapable", "Error"] : ["NotCapable"];
      assert.ok(refused.includes(result), `${name}: ${what}: ${result}`);
    }
  }
});

Deno.test("a function gets what its section grants, and no other function does", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/in/text", "read me");
  await folder.write("data/out/old", "");
  const code = `
    const outcome = async (run) => { try { return await run(); } catch (error) { return error.name; } };
    export const entry_call = async () => ({
      read: await outcome(() => Deno.readTextFile("data/in/text")),
      write: await outcome(() => Deno.writeTextFile("data/out/new", "written")) ?? "written",
      readWritten: await outcome(() => Deno.readTextFile("data/out/new")),
      writeRead: await outcome(() => Deno.writeTextFile("data/in/text", "")),
      env: await outcome(() => Deno.env.get("MSP_TEST_TOKEN")),
      otherEnv: await outcome(() => Deno.env.get("MSP_LOGLEVEL")),
      net: await outcome(() => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close()) ?? "listened",
      otherNet: await outcome(() => Deno.connect({ hostname: "127.0.0.2", port: 9 })),
    });`;
  const grants = "Read=data/in\nWrite=data/out\nEnv=MSP_TEST_TOKEN\n";
  await using functions = await FunctionServer.start(folder, {
    modules: { granted: code, online: code, offline: code, other: code },
    sections: `[granted]\n${grants}Net=127.0.0.1\n[online]\n${grants}Net=*\n[offline]\n${grants}`,
    env: { MSP_TEST_TOKEN: "the token", MSP_LOGLEVEL: "INFO" },
  });
  const files = {
    read: "read me",
    write: "written",
    readWritten: "written",
    writeRead: "NotCapable",
    env: "the token",
    otherEnv: "NotCapable",
  };
  const nets = {
    granted: { net: "listened", otherNet: "NotCapable" },
    online: { net: "listened", otherNet: "ConnectionRefused" },
    offline: { net: "NotCapable", otherNet: "NotCapable" },
  };
  for (const [name, net] of Object.entries(nets)) {
    const outcome = JSON.parse(String(await functions.call(name)));
    assert.deepEqual(outcome, { ...files, ...net }, name);
  }
  const others: Record<string, string> = JSON.parse(String(await functions.call("other")));
  assert.deepEqual(new Set(Object.values(others)), new Set(["NotCapable"]));
});

Deno.test("the function process has only the environment variables that were granted", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: { granted: "export const entry_call = () => 1;" },
    sections: "[granted]\nEnv=MSP_TEST_TOKEN\n",
    env: { MSP_TEST_TOKEN: "the token", MSP_OTHER: "CANARY", HOME: "/CANARY", TZ: "UTC" },
  });
  const [host] = await functions.hosts();
  const { out } = await run(["cat", `/proc/${host}/environ`], { cwd: "." });
  const names = out.split("\0").filter((each) => each !== "").map((each) => each.split("=")[0]);
  assert.deepEqual(names.sort(), ["DENO_DIR", "MSP_TEST_TOKEN", "NO_COLOR", "TZ"]);
  assert.doesNotMatch(out, /CANARY/);
});

Deno.test("a function that imports the server's key as code does not see the key", async () => {
  await using folder = await TempFolder.make();
  const code = `
    const outcome = async (path, how) => {
      try { return Object.values(await import(path, how)).map(String).join(); }
      catch (error) { return error.stack + error.message; }
    };
    export const entry_call = async () => {
      const key = new URL("../sec/server.key", import.meta.url).href;
      return [await outcome(key), await outcome(key, { with: { type: "json" } }),
        await outcome(key + "#.js"), await outcome(key, { with: { type: "text" } })].join("\\n");
    };`;
  await using functions = await FunctionServer.start(folder, { modules: { probe: code } });
  const text = String(await functions.call("probe"));
  const key = await folder.read("sec/server.key");
  assert.ok(text.length > 10 && text !== "401", text);
  for (let i = 0; i + 8 <= key.length; i++) {
    assert.ok(!text.includes(key.slice(i, i + 8)), "a part of the key shows");
  }
  assert.ok(!functions.server.err.includes(key.slice(0, 8)));
});

const FORBIDDEN: { grant: string; why: string }[] = [
  { grant: "Read=sec", why: "the key store" },
  { grant: "Read=sec/server.key", why: "a file of it" },
  { grant: "Write=sec/new", why: "a file that is not there" },
  { grant: "Read=config", why: "the configuration" },
  { grant: "Write=config/modules.ini", why: "a file of it" },
  { grant: "Read=.", why: "a folder around it" },
  { grant: "Read=data/../sec", why: "a way around" },
  { grant: "Read=linked", why: "a link to it" },
  { grant: "Read=data/deep/key", why: "a link to a file of it" },
  { grant: "Write=linked/new", why: "a new file behind a link" },
  { grant: "Read=state", why: "the journal of accepted requests" },
  { grant: "Write=state/lock", why: "a file beside it" },
  { grant: "Write=data/deep/state", why: "a link to it" },
];

Deno.test("no path that leads to the key store or the configuration can be granted", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/deep/x", "");
  await folder.write("sec/x", "");
  await Deno.symlink("sec", folder.join("linked"));
  await Deno.symlink("../../sec/server.key", folder.join("data/deep/key"));
  await Deno.mkdir(folder.join("state"));
  await Deno.symlink("../../state", folder.join("data/deep/state"));
  const names = FORBIDDEN.map((_, i) => `f${i}`);
  await using functions = await FunctionServer.start(folder, {
    modules: Object.fromEntries(names.map((name) => [name, "export const entry_call = () => 1;"])),
    config: "[Server]\nStatepath=state\n",
    sections: FORBIDDEN.map(({ grant }, i) => `[f${i}]\n${grant}\n`).join(""),
  });
  for (const [i, { grant, why }] of FORBIDDEN.entries()) {
    assert.equal(await functions.call(`f${i}`), 401, grant);
    const line = new RegExp(
      `Cannot load function f${i}: \\S+ (leads to \\S*(sec|config|state)\\S*, which|is a path that) no function may reach`,
    );
    assert.match(functions.server.err, line, `${grant}: ${why}`);
  }
});

Deno.test("a grant that the server does not hold gives one log line that names the flag", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: {
      variable: "export const entry_call = () => 1;",
      outside: "export const entry_call = () => 1;",
      fine: "export const entry_call = () => 'fine';",
    },
    sections: "[variable]\nEnv=SOME_TOKEN\n[outside]\nWrite=/srv/elsewhere\n",
  });
  const { err } = functions.server;
  const how = (flags: string): string =>
    RUNTIME.isExecutable
      ? `(build it with deno task compile ${flags}, and start that)`
      : `(start it with deno run ${flags} … main.ts)`;
  for (
    const line of [
      "function variable: Env = SOME_TOKEN: functions get only variables that begin with MSP_, and " +
      "TZ " + how("--allow-env=SOME_TOKEN").replace("(", "(name it MSP_SOME_TOKEN, or "),
      "function outside: the server has no read permission for /srv/elsewhere " +
      how("--allow-read=/srv/elsewhere"),
    ]
  ) assert.ok(err.includes(`ERROR functions: Cannot load ${line}\n`), err);
  assert.equal(await functions.call("fine"), "fine");
  assert.equal(await functions.call("variable"), 401);
});

testIf(
  RUNTIME.isExecutable && IS_ROOT,
  "needs root, and an executable, which another user can read",
  "functions run as [Functions] User when root starts the server",
  async () => {
    await using folder = await TempFolder.make();
    await Deno.chmod(folder.path, 0o755);
    const code = `export const entry_call = async () => {
        const url = new URL("../sec/clients.dev", import.meta.url);
        try { return String((await import(url)).default); } catch (error) { return error.message; }
      };`;
    await using functions = await FunctionServer.start(folder, {
      modules: { probe: code },
      config: "[Functions]\nUser=65534:65534\n",
    });
    const [host] = await functions.hosts();
    const { out } = await run(["ps", "-o", "uid=,gid=", "-p", String(host)], { cwd: "." });
    assert.deepEqual(out.trim().split(/\s+/), ["65534", "65534"]);
    const text = String(await functions.call("probe"));
    assert.match(text, /denied|not found|EACCES/i);
    assert.ok(!text.includes(functions.client.secretHex.slice(0, 8)));
  },
);

const MAY_NOT_START = "a server that may not start its own functions says so";
testIf(
  !RUNTIME.isExecutable,
  "the permissions of an executable are fixed",
  MAY_NOT_START,
  async () => {
    await using folder = await TempFolder.make();
    await writeModules(folder, { modules: { fine: "export const entry_call = () => 1;" } });
    const main = repositoryPath("main.ts");
    const flags = ["--no-prompt", "--allow-read", "--allow-write", "--allow-net", "--allow-env"];
    const { out, code } = await run(
      [Deno.execPath(), "run", ...flags, main, "functions"],
      { cwd: folder.path },
    );
    assert.equal(code, 1);
    assert.match(out, /may not start itself, which needs --allow-run=\/proc\/self\/exe/);
  },
);

Deno.test("msp function-host works for the server only, and no help text shows it", async () => {
  await using folder = await TempFolder.make();
  assert.doesNotMatch(await mspOk(["help"], { cwd: folder.path }), /function-host/);
});

Deno.test("a server in a folder with a comma in its name serves functions", async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(folder.join("a, b"));
  await using server = await ServerProcess.start({ cwd: folder.join("a, b") });
  await server.waitForLog(/INFO functions: Functions: time_test\n/);
});
