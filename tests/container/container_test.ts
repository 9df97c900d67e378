/**
 * @module
 * The container image, run with buildah (.ci/container): entry point, users, capabilities, volumes,
 * commands by name, stop and second start.
 */
import assert from "node:assert/strict";

import { testIf } from "../conditions.ts";
import { waitUntil } from "../functions.ts";
import { mspOk, type Outcome, run, type RunOptions, TempFolder } from "../program.ts";

const IMAGE = Deno.env.get("MSP_TEST_IMAGE");
const STORAGE = (Deno.env.get("MSP_TEST_BUILDAH") ?? "").split(" ").filter((each) => each !== "");
const VOLUMES = ["config", "app/modules", "log", "sec", "data"];

/** A container of the image, with folders of the test as its volumes. */
class Container {
  private constructor(readonly id: string, readonly folder: TempFolder) {}

  static async make(folder: TempFolder): Promise<Container> {
    for (const volume of VOLUMES) await Deno.mkdir(folder.join(volume), { recursive: true });
    const { out, err } = await buildah(["from", "--pull-never", IMAGE ?? ""]);
    assert.notEqual(out.trim(), "", err);
    // For volumes of the image buildah keeps folders of its own, in place of those that it is given.
    const removed = VOLUMES.flatMap((volume) => ["--volume", `/${volume}-`]);
    await buildah(["config", ...removed, out.trim()]);
    return new Container(out.trim(), folder);
  }

  /** The command line that runs a program in it, as `docker run` or `docker exec` would. */
  line(args: readonly string[], options: readonly string[] = []): string[] {
    const volumes = VOLUMES.flatMap((each) => ["-v", `${this.folder.join(each)}:/${each}`]);
    return ["buildah", ...STORAGE, "run", ...volumes, ...options, this.id, "--", ...args];
  }

  async run(args: readonly string[], options: readonly string[] = []): Promise<Outcome> {
    return await run(this.line(args, options), { cwd: "/", env: ENV });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await buildah(["rm", this.id]);
  }
}

const ENV = { BUILDAH_ISOLATION: "chroot" };

async function buildah(args: readonly string[]): Promise<Outcome> {
  const [what = "", ...rest] = args;
  return await run(["buildah", ...STORAGE, what, ...rest], { cwd: "/", env: ENV });
}

/** A server in a container. */
class Server {
  readonly #process: Deno.ChildProcess;
  readonly #id: string = crypto.randomUUID();
  #text = "";
  #isOver = false;
  readonly #done: Promise<unknown>;

  /** Starts it with the entry point, as `docker run` would. */
  constructor(container: Container, args: readonly string[], options: readonly string[] = []) {
    const mark = ["--env", `MSP_TEST_ID=${this.#id}`];
    const line = container.line(["docker-entrypoint", ...args], [...options, ...mark]);
    const [command = "", ...rest] = line;
    this.#process = new Deno.Command(command, {
      args: rest,
      env: ENV,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#text += text;
    };
    this.#done = Promise.all([collect(this.#process.stdout), collect(this.#process.stderr)])
      .finally(() => void (this.#isOver = true));
  }

  get text(): string {
    return this.#text;
  }

  async waitFor(pattern: RegExp): Promise<void> {
    await waitUntil(() => Promise.resolve(this.#isOver || pattern.test(this.#text)), `${pattern}`)
      .catch((error) => assert.fail(`${error.message}: ${this.#text}`));
    assert.match(this.#text, pattern);
  }

  /** URL of the endpoint. */
  async url(): Promise<string> {
    await this.waitFor(/is ready on \S+[\s\S]*Functions: /);
    return /is ready on (\S+)/.exec(this.#text)?.[1] ?? "";
  }

  /** Sends the signal that `docker stop` sends to the first process, and gives the exit code. */
  async stop(): Promise<number> {
    let isOver = false;
    const status = this.#process.status.then((each) => {
      isOver = true;
      return each;
    });
    // A second signal would end it at once.
    const signalled = new Set<number>();
    await waitUntil(async () => {
      for (const { pid, isHost } of isOver ? [] : await this.processes()) {
        if (isHost || signalled.has(pid)) continue;
        signalled.add(pid);
        try {
          Deno.kill(pid, "SIGTERM");
        } catch {
          // It ended meanwhile.
        }
      }
      return isOver;
    }, `the end of the server: ${this.#text}`);
    const { code } = await status;
    await this.#done;
    return code;
  }

  /** The server's process, and those that it started. */
  async processes(): Promise<ProcessInfo[]> {
    return await processes(this.#id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Owner of a file as UID:GID. */
async function ownerOf(path: string): Promise<string> {
  const { uid, gid } = await Deno.stat(path);
  return `${uid}:${gid}`;
}

interface ProcessInfo {
  readonly pid: number;
  readonly uid: string;
  /** Effective capabilities, in hex. */
  readonly capabilities: string;
  readonly isHost: boolean;
}

/** The processes of a server: itself, and those that it started. Other containers may run here too. */
async function processes(id: string): Promise<ProcessInfo[]> {
  const script = `for file in $(grep -lsxz "MSP_TEST_ID=$1" /proc/[0-9]*/environ); do
    server=$(basename "$(dirname "$file")")
    # The shell that becomes the server has the same environment.
    case $(readlink /proc/$server/exe) in */usr/local/lib/msp/msp) ;; *) continue ;; esac
    for p in $server $(ps -o pid= --ppid $server); do
      # One that ended meanwhile has no user any more.
      uid=$(ps -o uid= -p $p) || continue
      echo $p $uid $(sed -n 's/^CapEff:\\s*//p' /proc/$p/status) $server
    done
  done`;
  const { out } = await run(["bash", "-c", script, "bash", id], { cwd: "/" });
  return out.trim().split("\n").filter((line) => line !== "").map((line) => {
    const [pid = "", uid = "", capabilities = "", server] = line.split(" ");
    return { pid: Number(pid), uid, capabilities, isHost: pid !== server };
  });
}

function containerTest(name: string, fn: (folder: TempFolder) => Promise<void>): void {
  testIf(IMAGE !== undefined, ".ci/container runs it", `container: ${name}`, async () => {
    await using folder = await TempFolder.make();
    await fn(folder);
  });
}

containerTest(
  "the whole way, with PUID and PGID, commands by name, stop and second start",
  async (folder) => {
    await using container = await Container.make(folder);
    const ids = ["--env", "PUID=1234", "--env", "PGID=2345"];
    const options = { cwd: folder.path };
    let publicKey = "";
    {
      await using server = new Server(container, ["--port", "0"], ids);
      const url = await server.url();
      for (
        const path of [
          "config/config.ini",
          "config/modules.ini",
          "sec/server.key",
          "log/latest.log",
        ]
      ) {
        assert.equal(await ownerOf(folder.join(path)), "1234:2345", path);
      }
      assert.equal(await ownerOf(folder.join("app/modules/simple_time.js")), "1234:2345");
      assert.match(await folder.read("config/config.ini"), /^Register=\/sec\/clients\.dev$/m);
      const running = await server.processes();
      const serving = running.filter(({ isHost }) => !isHost);
      const hosts = running.filter(({ isHost }) => isHost);
      assert.deepEqual(serving.map(({ uid }) => uid), ["1234"]);
      assert.deepEqual(
        hosts.map(({ uid, capabilities }) => `${uid} ${Number(`0x${capabilities}`)}`),
        ["1234 0"],
      );
      await mspOk(["keygen", "pair", "client"], options);
      publicKey = await folder.read("client.pub");
      const appended = await container.run(["appendclient", publicKey], ids);
      assert.equal(appended.code, 0, appended.err);
      assert.equal(await ownerOf(folder.join("sec/client_1.pub")), "1234:2345");
      await folder.write("client.secret", /Secret: (\S+)/.exec(appended.out)?.[1] ?? "");
      await folder.write("server.pub", await folder.read("sec/server.pub"));
      await server.waitFor(/Registered client keys: 1/);
      assert.match(await mspOk(["call", url, "time_test"], options), /^It is currently/);
      const address = ["--url", new URL(url).origin];
      const invited = await container.run(["msp", "invite", "phone", ...address], ids);
      assert.equal(invited.code, 0, invited.err);
      const home = { ...options, env: { HOME: folder.path } };
      await mspOk(["join", invited.out.trim(), "--profile", "phone"], home);
      assert.equal(await ownerOf(folder.join("sec/client_2.pub")), "1234:2345");
      assert.match(await mspOk(["call", "phone", "time_test"], home), /^It is currently/);
      const health = await container.run(["msp", "health", url], ids);
      assert.equal(health.code, 0, health.err);
      assert.equal(await server.stop(), 0, server.text);
      assert.match(server.text, /INFO server: Stopped/);
    }
    const key = await folder.read("sec/server.key");
    await using server = new Server(container, ["serve", "--port", "0"], ids);
    assert.match(
      await mspOk(["call", await server.url(), "time_test"], options),
      /^It is currently/,
    );
    assert.equal(await server.stop(), 0);
    assert.equal(await folder.read("sec/server.key"), key);
    assert.ok((await folder.read("sec/client_1.pub")).startsWith(publicKey.trim()));
    const listed = await container.run(["listclients", "--json"], ids);
    assert.equal(JSON.parse(listed.out).length, 2);
    const purged = await container.run(["purgeclients", "--yes"], ids);
    assert.equal(purged.code, 0, purged.err);
    assert.equal(JSON.parse((await container.run(["listclients", "--json"], ids)).out).length, 0);
  },
);

containerTest("a function cannot read the key store, whatever it imports", async (folder) => {
  await using container = await Container.make(folder);
  await folder.write("config/modules.ini", "[Modules]\nthief=thief\n");
  await folder.write(
    "app/modules/thief.js",
    `export async function entry_call() {
      const found = [];
      for (const path of ["/sec/server.key", "/sec/clients.dev", "/sec/server.pub", "/config/config.ini"]) {
        try {
          await import(path, { with: { type: "json" } });
          found.push(path);
        } catch (error) {
          if (!/denied|os error 13/i.test(error.message)) found.push(path + ": " + error.message);
        }
      }
      return JSON.stringify(found);
    }`,
  );
  await Deno.chmod(folder.join("app/modules/thief.js"), 0o644);
  await Deno.chmod(folder.join("sec"), 0o700);
  await using server = new Server(container, ["--port", "0"]);
  const url = await server.url();
  const options = await register(container, server);
  const found: string[] = JSON.parse(await mspOk(["call", url, "thief"], options));
  assert.deepEqual(found.filter((each) => each.startsWith("/sec")), []);
  assert.equal(await server.stop(), 0);
});

containerTest("with --user it runs as that user, and changes no owner", async (folder) => {
  await using container = await Container.make(folder);
  for (const volume of VOLUMES) await Deno.chown(folder.join(volume), 4321, 4321);
  await using server = new Server(container, ["--port", "0"], ["--user", "4321:4321"]);
  await server.url();
  // The processes of another server may still be ending.
  const users = async (): Promise<string> =>
    [...new Set((await server.processes()).map(({ uid }) => uid))].join(" ");
  await waitUntil(async () => await users() === "4321", "one user for server and functions");
  assert.equal(await ownerOf(folder.join("sec/server.key")), "4321:4321");
  assert.equal(await server.stop(), 0);
});

containerTest("with a read-only root file system it writes to its volumes only", async (folder) => {
  await using container = await Container.make(folder);
  const { out } = await buildah(["mount", container.id]);
  const root = out.trim();
  const env = "PATH=/usr/bin:/bin:/usr/local/bin MSP_CONFIG_PATH=/config/config.ini " +
    "MSP_MODCONF_PATH=/config/modules.ini MSP_LOGFILE_PATH=/log";
  const volumes = VOLUMES.map((each) => `mount --bind ${folder.join(each)} ${root}/${each}`);
  const script = [
    `mount --bind ${root} ${root}`,
    `mount -o remount,bind,ro ${root}`,
    ...volumes,
    `mount -t proc proc ${root}/proc`,
    `touch ${root}/x && exit 9`,
    `exec chroot ${root} sh -c 'cd /app && exec env ${env} docker-entrypoint --port 0'`,
  ].join("\n");
  const process = new Deno.Command("unshare", {
    args: ["-m", "bash", "-c", script],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(process.stderr).text();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  process.kill("SIGTERM");
  await reader.cancel();
  const { code } = await process.status;
  assert.match(value ?? "", /is ready on/, await errors);
  assert.equal(code, 0);
  await errors;
  assert.equal(await ownerOf(folder.join("sec/server.key")), "1000:100");
});

containerTest("without /proc it says what it needs", async (folder) => {
  await using container = await Container.make(folder);
  const root = (await buildah(["mount", container.id])).out.trim();
  const env = "PATH=/usr/bin:/bin:/usr/local/bin MSP_CONFIG_PATH=/config/config.ini";
  const line = ["unshare", "-m", "chroot", root, "env", ...env.split(" "), "docker-entrypoint"];
  const { code, err } = await run(line, { cwd: "/" });
  assert.equal(code, 2, err);
  assert.equal(
    err,
    "msp: error: Cannot run without /proc\nmsp: hint: Mount it: mount -t proc proc /proc\n",
  );
});

/** Registers a client with the running server, and gives what `msp call` needs to call it. */
async function register(container: Container, server: Server): Promise<RunOptions> {
  const { folder } = container;
  const options = { cwd: folder.path };
  await mspOk(["keygen", "pair", "client"], options);
  const appended = await container.run(["appendclient", await folder.read("client.pub")]);
  assert.equal(appended.code, 0, appended.err);
  await folder.write("client.secret", /Secret: (\S+)/.exec(appended.out)?.[1] ?? "");
  await folder.write("server.pub", await folder.read("sec/server.pub"));
  await server.waitFor(/Registered client keys: 1/);
  return options;
}

const COUNTER = `export const entry_call = async () => {
  const seen = Number(await Deno.readTextFile("/data/count").catch(() => 0)) + 1;
  await Deno.writeTextFile("/data/count", String(seen));
  return String(seen);
};`;

/** The capabilities that compose.yaml does not add again. Buildah drops ALL after it has added some. */
const DROPPED = [
  "AUDIT_WRITE",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "NET_RAW",
  "SETFCAP",
  "SETPCAP",
  "SYS_CHROOT",
].flatMap((each) => ["--cap-drop", `CAP_${each}`]);

const VOLUME_STATES: readonly { why: string; owner: number; mode: number; config: boolean }[] = [
  { why: "made by the daemon", owner: 0, mode: 0o755, config: false },
  { why: "made by the user", owner: 1000, mode: 0o755, config: false },
  { why: "of the user alone", owner: 1000, mode: 0o700, config: true },
];

for (const { why, owner, mode, config } of VOLUME_STATES) {
  containerTest(
    `with the capabilities of compose.yaml alone, and volumes ${why}`,
    async (folder) => {
      await using container = await Container.make(folder);
      await folder.write("app/modules/counter.js", COUNTER);
      await folder.write(
        "config/modules.ini",
        "[Modules]\ncounter=counter\n[counter]\nWrite=/data\nRead=/data\n",
      );
      if (config) {
        await folder.write(
          "config/config.ini",
          "[Server]\nKeypath=/sec\n[Clients]\nKeypath=/sec\nRegister=/sec/clients.dev\n",
        );
      }
      for (const volume of VOLUMES.filter((each) => each !== "data")) {
        const files = [volume, ...(await folder.names(volume)).map((name) => `${volume}/${name}`)];
        for (const file of files) await Deno.chown(folder.join(file), owner, owner);
        if (volume !== "app/modules") await Deno.chmod(folder.join(volume), mode);
      }
      await using server = new Server(container, ["--port", "0"], [
        ...DROPPED,
        "--env",
        "PGID=1000",
      ]);
      const url = await server.url();
      const options = await register(container, server);
      for (const count of ["1", "2"]) {
        assert.equal(await mspOk(["call", url, "counter"], options), `${count}\n`);
      }
      assert.equal(await ownerOf(folder.join("sec/server.key")), "1000:1000");
      assert.equal(await ownerOf(folder.join("data/count")), await ownerOf(folder.join("data")));
      assert.equal(await server.stop(), 0);
    },
  );
}

containerTest(
  "without any capability it runs with --user, and else says what it needs",
  async (folder) => {
    await using container = await Container.make(folder);
    const refused = await container.run(["docker-entrypoint"], ["--cap-drop", "ALL"]);
    assert.equal(refused.code, 2);
    assert.match(
      refused.err,
      /^msp: error: Cannot become user 1000: [^\n]*SETUID and SETGID\nmsp: hint: [^\n]*--user 1000:100\n/,
    );
    assert.deepEqual(await folder.names("config"), []);
    for (const volume of VOLUMES) await Deno.chown(folder.join(volume), 4321, 4321);
    const user = ["--cap-drop", "ALL", "--user", "4321:4321"];
    await using server = new Server(container, ["--port", "0"], user);
    await server.url();
    assert.equal(await ownerOf(folder.join("sec/server.key")), "4321:4321");
    assert.equal(await server.stop(), 0);
  },
);

containerTest(
  "commands in the container run as PUID, and leave no file of root",
  async (folder) => {
    await using container = await Container.make(folder);
    const ids = ["--env", "PUID=1234", "--env", "PGID=2345"];
    {
      await using server = new Server(container, ["--port", "0"], ids);
      await server.url();
      assert.equal(await server.stop(), 0);
    }
    const inLog = [...ids, "--workingdir", "/log"];
    for (
      const [line, file] of [[["keygen", "private", "a"], "a.key"], [[
        "msp",
        "keygen",
        "private",
        "b",
      ], "b.key"]] as const
    ) {
      const { code, err } = await container.run(line, inLog);
      assert.equal(code, 0, err);
      assert.equal(await ownerOf(folder.join("log", file)), "1234:2345");
    }
    const doctor = await container.run(["doctor"], ids);
    assert.equal(doctor.code, 0, doctor.out + doctor.err);
    // What a host folder with files of root gets: only the owner of what the server uses changes.
    assert.equal(await ownerOf(folder.join("app/modules")), "1234:2345");
    const made = await container.run(["docker-entrypoint", "msp", "listclients"], ids);
    assert.equal(made.code, 0, made.err);
  },
);

const NUMBER_HINT = /\nmsp: hint: Set it to a whole number from 0 to 4294967294\n/;
const WRONG_IDS: readonly { id: string; why: string; message?: RegExp }[] = [
  { id: "PUID=me", why: "a name" },
  { id: "PUID=-1", why: "negative" },
  { id: "PUID= 1000", why: "a space" },
  { id: 'PUID="1000"', why: "quotes of an env file" },
  { id: "PUID=08", why: "octal or not" },
  { id: "PUID=1e3", why: "not whole" },
  { id: "PUID=4294967295", why: "what the system calls nobody at all" },
  { id: "PUID=4294967296", why: "root, once it is cut to 32 bits" },
  { id: "PUID=99999999999999999999", why: "beyond what a shell can compare" },
  { id: "PGID=4294967296", why: "the group, in the same way" },
  {
    id: "PUID=65534",
    why: "nobody, as other programs",
    message: /, which is nobody: /,
  },
  {
    id: "PGID=65534",
    why: "the group of nobody",
    message: /, which is nobody: /,
  },
];

containerTest(
  "a wrong PUID or PGID is one clear error, for the server and for commands",
  async (folder) => {
    await using container = await Container.make(folder);
    // All in one container: to start one takes a while.
    const script = `for id; do for command in docker-entrypoint listclients; do
      echo "== $id"; env "$id" $command 2>&1; echo "exit status $?"; done; done`;
    const ids = WRONG_IDS.map(({ id }) => id);
    const { out } = await container.run(["sh", "-c", script, "sh", ...ids]);
    const answers = out.split(/^== /m).slice(1);
    assert.equal(answers.length, 2 * ids.length, out);
    for (const [index, { id, why, message = NUMBER_HINT }] of WRONG_IDS.entries()) {
      for (const answer of answers.slice(2 * index, 2 * index + 2)) {
        assert.ok(answer.startsWith(`${id}\nmsp: error: Cannot use ${id}`), `${why}: ${answer}`);
        assert.match(answer, message);
        assert.ok(answer.endsWith("\nexit status 2\n"), answer);
      }
    }
    assert.deepEqual(await folder.names("sec"), []);
    const other = await container.run(["docker-entrypoint", "sh", "-c", "id -u"], [
      "--env",
      "PUID=me",
    ]);
    assert.equal(other.out, "0\n", "another program runs as it is");
    const version = await container.run(["docker-entrypoint", "msp", "--version"]);
    assert.match(version.out, /^msp \d+\.\d+\.\d+ \(Mini Share Point; commit \w+, Deno /);
    assert.equal((await container.run(["pwd"])).out, "/app\n");
  },
);
