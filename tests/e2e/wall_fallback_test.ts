/**
 * @module
 * What happens where the kernel's wall cannot be had, and what [Functions] Wall changes. The kernel
 * without Landlock is simulated by a filter of system calls.
 */
import assert from "node:assert/strict";
import { registerClient } from "../registered.ts";
import { IS_ROOT, testIf } from "../conditions.ts";
import { FunctionServer, type FunctionSetup, writeModules } from "../functions.ts";
import { PROGRAM, run, RUNTIME, ServerProcess, TempFolder } from "../program.ts";
import { without } from "../stage.ts";

/** landlock_create_ruleset answers ENOSYS. */
const OLD_KERNEL = without("444=38");
const CODE = "export const entry_call = () => 'answer';";
const REASON = "this kernel has no Landlock (Linux 5.13 or newer, and switched on)";
/** A function for each kind of grant. */
const SETUP: FunctionSetup = {
  modules: { nothing: CODE, reads: CODE, writes: CODE, connects: CODE, asks: CODE },
  sections: "[reads]\nRead=data\n[writes]\nWrite=data\n[connects]\nNet=127.0.0.1:9\n" +
    "[asks]\nEnv=MSP_TOKEN\n",
  env: { MSP_TOKEN: "x" },
};

async function start(folder: TempFolder, setup: Partial<FunctionSetup>): Promise<FunctionServer> {
  await Deno.mkdir(folder.join("data"));
  await Deno.chmod(folder.path, 0o755);
  return await FunctionServer.start(folder, { ...SETUP, ...setup });
}

/** What each function answers. */
async function answers(functions: FunctionServer): Promise<Record<string, string | number>> {
  const names = Object.keys(SETUP.modules);
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await functions.call(name)] as const)),
  );
}

const ALL = Object.fromEntries(Object.keys(SETUP.modules).map((name) => [name, "answer"]));

Deno.test("with Landlock every function runs, and the start says what holds it", async () => {
  await using folder = await TempFolder.make();
  await using functions = await start(folder, {});
  assert.deepEqual(await answers(functions), ALL);
  assert.match(
    functions.server.err,
    /INFO functions: Functions run behind Landlock \(ABI \d+\) and a filter of system calls; not held: CPU time, memory between checks, file metadata, UDP of functions with Net(?:; they run as root: .*)?\n/,
  );
  assert.equal(/they run as root: name another user/.test(functions.server.err), IS_ROOT);
});

Deno.test("without Landlock functions with Write or Env are refused, with one line each", async () => {
  await using folder = await TempFolder.make();
  await using functions = await start(folder, { wrap: OLD_KERNEL });
  assert.deepEqual(await answers(functions), { ...ALL, writes: 401, asks: 401 });
  const { err } = functions.server;
  for (const [name, option] of [["writes", "Write"], ["asks", "Env"]]) {
    const line = `ERROR functions: Cannot load function ${name}: ${option} needs a wall around ` +
      `functions, and ${REASON} (to run it without one, write Wall=none in [Functions] of config.ini)\n`;
    assert.ok(err.includes(line), err);
  }
  assert.match(err, /WARNING functions: Functions run without a wall; not held: .*files that/);
});

Deno.test("without Landlock Wall=none runs every function, and the start warns", async () => {
  await using folder = await TempFolder.make();
  const config = "[Functions]\nWall=none\n";
  await using functions = await start(folder, { wrap: OLD_KERNEL, config });
  assert.deepEqual(await answers(functions), ALL);
  assert.match(functions.server.err, /WARNING functions: Functions run without a wall; not held: /);
});

testIf(
  IS_ROOT && RUNTIME.isExecutable,
  "needs root, and an executable, which another user can read",
  "without Landlock a server of root takes the user of functions as the wall",
  async () => {
    await using folder = await TempFolder.make();
    const config = "[Functions]\nUser=65534:65534\n";
    await using functions = await start(folder, {
      wrap: OLD_KERNEL,
      config,
      modules: {
        ...SETUP.modules,
        key: `export const entry_call = async () => {
          try { return Object.keys(await import(new URL("../sec/server.key", import.meta.url))); }
          catch (error) { return error.message; }
        };`,
      },
    });
    assert.deepEqual(await answers(functions), ALL);
    assert.match(String(await functions.call("key")), /PermissionDenied|EACCES/);
    const { out } = await run(["ps", "-o", "uid=,gid=", "--ppid", String(functions.server.pid)], {
      cwd: ".",
    });
    assert.deepEqual(new Set(out.trim().split(/\s+/)), new Set(["65534"]));
    assert.match(functions.server.err, /behind user 65534:65534 and a filter of system calls/);
  },
);

testIf(
  IS_ROOT && RUNTIME.isExecutable && Deno.build.arch === "x86_64",
  "needs root, x86-64, and an executable, which another user can read",
  "the wall stands where a service unit refuses changes of capabilities",
  async () => {
    await using folder = await TempFolder.make();
    // capset answers EPERM.
    const env = { ...SETUP.env, DENO_DIR: "/dev/null" };
    await using functions = await start(folder, { user: 12345, wrap: without("126=1"), env });
    assert.deepEqual(await answers(functions), ALL);
    assert.match(functions.server.err, /Functions run behind Landlock/);
  },
);

Deno.test("no function runs where the kernel only says that it holds it", async () => {
  await using folder = await TempFolder.make();
  await folder.write("ran", "");
  await Deno.chmod(folder.join("ran"), 0o666);
  await writeModules(folder, {
    modules: { f: `Deno.writeTextFileSync("ran", "yes"); ${CODE}` },
    sections: "[f]\nWrite=ran\n",
  });
  // landlock_restrict_self does nothing.
  await using server = await ServerProcess.start({ cwd: folder.path, wrap: without("446=0") });
  await server.waitForLog(/INFO functions: Functions run behind Landlock/);
  const line = /Cannot start: the kernel does not refuse files that were not granted\n/g;
  await server.waitFor(() => (server.err.match(line)?.length ?? 0) >= 3, "three attempts");
  assert.equal(await folder.read("ran"), "");
});

const IMPOSSIBLE: readonly { name: string; config: string; message: string }[] = [
  {
    name: "Wall=landlock without Landlock",
    config: "[Functions]\nWall=landlock\n",
    message: `Cannot use [Functions] Wall=landlock: ${REASON}`,
  },
  {
    name: "Wall=user without User",
    config: "[Functions]\nWall=user\n",
    message: "Cannot use [Functions] Wall=user: [Functions] User names none",
  },
];
for (const { name, config, message } of IMPOSSIBLE) {
  Deno.test(`${name} stops the start`, async () => {
    await using folder = await TempFolder.make();
    await folder.write("config/config.ini", config);
    const { code, err } = await run(
      [...OLD_KERNEL, ...PROGRAM, "serve", "--host", "127.0.0.1", "--port", "0"],
      { cwd: folder.path },
    );
    assert.equal(code, 1);
    assert.ok(err.includes(`msp: error: ${message}\n`), err);
  });
}

Deno.test("doctor and functions say that there is no wall, and why", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  await writeModules(folder, { modules: { f: CODE }, sections: "[f]\nWrite=data\n" });
  await Deno.mkdir(folder.join("data"));
  const doctor = await run([...OLD_KERNEL, ...PROGRAM, "doctor"], { cwd: folder.path });
  assert.ok(doctor.out.includes("note: functions run without a wall"), doctor.out);
  assert.ok(doctor.out.includes(REASON), doctor.out);
  const listed = await run([...OLD_KERNEL, ...PROGRAM, "functions"], { cwd: folder.path });
  assert.equal(listed.code, 1);
  assert.match(listed.out, /^functions run without a wall; not held: .*\n\nf: broken\n/);
});

testIf(
  IS_ROOT && RUNTIME.isExecutable,
  "needs root, and an executable, which another user can read",
  "a server that is not root says that it cannot change the user",
  async () => {
    await using folder = await TempFolder.make();
    await Deno.chmod(folder.path, 0o777);
    await folder.write("config/config.ini", "[Functions]\nUser=65534:65534\n");
    const user = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--"];
    await run(["chown", "-R", "12345:12345", folder.path], { cwd: "/" });
    const { code, err } = await run([...user, ...PROGRAM, "serve", "--port", "0"], {
      cwd: folder.path,
    });
    assert.equal(code, 1);
    assert.match(err, /msp: error: Cannot run functions as user 65534:65534: /);
    assert.match(
      err,
      /msp: hint: only root can run them as another user: remove User from \[Functions\]/,
    );
  },
);

Deno.test("a server with fewer open files than a function process may have holds its functions too", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/own/count", "");
  await using functions = await FunctionServer.start(folder, {
    modules: {
      writes: `export const entry_call = () => {
        Deno.writeTextFileSync("data/own/count", "1");
        return "written";
      };`,
    },
    sections: "[writes]\nWrite=data/own\n",
    wrap: ["bash", "-c", 'ulimit -n 300; exec "$@"', "bash"],
  });
  assert.equal(await functions.call("writes"), "written", functions.server.err);
});
