/**
 * @module
 * The kernel's wall around functions of a real server: a function that tries everything finds nothing,
 * and without the wall it does.
 */
import assert from "node:assert/strict";
import { repositoryPath } from "../../tasks/root.ts";
import { IS_ROOT, isInstalled, testIf } from "../conditions.ts";
import {
  childrenOf,
  FunctionServer,
  type FunctionSetup,
  isAlive,
  waitUntil,
  writeModules,
} from "../functions.ts";
import { msp, run, RUNTIME, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

const MARK = "CANARY-31415926";
const PROBE = await Deno.readTextFile(repositoryPath("tests", "wall_probe.js"));
/** The same without workers, and without a word that makes the server expect them. */
const PROBE_ALONE = PROBE.replaceAll("module.createRequire", 'module["create" + "Require"]')
  .replaceAll(/\b(?:Worker|worker_threads|require)\b/g, "nobody");
const WITHOUT_GRANTS = "[probe]\nTimeout=300\n";
const WITH_WRITE = "[probe]\nTimeout=300\nWrite=data/own\n";

/** What a probe tries to reach, and what it reached. */
class Surroundings {
  readonly reached: string[] = [];
  readonly #listeners: { close(): void }[] = [];
  readonly #work: Promise<void>[] = [];
  readonly #victim: Deno.ChildProcess;
  #tcpPort = 0;
  #udpPort = 0;
  #before: readonly string[] = [];

  private constructor(readonly folder: TempFolder) {
    this.#victim = new Deno.Command("sleep", { args: ["600"] }).spawn();
  }

  static async make(folder: TempFolder): Promise<Surroundings> {
    const all = new Surroundings(folder);
    await folder.write("outside/secret.json", JSON.stringify({ mark: MARK }));
    await folder.write("outside/secret.js", `export const mark = "${MARK}";`);
    await folder.write("data/other/file.json", JSON.stringify({ mark: MARK }));
    await folder.write("config/config.ini", `[Server]\nHost=127.0.0.1\n# ${MARK}\n`);
    await Deno.mkdir(folder.join("data/own"), { recursive: true });
    await all.#listen();
    await folder.write("modules/targets.json", JSON.stringify(all.#targets()));
    return all;
  }

  /** Remembers what is there; what comes after it was written by the probe. */
  async remember(): Promise<void> {
    this.#before = await this.#listAll();
  }

  /** Files that appeared outside of the probe's own folder. */
  async written(): Promise<string[]> {
    return (await this.#listAll()).filter((each) => !this.#before.includes(each));
  }

  async isVictimAlive(): Promise<boolean> {
    return await isAlive(this.#victim.pid);
  }

  #targets(): Record<string, unknown> {
    const { folder } = this;
    return {
      mark: MARK,
      files: [
        folder.join("outside/secret.json"),
        folder.join("outside/secret.js"),
        folder.join("data/other/file.json"),
        folder.join("config/config.ini"),
        "/etc/passwd",
      ],
      folder: folder.join("data/own"),
      outside: folder.path,
      victim: this.#victim.pid,
      tcpPort: this.#tcpPort,
      udpPort: this.#udpPort,
      socketPath: folder.join("outside/socket"),
      abstractName: `msp-probe-${Deno.pid}`,
    };
  }

  async #listen(): Promise<void> {
    const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const unix = Deno.listen({ transport: "unix", path: this.folder.join("outside/socket") });
    this.#tcpPort = tcp.addr.port;
    const node = await import("node:dgram");
    const udp = node.createSocket("udp4", () => this.reached.push("UDP"));
    await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
    this.#udpPort = udp.address().port;
    this.#listeners.push(tcp, unix, udp);
    this.#work.push(this.#accept(tcp, "TCP"), this.#accept(unix, "a Unix socket"));
  }

  async #accept(listener: Deno.Listener, name: string): Promise<void> {
    for await (const connection of listener) {
      this.reached.push(name);
      connection.close();
    }
  }

  /** Everything that a probe might have written, and modes of what it must not change. */
  async #listAll(): Promise<string[]> {
    const found: string[] = [];
    const kept = ["log", "data/own", "sec/state"].map((each) => this.folder.join(each));
    const places = [this.folder.path, "/tmp", "/dev/shm", "/var/tmp"];
    const { out } = await run(
      ["find", ...places, "-maxdepth", "4", "-printf", "%p %m\n"],
      { cwd: "/" },
    );
    for (const line of out.split("\n")) {
      const isOurs = line.startsWith(this.folder.path) || line.includes("msp-probe") ||
        line.includes("etilqs");
      if (isOurs && !kept.some((each) => line.startsWith(each))) found.push(line);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await Promise.all(this.#work);
    this.#victim.kill("SIGKILL");
    await this.#victim.status;
    const { out } = await run([
      "find",
      "/tmp",
      "/dev/shm",
      "/var/tmp",
      "-maxdepth",
      "1",
      "-name",
      "msp-probe*",
    ], { cwd: "/" });
    for (const path of out.split("\n").filter((each) => each !== "")) {
      await Deno.remove(path, { recursive: true });
    }
  }
}

/** What a probe found, and what it reached. */
async function probe(setup: Partial<FunctionSetup>): Promise<{
  found: string[];
  reached: string[];
  written: string[];
}> {
  await using folder = await TempFolder.make();
  await Deno.chmod(folder.path, 0o755);
  await using all = await Surroundings.make(folder);
  const config = await folder.read("config/config.ini");
  await using functions = await FunctionServer.start(folder, {
    modules: { probe: PROBE, other: OTHER },
    ...setup,
    config: `${config}${setup.config ?? ""}`,
    sections: `${setup.sections}\n[other]\nEnv=MSP_OTHER\nRead=data/other\n`,
    env: { MSP_OTHER: MARK, ...setup.env },
  });
  await all.remember();
  const answer = String(await functions.call("probe"));
  assert.match(answer, /^\[/, functions.server.err);
  assert.ok(await all.isVictimAlive(), "a process of the same user was ended");
  assert.equal(await functions.call("other"), "other");
  return { found: JSON.parse(answer), reached: all.reached, written: await all.written() };
}

const NOTHING = { found: [], reached: [], written: [] };

const GRANTS = [["without grants", WITHOUT_GRANTS], ["with Write", WITH_WRITE]] as const;
const OTHER = "export const entry_call = () => 'other';";
const PLACES = { "in a worker": PROBE, "in the main thread": PROBE_ALONE };
for (const [grants, sections] of GRANTS) {
  for (const [place, code] of Object.entries(PLACES)) {
    Deno.test(`a function ${grants} that tries everything ${place} finds nothing`, async () => {
      const modules = { probe: code, other: OTHER };
      assert.deepEqual(await probe({ sections, modules }), NOTHING);
    });
  }

  testIf(
    IS_ROOT && RUNTIME.isExecutable && isInstalled("setpriv"),
    "needs root, setpriv, and an executable, which another user can read",
    `a function ${grants} of a server that is not root finds nothing`,
    async () => assert.deepEqual(await probe({ sections, user: 12345 }), NOTHING),
  );
}

Deno.test("the same function finds secrets without the wall", async () => {
  const result = await probe({ sections: WITH_WRITE, config: "[Functions]\nWall=none\n" });
  const ways = RUNTIME.isExecutable ? /^import .*: secret$/ : /^read through WASI symlink: secret$/;
  assert.ok(result.found.some((each) => ways.test(each)), result.found.join("\n"));
  if (!RUNTIME.isExecutable) {
    assert.ok(result.written.some((each) => /config\.ini\.new/.test(each)));
  }
});

testIf(
  IS_ROOT,
  "needs root",
  "doctor and functions load modules behind the same wall as root",
  async () => {
    await using folder = await TempFolder.make();
    await using all = await Surroundings.make(folder);
    // It runs when it is loaded, and tells by a file.
    const code =
      `${PROBE}\nDeno.writeTextFileSync("data/own/found", JSON.stringify(await look()));\n`;
    await writeModules(folder, { modules: { probe: code }, sections: WITH_WRITE });
    await registerClient(folder);
    await all.remember();
    for (const command of ["functions", "doctor"]) {
      const { out } = await msp([command], { cwd: folder.path, env: { MSP_OTHER: MARK } });
      assert.match(out, /functions run behind Landlock/, out);
      assert.deepEqual(JSON.parse(await folder.read("data/own/found")), [], command);
      await Deno.remove(folder.join("data/own/found"));
    }
    assert.deepEqual(all.reached, []);
    assert.deepEqual(await all.written(), []);
  },
);

Deno.test("a server without functions ends the process that would have become their host", async () => {
  await using folder = await TempFolder.make();
  await writeModules(folder, { modules: {} });
  await using server = await ServerProcess.start({ cwd: folder.path });
  const has = async (): Promise<boolean> => (await childrenOf(server.pid)).length > 0;
  await waitUntil(async () => !await has(), "no process but the server");
});

Deno.test("a server that is killed while it starts leaves no process behind", async () => {
  await using folder = await TempFolder.make();
  await using server = ServerProcess.spawn({ cwd: folder.path, args: ["--port", "0"] });
  let children: number[] = [];
  await waitUntil(
    async () => (children = await childrenOf(server.pid)).length > 0,
    "processes of the start",
  );
  server.signal("SIGKILL");
  await server.status();
  for (const pid of children) await waitUntil(async () => !await isAlive(pid), `${pid} has ended`);
});
