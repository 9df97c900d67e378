/**
 * @module
 * Stage 1 of a function host by itself: what the kernel refuses to what it becomes. From the sources,
 * stage 2 is a program with every permission of the runtime; in an executable, its own check.
 */
import assert from "node:assert/strict";
import { STAGE_2_ENV, type StagePolicy } from "../../lib/functions/wall/policy.ts";
import { askStage } from "../../lib/functions/wall/probe.ts";
import { repositoryPath } from "../../tasks/root.ts";
import { IS_ROOT, isInstalled, testIf } from "../conditions.ts";
import { isAlive, waitUntil } from "../functions.ts";
import { run, RUNTIME, TempFolder } from "../program.ts";
import {
  emptyPolicy,
  giveInput,
  runStage,
  scriptArgs,
  STAGE_LINE,
  startWaitingStage,
  without,
} from "../stage.ts";
import type { Targets } from "../wall_attempts.ts";

const ATTEMPTS = repositoryPath("tests", "wall_attempts.ts");
const HAS_LANDLOCK = JSON.parse((await runStage(emptyPolicy())).out || "{}").abi >= 7;
const needsLandlock = (name: string, fn: () => Promise<void>): void =>
  testIf(HAS_LANDLOCK, "needs Landlock ABI 7, Linux 6.15", name, fn);
const onSources = (name: string, fn: () => Promise<void>): void =>
  testIf(HAS_LANDLOCK && !RUNTIME.isExecutable, "needs sources and Landlock ABI 7", name, fn);

/** What happens to a host without grants, but for a folder that it may read. */
const WITHOUT_GRANTS: Readonly<Record<string, string>> = {
  "read a file": "EACCES",
  "read a file later": "EACCES",
  "read a file through node": "EACCES",
  "read a file in a worker": "EACCES",
  "import a file": "ERR_MODULE_NOT_FOUND",
  "open a file in C": "EACCES",
  "truncate a file in C": "EPERM",
  "write a file": "EACCES",
  "remove a file": "EACCES",
  "list a folder": "EACCES",
  "list the root": "EACCES",
  "read passwd": "EACCES",
  "read above itself": "EACCES",
  "write to tmp": "EACCES",
  "write to shared memory": "EACCES",
  "mode of a file": "EPERM",
  "owner of a file": "EPERM",
  "times of a file": "EPERM",
  "watch a file": "EPERM",
  "database of its own": "ERR_SQLITE_ERROR",
  "read what was granted": "text",
  "write what may be read": "EACCES",
  "truncate what may be read": "EACCES",
  "create beside it": "EACCES",
  "read a link out of it": "EACCES",
  "write": "EACCES",
  "append": "EACCES",
  "copy": "ENOENT",
  "rename": "ENOENT",
  "make a folder": "EACCES",
  "move between folders": "ENOENT",
  "truncate": "ENOENT",
  "hard link within": "ENOENT",
  "hard link to a secret": "EACCES",
  "hard link to what may be read": "EACCES",
  "symbolic link": "EACCES",
  "symbolic link through node": "EACCES",
  "pipe": "EACCES",
  "socket file": "EACCES",
  "remove": "ENOENT",
  "too large a file": "EACCES",
  "write-ahead log": "ERR_SQLITE_ERROR",
  "TCP": "EACCES",
  "TCP to another port": "EACCES",
  "TCP through node": "EACCES",
  "listen": "EACCES",
  "UDP": "EACCES",
  "UDP over IPv6": "EACCES",
  "Unix socket": "EACCES",
  "netlink": "EACCES",
  "vsock": "EACCES",
  "signal to the server": "EPERM",
  "signal to the group": "EPERM",
  "signal to everybody": "EPERM",
  "signal to itself": "done",
  "priority of the server": "EPERM",
  "trace the server": "EPERM",
  "environment of the server": "EACCES",
  "memory of the server": "EACCES",
  "descriptors of the server": "EACCES",
  "status of the server": "EACCES",
  "list processes": "EACCES",
  "fork": "EPERM",
  "start a program": "EPERM",
  "start itself": "EPERM",
  "outlive the server": "EPERM",
};

/** What else a host can do whose functions may write a folder and use one TCP port. */
const WITH_GRANTS: Readonly<Record<string, string>> = {
  ...WITHOUT_GRANTS,
  "database of its own": "done",
  "write": "done",
  "append": "done",
  "copy": "done",
  "rename": "done",
  "make a folder": "done",
  "move between folders": "done",
  "truncate": "done",
  "hard link within": "done",
  "hard link to a secret": "EXDEV",
  "hard link to what may be read": "EXDEV",
  "remove": "done",
  "too large a file": "EFBIG",
  "write-ahead log": "done",
  "TCP": "done",
  "UDP": "done",
  "UDP over IPv6": "done",
  "netlink": "done",
};

/** What earlier kernels do not refuse, or refuse more of, to the host with grants. */
const BY_ABI: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  1: {
    "truncate what may be read": "done",
    "move between folders": "EXDEV",
    "TCP to another port": "done",
    "TCP through node": "done",
    "listen": "done",
  },
  2: {
    "truncate what may be read": "done",
    "TCP to another port": "done",
    "TCP through node": "done",
    "listen": "done",
  },
  3: { "TCP to another port": "done", "TCP through node": "done", "listen": "done" },
  4: {},
  5: {},
  6: {},
};

/** Files and listeners that attempts are about. */
class Scene {
  readonly #listeners = [0, 0].map((port) => Deno.listen({ hostname: "127.0.0.1", port }));

  private constructor(readonly folder: TempFolder) {}

  static async make(): Promise<Scene> {
    const scene = new Scene(await TempFolder.make());
    await scene.folder.write("sec/server.key", "1");
    await scene.folder.write("readable/file", "text");
    await Deno.symlink(scene.folder.join("sec/server.key"), scene.folder.join("readable/link"));
    await Deno.mkdir(scene.folder.join("data"));
    // For runs as another user
    for (const each of [".", "readable", "data"]) await Deno.chmod(scene.folder.join(each), 0o777);
    await Deno.chmod(scene.folder.join("sec/server.key"), 0o666);
    await Deno.chmod(scene.folder.join("readable/file"), 0o666);
    return scene;
  }

  get targets(): Targets {
    const [port = 0, otherPort = 0] = this.#listeners.map(({ addr }) => addr.port);
    return {
      secret: this.folder.join("sec/server.key"),
      readable: this.folder.join("readable"),
      folder: this.folder.join("data"),
      server: Deno.pid,
      port,
      otherPort,
    };
  }

  /** The policy of a host that runs the attempts. */
  policy(kind: "without grants" | "with grants"): StagePolicy {
    const policy = emptyPolicy([...scriptArgs(ATTEMPTS), JSON.stringify(this.targets)]);
    const paths = [
      ...policy.paths,
      { path: ATTEMPTS, access: "read", kind: "exact" },
      { path: this.folder.join("readable"), access: "read", kind: "exact" },
    ] as const;
    if (kind === "without grants") return { ...policy, paths };
    return {
      ...policy,
      paths: [...paths, { path: this.folder.join("data"), access: "write", kind: "exact" }],
      ports: [this.targets.port],
      filter: { hasNetwork: true, mayChangeModes: true },
      limits: [...policy.limits.filter(({ name }) => name !== "FSIZE"), {
        name: "FSIZE",
        most: 1_000_000,
      }],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** The outcomes of attempts, apart from what the program says of itself. */
async function attempt(policy: StagePolicy, wrap: readonly string[] = []): Promise<{
  outcomes: Record<string, string>;
  itself: Record<"environment" | "descriptors" | "limits" | "status" | "memory" | "input", string>;
}> {
  const { code, out, err } = await runStage(policy, "the rest\n", wrap);
  assert.equal(code, 0, err);
  const { environment, descriptors, limits, status, memory, input, ...outcomes } = JSON.parse(out);
  return { outcomes, itself: { environment, descriptors, limits, status, memory, input } };
}

needsLandlock("stage 1 has the kernel refuse files, sockets and signals", async () => {
  const { code, out, err } = await runStage(emptyPolicy());
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  const { abi, isRoot, ...refused } = JSON.parse(out);
  assert.ok(abi >= 7);
  assert.equal(isRoot, IS_ROOT);
  assert.deepEqual(refused, { files: true, sockets: true, signals: true });
});

needsLandlock("without Landlock and filter the same check finds nothing refused", async () => {
  const { filter: _, ...policy } = emptyPolicy();
  const { out } = await runStage({ ...policy, abi: 0 });
  const { abi: _abi, isRoot: _isRoot, ...refused } = JSON.parse(out);
  assert.deepEqual(refused, { files: false, sockets: false, signals: false });
});

onSources("a host without grants reaches nothing but what it may read", async () => {
  await using scene = await Scene.make();
  const { outcomes, itself } = await attempt(scene.policy("without grants"));
  assert.deepEqual(outcomes, WITHOUT_GRANTS);
  assert.equal(await scene.folder.read("sec/server.key"), "1");
  assert.equal(itself.descriptors, "");
  assert.equal(itself.memory, "known");
  assert.equal(itself.input, "the rest\n");
  assert.match(itself.limits, /^Max core file size +0 +0 /m);
  assert.match(itself.limits, /^Max file size +0 +0 /m);
  assert.match(itself.limits, /^Max open files +1088 +1088 /m);
  assert.match(itself.status, /^NoNewPrivs:\t1$/m);
  assert.match(itself.status, /^Seccomp:\t2$/m);
  assert.match(itself.status, IS_ROOT ? /^CapPrm:\t0{15}2$/m : /^CapPrm:\t0{16}$/m);
});

onSources("a limit of growth counts from what the program uses at its start", async () => {
  await using scene = await Scene.make();
  const policy = scene.policy("without grants");
  const growth = 1_000_000_000;
  const limits = [...policy.limits, { name: "DATA", most: growth, isGrowth: true } as const];
  const { itself } = await attempt({ ...policy, limits });
  const [, soft, hard] = /^Max data size +(\d+) +(\d+) /m.exec(itself.limits) ?? [];
  assert.equal(soft, hard);
  const [, kilobytes] = /^VmData:\s+(\d+) kB$/m.exec(itself.status) ?? [];
  const room = Number(soft) - 1024 * Number(kilobytes);
  assert.ok(Math.abs(room - growth) < 50_000_000, `${room} bytes of room`);
});

onSources("a host with grants can do what they say, and nothing else", async () => {
  await using scene = await Scene.make();
  const { outcomes } = await attempt(scene.policy("with grants"));
  assert.deepEqual(outcomes, WITH_GRANTS);
});

testIf(
  HAS_LANDLOCK && !RUNTIME.isExecutable && IS_ROOT && isInstalled("setpriv"),
  "needs root, setpriv, sources and Landlock ABI 7",
  "a host of a user who is not root is held in the same way",
  async () => {
    const user = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--"];
    for (
      const [kind, expected] of [["without grants", WITHOUT_GRANTS], [
        "with grants",
        WITH_GRANTS,
      ]] as const
    ) {
      await using scene = await Scene.make();
      const { outcomes, itself } = await attempt(scene.policy(kind), user);
      assert.deepEqual(outcomes, expected, kind);
      assert.match(itself.status, /^Uid:\t12345\t12345\t12345\t12345$/m);
      assert.match(itself.status, /^CapPrm:\t0{16}$/m);
    }
  },
);

for (const [abi, differences] of Object.entries(BY_ABI)) {
  onSources(`Landlock ABI ${abi} holds what it is said to hold`, async () => {
    await using scene = await Scene.make();
    const { outcomes } = await attempt({ ...scene.policy("with grants"), abi: Number(abi) });
    assert.deepEqual(outcomes, { ...WITH_GRANTS, ...differences });
  });
}

onSources("without a wall the same attempts succeed", async () => {
  await using scene = await Scene.make();
  const { filter: _, ...policy } = scene.policy("without grants");
  const args = policy.next?.args.slice(0, -1) ?? [];
  const targets = JSON.stringify({ ...scene.targets, server: Deno.pid });
  const { outcomes } = await attempt({
    ...policy,
    abi: 0,
    limits: [],
    next: { args: [...args, targets], env: STAGE_2_ENV },
  });
  for (const name of ["read passwd", "write a file", "symbolic link", "UDP", "start a program"]) {
    assert.match(outcomes[name] ?? "", /^done$|root/, name);
  }
});

interface RefusedPolicy {
  readonly name: string;
  readonly change: (policy: StagePolicy, folder: TempFolder) => StagePolicy;
  readonly message: RegExp;
}
const addPath = (policy: StagePolicy, path: string): StagePolicy => ({
  ...policy,
  paths: [...policy.paths, { path, access: "read", kind: "exact" }],
});
const REFUSED: readonly RefusedPolicy[] = [
  {
    name: "a granted folder is missing",
    change: (policy, folder) => addPath(policy, folder.join("missing")),
    message: /^msp: error: Cannot open \S+\/missing: ENOENT\n$/,
  },
  {
    name: "a granted folder became a link",
    change: (policy, folder) => addPath(policy, folder.join("link")),
    message: /^msp: error: Cannot open \S+\/link: ELOOP\n$/,
  },
  {
    name: "a folder above a granted one became a link",
    change: (policy, folder) => addPath(policy, folder.join("link/below")),
    message: /^msp: error: Cannot open \S+\/link\/below: ELOOP\n$/,
  },
  {
    name: "the server ended meanwhile",
    change: (policy) => ({ ...policy, server: 1 }),
    message: /^msp: error: Cannot start: the server has ended\n$/,
  },
];
for (const { name, change, message } of REFUSED) {
  needsLandlock(`stage 1 starts nothing when ${name}`, async () => {
    await using folder = await TempFolder.make();
    await Deno.mkdir(folder.join("real/below"), { recursive: true });
    await Deno.symlink(folder.join("real"), folder.join("link"));
    const { code, out, err } = await runStage(change(emptyPolicy(), folder));
    assert.deepEqual({ code, out }, { code: 1, out: "" });
    assert.match(err, message);
  });
}

const IDLE: readonly { readonly calls: string; readonly what: string; readonly message: RegExp }[] =
  [
    {
      calls: "446=0",
      what: "landlock_restrict_self",
      message: /the kernel does not refuse files that were not granted\n$/,
    },
    {
      calls: "157=0",
      what: "prctl",
      message: /the kernel does not refuse sockets\n$/,
    },
  ];
for (const { calls, what, message } of IDLE) {
  testIf(
    HAS_LANDLOCK && Deno.build.arch === "x86_64",
    "needs Landlock ABI 7 and x86-64",
    `stage 1 starts nothing where ${what} does nothing`,
    async () => {
      const policy = emptyPolicy(scriptArgs("never.ts"));
      const { code, out, err } = await runStage(policy, "", without(calls));
      assert.deepEqual({ code, out }, { code: 1, out: "" });
      assert.match(err, message);
    },
  );
}

needsLandlock("stage 1 tells what the kernel offers, and then takes its policy", async () => {
  const child = startWaitingStage();
  const survey = await askStage(child);
  assert.ok(typeof survey !== "string", String(survey));
  const { abi, ...others } = survey;
  assert.ok(abi >= 7);
  assert.deepEqual(others, { files: true, sockets: true, signals: true, isRoot: IS_ROOT });
  await giveInput(child, emptyPolicy());
  const { code, stdout } = await child.output();
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), survey);
});

const OFFERS: readonly { readonly calls: string; readonly found: object; readonly why: string }[] =
  [
    {
      calls: "444=38",
      found: { abi: 0, files: false, sockets: true, signals: true },
      why: "Landlock",
    },
    { calls: "444=1", found: { abi: 0, files: false, sockets: true, signals: true }, why: "leave" },
    { calls: "157=22", found: { files: true, sockets: false, signals: false }, why: "filters" },
  ];
for (const { calls, found, why } of OFFERS) {
  testIf(
    HAS_LANDLOCK && Deno.build.arch === "x86_64",
    "needs Landlock ABI 7 and x86-64",
    `a survey finds that there is no ${why} (${calls})`,
    async () => {
      const child = startWaitingStage(without(calls));
      const survey = await askStage(child);
      assert.ok(typeof survey !== "string", String(survey));
      assert.deepEqual({ ...survey, ...found }, survey);
      child.kill("SIGKILL");
      await child.stdin.close().catch(() => {});
      await child.output();
    },
  );
}

Deno.test("a stage 1 that ends without an answer says why", async () => {
  for (
    const [script, why] of [
      [
        "echo 'msp: error: Cannot open the C library: it is not there' >&2",
        "Cannot open the C library: it is not there",
      ],
      ["exit 1", "stage 1 ended without a word"],
    ] as const
  ) {
    const pipes = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    const child = new Deno.Command("bash", { args: ["-c", script], ...pipes }).spawn();
    assert.equal(await askStage(child), `the kernel's means cannot be used (${why})`);
    await child.stdin.close().catch(() => {});
  }
});

Deno.test("stage 1 refuses malformed input", async () => {
  const [program = "", ...args] = STAGE_LINE;
  for (const input of ["", "x", "00000010", "00000003{}\n", "99999999{}", "-0000001", "0000000a"]) {
    const child = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    })
      .spawn();
    const writer = child.stdin.getWriter();
    writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
    const { code, stdout, stderr } = await child.output();
    assert.equal(code, 2, input);
    assert.equal(stdout.length, 0);
    const message = "msp: error: Cannot run function-wall: only the server starts it, for itself\n";
    assert.equal(new TextDecoder().decode(stderr), message);
  }
});

onSources("descriptors that the server inherited do not reach a host", async () => {
  await using scene = await Scene.make();
  const leak = ["bash", "-c", `exec 7<"$0"; exec "$@"`, scene.targets.secret];
  const { itself } = await attempt(scene.policy("without grants"), leak);
  assert.equal(itself.descriptors, "");
});

onSources("the environment is exactly the one that was given", async () => {
  await using folder = await TempFolder.make();
  await folder.write("env.ts", `console.log(Deno.readTextFileSync("/proc/self/environ"))`);
  const policy = emptyPolicy(scriptArgs(folder.join("env.ts")));
  const env = { ...policy.next?.env, MSP_TOKEN: "a b=c\n'\"ü", EMPTY: "" };
  const { out } = await runStage(
    addPath({ ...policy, next: { args: [], ...policy.next, env } }, folder.join("env.ts")),
  );
  const found = out.split("\0").filter((each) => each.trim() !== "");
  assert.deepEqual(found, Object.entries(env).map((pair) => pair.join("=")));
});

/** A program that starts stage 1 with a policy of its own, as a server does, and prints its process number. */
const PARENT = `
import { emptyPolicy, startStage } from ${JSON.stringify(repositoryPath("tests", "stage.ts"))};
const policy = emptyPolicy(JSON.parse(Deno.args[0]));
const path = { path: Deno.args[1], access: "read", kind: "exact" };
const child = startStage({ ...policy, paths: [...policy.paths, path] });
const { value } = await child.stdout.getReader().read();
console.log(child.pid, new TextDecoder().decode(value));
await new Promise(() => setInterval(() => {}, 1000));
`;

for (const isStopped of [false, true]) {
  const state = isStopped ? "that is stopped" : "that runs";
  onSources(`a host ${state} ends with a server that is killed`, async () => {
    await using folder = await TempFolder.make();
    await folder.write("parent.ts", PARENT);
    await folder.write("host.ts", `console.log("up"); for (;;);`);
    const script = folder.join("host.ts");
    await using server = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--allow-all",
        "--config",
        repositoryPath("deno.json"),
        folder.join("parent.ts"),
        JSON.stringify(scriptArgs(script)),
        script,
      ],
      stdout: "piped",
    }).spawn();
    const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "" } = await reader.read();
    await reader.cancel();
    assert.match(value, /^\d+ up/);
    const host = Number(value.split(" ")[0]);
    if (isStopped) Deno.kill(host, "SIGSTOP");
    assert.ok(await isAlive(host));
    server.kill("SIGKILL");
    await server.status;
    await waitUntil(async () => !await isAlive(host), "the host ends");
  });
}

needsLandlock("stage 1 that waits for its policy ignores signals to its group", async () => {
  const child = startWaitingStage();
  const ignored = async (): Promise<bigint> => {
    // Deno reads /proc with every permission only.
    const { out } = await run(["cat", `/proc/${child.pid}/status`], { cwd: "/" });
    return BigInt(`0x${/^SigIgn:\s+(\w+)$/m.exec(out)?.[1]}`);
  };
  // SIGHUP, SIGINT, SIGTERM: bit 0 is signal 1.
  const wanted = 1n << 0n | 1n << 1n | 1n << 14n;
  await waitUntil(async () => (await ignored() & wanted) === wanted, "it ignores signals");
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) child.kill(signal);
  await giveInput(child, emptyPolicy());
  const { code, stdout } = await child.output();
  assert.equal(code, 0);
  assert.ok(JSON.parse(new TextDecoder().decode(stdout)).abi >= 7);
});
