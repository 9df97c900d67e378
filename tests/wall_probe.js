/**
 * @module
 * A function that tries every way out that it can think of. It answers with what it found: texts that
 * hold a secret, and what the platform let it do. What it changed elsewhere, its test looks for.
 *
 * `targets.json` beside it says what to try: files with secrets, a folder of its own, a process, ports.
 */
import fs from "node:fs";
import module from "node:module";
import os from "node:os";
import process from "node:process";

const targets = JSON.parse(Deno.readTextFileSync(new URL("targets.json", import.meta.url)));
const { files, folder, victim, tcpPort, udpPort, socketPath, abstractName, outside, mark } =
  targets;
const ops = Deno[Deno.internal]?.core?.ops ?? {};
const found = [];

/** Tries something for a while; a result that shows a secret is a finding. */
async function attempt(what, run) {
  try {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 1000));
    note(what, await Promise.race([run(), late]));
  } catch (error) {
    // An error message can show a secret too.
    note(what, `${error?.stack} ${error?.message}`, true);
  }
}

function note(what, value, isError = false) {
  const bytes = value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
  const text = typeof bytes === "string"
    ? bytes
    : Deno.inspect(bytes, { depth: 3, strAbbreviateSize: 1e6 });
  if (text.includes(mark) || text.includes("root:x:0")) found.push(`${what}: secret`);
  else if (!isError && value === true) found.push(what);
}

const resultOf = (worker) =>
  new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });

/** Ways to read a file, by path. */
const READERS = {
  "Deno.readTextFile": (path) => Deno.readTextFile(path),
  "Deno.readTextFileSync": (path) => Deno.readTextFileSync(path),
  "Deno.open": async (path) => await new Response((await Deno.open(path)).readable).text(),
  "fs.readFileSync": (path) => fs.readFileSync(path, "utf8"),
  "fs.promises.readFile": (path) => fs.promises.readFile(path, "utf8"),
  "fs.createReadStream": (path) =>
    new Promise((resolve, reject) =>
      fs.createReadStream(path, "utf8").on("data", resolve).on("error", reject)
    ),
  "fs.openAsBlob": async (path) => await (await fs.openAsBlob(path)).text(),
  "fetch": async (path) => await (await fetch(`file://${path}`)).text(),
  "import": (path) => import(`file://${path}`),
  "import json": (path) => import(`file://${path}`, { with: { type: "json" } }),
  "import text": (path) => import(`file://${path}`, { with: { type: "text" } }),
  "import bytes": async (path) =>
    (await import(`file://${path}?b`, { with: { type: "bytes" } })).default,
  "import from data": (path) =>
    import(
      `data:text/javascript,import x from ${
        encodeURIComponent(JSON.stringify(`file://${path}`))
      } with {type:'json'}; export default x`
    ),
  "import from a blob": (path) =>
    import(
      URL.createObjectURL(
        new Blob([
          `import x from ${JSON.stringify(`file://${path}`)} with {type:'json'}; export default x`,
        ], { type: "text/javascript" }),
      )
    ),
  "require": (path) => module.createRequire(import.meta.url)(path),
  "Module json": (path) => {
    const loaded = new module(path);
    module._extensions[".json"](loaded, path);
    return loaded.exports;
  },
  "Module js": (path) => {
    const loaded = new module(path);
    module._extensions[".js"](loaded, path);
    return loaded.exports;
  },
  "process.loadEnvFile": (path) => {
    process.loadEnvFile(path);
    return Deno.inspect(process.env);
  },
  "worker of it": (path) => resultOf(new Worker(`file://${path}`, { type: "module" })),
  "nested worker": (path) =>
    resultOf(
      new Worker(
        `data:text/javascript,${
          encodeURIComponent(
            `try { postMessage(Deno.readTextFileSync(${
              JSON.stringify(path)
            })) } catch (e) { postMessage(e.message) }`,
          )
        }`,
        { type: "module" },
      ),
    ),
  "nested worker with more": (path) =>
    resultOf(
      new Worker(
        `data:text/javascript,${
          encodeURIComponent(
            `try { postMessage(Deno.readTextFileSync(${
              JSON.stringify(path)
            })) } catch (e) { postMessage(e.message) }`,
          )
        }`,
        { type: "module", deno: { permissions: "inherit" } },
      ),
    ),
  "worker in a worker": (path) =>
    resultOf(
      new Worker(
        `data:text/javascript,${
          encodeURIComponent(
            `const w = new Worker("data:text/javascript,import(${
              encodeURIComponent(JSON.stringify(`file://${path}`)).replaceAll("'", "%27")
            }, {with:{type:'json'}}).then((m) => postMessage(JSON.stringify(m)), (e) => postMessage(e.message))", { type: "module" }); w.onmessage = (e) => postMessage(e.data)`,
          )
        }`,
        { type: "module" },
      ),
    ),
  "worker thread": async (path) => {
    const { Worker } = await import("node:worker_threads");
    const code =
      `const { parentPort } = require("node:worker_threads"); try { parentPort.postMessage(require("fs").readFileSync(${
        JSON.stringify(path)
      }, "utf8")) } catch (e) { parentPort.postMessage(e.message) }`;
    return await new Promise((resolve, reject) => {
      const worker = new Worker(code, { eval: true });
      worker.on("message", resolve);
      worker.on("error", reject);
    });
  },
  "SQLite": async (path) => {
    const { DatabaseSync } = await import("node:sqlite");
    return new DatabaseSync(path).prepare("select * from sqlite_master").all();
  },
  "SQLite attach": async (path) => {
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(":memory:");
    database.exec(`attach database '${path}' as a`);
    return database.prepare("select * from a.sqlite_master").all();
  },
  "SQLite table of lines": async (path) => {
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(":memory:");
    database.exec(`create virtual table t using csv(filename='${path}')`);
    return database.prepare("select * from t").all();
  },
  "WASI": (path) =>
    wasi({ "/x": path.replace(/\/[^/]*$/, "") }, (call) => call.read(path.replace(/.*\//, ""))),
  "WASI from the root": (path) => wasi({ "/": "/" }, (call) => call.read(path.slice(1))),
  "WASI from the modules": (path) =>
    wasi({ "/m": `${outside}/modules` }, (call) => call.read(`..${path.slice(outside.length)}`)),
};

/** Names of a file that lead around a check of names. */
const detours = (path) => [
  path,
  `/proc/self/root${path}`,
  `/proc/self/cwd/${
    path.startsWith(outside) ? path.slice(outside.length + 1) : `../../../..${path}`
  }`,
  `/proc/thread-self/root${path}`,
  `/proc/${process.ppid}/root${path}`,
  `/proc/1/root${path}`,
  `/dev/fd/../../..${path}`,
];

const WASM_WITH_MEMORY = new Uint8Array([
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  5,
  3,
  1,
  0,
  2,
  7,
  10,
  1,
  6,
  109,
  101,
  109,
  111,
  114,
  121,
  2,
  0,
]);

/** Runs something with WASI calls on a folder, which is descriptor 3. */
async function wasi(preopens, run) {
  const { WASI } = await import("node:wasi");
  const system = new WASI({ version: "preview1", preopens, returnOnExit: true });
  const { exports } = await WebAssembly.instantiate(
    await WebAssembly.compile(WASM_WITH_MEMORY),
    {},
  );
  system.initialize({ exports });
  const bytes = () => new Uint8Array(exports.memory.buffer);
  const view = () => new DataView(exports.memory.buffer);
  const put = (text, at) => {
    const encoded = new TextEncoder().encode(text);
    bytes().set(encoded, at);
    return encoded.length;
  };
  const calls = system.wasiImport;
  return run({
    read(name) {
      const error = calls.path_open(3, 1, 1000, put(name, 1000), 0, 0x1ffn, 0x1ffn, 0, 2000);
      if (error !== 0) throw new Error(`errno ${error}`);
      view().setUint32(3000, 4000, true);
      view().setUint32(3004, 4000, true);
      calls.fd_read(view().getUint32(2000, true), 3000, 1, 3008);
      return new TextDecoder().decode(bytes().slice(4000, 4000 + view().getUint32(3008, true)));
    },
    symlink: (target, name) =>
      calls.path_symlink(1000, put(target, 1000), 3, 3000, put(name, 3000)) === 0,
    link: (target, name) =>
      calls.path_link(3, 0, 1000, put(target, 1000), 3, 3000, put(name, 3000)) === 0,
  });
}

/** Ways to make a link in a folder; each gives the link's name. */
const LINKERS = {
  "Deno.symlink": (target, name) => Deno.symlinkSync(target, `${folder}/${name}`),
  "fs.symlink": (target, name) => fs.symlinkSync(target, `${folder}/${name}`),
  "fs.promises.symlink": (target, name) => fs.promises.symlink(target, `${folder}/${name}`),
  "Deno.link": (target, name) => Deno.linkSync(target, `${folder}/${name}`),
  "fs.link": (target, name) => fs.linkSync(target, `${folder}/${name}`),
  "WASI symlink": (target, name) => wasi({ "/d": folder }, (call) => call.symlink(target, name)),
  "WASI symlink upwards": (target, name) =>
    wasi({ "/d": folder }, (call) => call.symlink(`../../../../../../../..${target}`, name)),
  "WASI hard link": (target, name) =>
    wasi({ "/": "/" }, (call) => call.link(target.slice(1), `${folder.slice(1)}/${name}`)),
  "fs.cp of a link": (target, name) =>
    fs.cpSync(target, `${folder}/${name}`, { verbatimSymlinks: true }),
  "Deno.rename": (target, name) => Deno.renameSync(target, `${folder}/${name}`),
  "Deno.copyFile": (target, name) => Deno.copyFileSync(target, `${folder}/${name}`),
};

async function readFiles() {
  for (const file of files) {
    for (const [way, read] of Object.entries(READERS)) {
      const paths = /^(?:Deno\.readTextFileSync|fs\.readFileSync|import json)$/.test(way)
        ? detours(file)
        : [file];
      for (const path of paths) await attempt(`${way} ${path}`, () => read(path));
    }
  }
}

async function followLinks() {
  let count = 0;
  for (const file of files) {
    for (const [way, link] of Object.entries(LINKERS)) {
      for (const target of [file, file.replace(/\/[^/]*$/, "")]) {
        const name = `link${count++}`;
        await attempt(way, () => link(target, name)).catch(() => {});
        const path = target === file
          ? `${folder}/${name}`
          : `${folder}/${name}/${file.replace(/.*\//, "")}`;
        await attempt(`read through ${way}`, () => Deno.readTextFileSync(path));
        await attempt(`write through ${way}`, () => Deno.writeTextFileSync(`${path}.new`, mark));
        await attempt(`mode through ${way}`, () => Deno.chmodSync(path, 0o666));
        await attempt(`watch through ${way}`, () => Deno.watchFs(path).close() ?? true);
        await attempt(`remove ${way}`, () => void Deno.removeSync(`${folder}/${name}`));
      }
    }
  }
}

async function writeElsewhere() {
  const places = [
    outside,
    `${outside}/sec`,
    `${outside}/config`,
    `${outside}/modules`,
    `${outside}/log`,
    "/tmp",
    "/dev/shm",
    "/var/tmp",
    "/root",
  ];
  for (const place of places) {
    const path = `${place}/msp-probe`;
    await attempt("write", () => Deno.writeTextFileSync(path, mark));
    await attempt("fs write", () => fs.writeFileSync(path, mark));
    await attempt("append", () => fs.appendFileSync(path, mark));
    await attempt("folder", () => Deno.mkdirSync(`${path}-folder`));
    await attempt("temporary file", () => Deno.makeTempFileSync({ dir: place }));
    await attempt("fs temporary folder", () => fs.mkdtempSync(path));
    await attempt("heap snapshot", async () => (await import("node:v8")).writeHeapSnapshot(path));
    await attempt("report", () => process.report.writeReport(path));
    await attempt("compile cache", () => module.enableCompileCache?.(path));
    await attempt(
      "SQLite",
      async () => new (await import("node:sqlite")).DatabaseSync(path).exec("create table t(x)"),
    );
    await attempt("SQLite vacuum", async () => {
      const database = new (await import("node:sqlite")).DatabaseSync(":memory:");
      database.exec(`create table t(x); vacuum into '${path}'`);
    });
    await attempt("SQLite backup", async () => {
      const { DatabaseSync, backup } = await import("node:sqlite");
      await backup(new DatabaseSync(":memory:"), path);
    });
    await attempt(`SQLite temporary files in ${place}`, async () => {
      const { DatabaseSync } = await import("node:sqlite");
      const database = new DatabaseSync(":memory:");
      database.exec(
        `pragma temp_store_directory='${place}'; pragma temp_store=1; pragma temp.cache_size=5; create temp table t(x)`,
      );
      const insert = database.prepare("insert into temp.t values (zeroblob(100000))");
      database.exec("begin");
      for (let i = 0; i < 100; i++) insert.run();
      // 10 MB do not fit its cache.
      return true;
    });
    await attempt("error report", () => ops.op_desktop_send_error_report?.(path, mark));
    await attempt(
      "error report by URL",
      () => ops.op_desktop_send_error_report?.(`file://${path}`, mark),
    );
  }
  await attempt("Cache API", async () => {
    const cache = await caches.open("probe");
    await cache.put("https://probe.test/", new Response(mark));
    return await (await cache.match("https://probe.test/")).text();
  });
  await attempt("local storage", () => {
    localStorage.setItem("probe", mark);
    return localStorage.getItem("probe");
  });
  await attempt("KV store", async () => (await Deno.openKv?.()) !== undefined);
  await attempt("npm", async () => Object.keys(await import(`npm:${"left-pad"}@1.3.0`)));
}

async function reachOut() {
  const net = await import("node:net");
  const http = await import("node:http");
  const http2 = await import("node:http2");
  const tls = await import("node:tls");
  const dgram = await import("node:dgram");
  const opened = (socket, event = "connect") =>
    new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on(event, () => resolve(true));
    });
  const local = { hostname: "127.0.0.1", port: tcpPort };
  await attempt("Deno.connect", async () => (await Deno.connect(local)).close() ?? true);
  await attempt("net.connect", () => opened(net.connect(tcpPort, "127.0.0.1")));
  await attempt("http", () => opened(http.get({ host: "127.0.0.1", port: tcpPort }), "response"));
  await attempt("http2", () => opened(http2.connect(`http://127.0.0.1:${tcpPort}`)));
  await attempt("tls", () => opened(tls.connect(tcpPort, "127.0.0.1"), "secureConnect"));
  await attempt("fetch", async () => (await fetch(`http://127.0.0.1:${tcpPort}/`)).ok);
  await attempt("WebSocket", () => {
    const socket = new WebSocket(`ws://127.0.0.1:${tcpPort}`);
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve(true);
      socket.onerror = () => reject(new Error("refused"));
    });
  });
  await attempt("EventSource", () => new EventSource(`http://127.0.0.1:${tcpPort}/`).close());
  await attempt("import by http", () => import(`http://127.0.0.1:${tcpPort}/x.js`));
  await attempt("Deno.listen", () => Deno.listen({ port: 0 }).close() ?? true);
  await attempt("Deno.serve", () => void Deno.serve({ port: 0 }, () => new Response()));
  await attempt("net.listen", () => opened(net.createServer().listen(0), "listening"));
  await attempt("UDP through node", () =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket("udp4");
      socket.on("error", reject);
      socket.send(mark, udpPort, "127.0.0.1", (error) => error ? reject(error) : resolve(true));
    }));
  await attempt("UDP through Deno", async () => {
    const socket = Deno.listenDatagram?.({ transport: "udp", port: 0 });
    return await socket?.send(new TextEncoder().encode(mark), {
      transport: "udp",
      hostname: "127.0.0.1",
      port: udpPort,
    }) > 0;
  });
  await attempt(
    "QUIC",
    () => Deno.QuicEndpoint !== undefined && new Deno.QuicEndpoint().addr !== undefined,
  );
  for (const path of [socketPath, `\0${abstractName}`]) {
    await attempt(
      "Unix socket",
      async () => (await Deno.connect({ transport: "unix", path })).close() ?? true,
    );
    await attempt("Unix socket through node", () => opened(net.connect(path)));
    await attempt(
      "Unix socket through http",
      () => opened(http.get({ socketPath: path }), "response"),
    );
  }
  await attempt(
    "listen on a Unix socket",
    () => Deno.listen({ transport: "unix", path: `${folder}/socket` }).close() ?? true,
  );
  await attempt("inspector", async () => {
    const inspector = await import("node:inspector");
    inspector.open(0, "127.0.0.1");
    return typeof inspector.url() === "string";
  });
  await attempt(
    "op_net_connect_tcp",
    async () => await ops.op_net_connect_tcp?.(local, 0) !== undefined,
  );
  for (let fd = 3; fd < 100; fd++) {
    await attempt(`descriptor ${fd}`, () => {
      const socket = new net.Socket({ fd });
      socket.on("error", () => {});
      // A pipe or socket of this process does not lead out; a file would be.
      return fs.fstatSync(fd).isFile() &&
        fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(outside);
    });
  }
}

async function touchProcesses() {
  for (const pid of [victim, process.ppid, -victim]) {
    for (const signal of ["SIGTERM", "SIGKILL", "SIGSTOP", "SIGUSR1"]) {
      if (pid !== victim && signal !== "SIGUSR1") continue;
      await attempt("process.kill", () => process.kill(pid, signal));
      await attempt("Deno.kill", () => Deno.kill(pid, signal) ?? true);
      await attempt("op_kill", () => ops.op_kill?.(pid, signal, "Deno.kill()"));
      await attempt(
        "op_node_process_kill",
        () => ops.op_node_process_kill?.(pid, os.constants.signals[signal]),
      );
    }
  }
  await attempt("process._debugProcess", () => process._debugProcess?.(victim));
  await attempt("os.setPriority", () => os.setPriority(victim, 19) ?? true);
  await attempt(
    "spawn",
    async () => (await import("node:child_process")).spawnSync("/bin/true").status === 0,
  );
  await attempt("fork", async () => {
    const child = (await import("node:child_process")).fork("/dev/null");
    return await new Promise((resolve, reject) =>
      child.on("error", reject).on("exit", () => resolve(true))
    );
  });
  await attempt("Deno.Command", () => new Deno.Command("/bin/true").outputSync().success);
  await attempt(
    "this program",
    () => new Deno.Command("/proc/self/exe", { args: ["--version"] }).outputSync().success,
  );
  await attempt(
    "op_spawn_child",
    () =>
      ops.op_spawn_child?.({
        cmd: "/bin/true",
        args: [],
        clearEnv: false,
        env: [],
        stdin: "null",
        stdout: "null",
        stderr: "null",
        extraStdio: [],
        detached: false,
        needsNpmProcessState: false,
      }, "x") !== undefined,
  );
  await attempt("execve", () => process.execve?.("/bin/true", ["true"], {}));
  await attempt(
    "FFI",
    () =>
      Deno.dlopen("/lib/x86_64-linux-gnu/libc.so.6", {
        getpid: { parameters: [], result: "i32" },
      }) !== undefined,
  );
  await attempt(
    "FFI in a worker",
    () =>
      resultOf(
        new Worker(
          `data:text/javascript,${
            encodeURIComponent(
              `try { Deno.dlopen("/lib/x86_64-linux-gnu/libc.so.6", { getpid: { parameters: [], result: "i32" } }); postMessage(true) } catch (e) { postMessage(e.message) }`,
            )
          }`,
          { type: "module", deno: { permissions: { ffi: true } } },
        ),
      ),
  );
  await attempt(
    "op_ffi_load",
    () => ops.op_ffi_load?.({ path: "/lib/x86_64-linux-gnu/libc.so.6", symbols: {} }) !== undefined,
  );
  await attempt(
    "addon",
    () => process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6") ?? true,
  );
  await attempt("SQLite extension", async () => {
    const { DatabaseSync } = await import("node:sqlite");
    new DatabaseSync(":memory:", { allowExtension: true }).loadExtension(
      "/lib/x86_64-linux-gnu/libc.so.6",
    );
    return true;
  });
}

async function lookAround() {
  await attempt("environment", () => Deno.inspect(Deno.env.toObject()));
  await attempt("process.env", () => Deno.inspect({ ...process.env }));
  for (const name of ["MSP_OTHER", "HOME", "PATH", "DENO_DIR"]) {
    await attempt(`variable ${name}`, () => Deno.env.get(name));
    await attempt(`op_get_env ${name}`, () => ops.op_get_env_no_permission_check?.(name));
    await attempt(`os op ${name}`, () => ops.op_get_env?.(name));
  }
  for (const pid of ["self", process.ppid, victim, 1]) {
    for (const name of ["environ", "cmdline", "maps", "mem", "fd", "status", "root", "cwd"]) {
      const path = `/proc/${pid}/${name}`;
      if (pid === "self" && name !== "environ") continue;
      await attempt(`read ${path}`, () => fs.readFileSync(path, "utf8"));
      if (pid !== "self") await attempt(`list ${path}`, () => fs.readdirSync(path).length > 0);
    }
  }
  await attempt("list processes", () => fs.readdirSync("/proc").length > 0);
  for (
    const place of [
      "/",
      outside,
      `${outside}/sec`,
      `${outside}/config`,
      "/etc",
      "/root",
      "/home",
      "/tmp",
    ]
  ) {
    await attempt(`Deno.readDir ${place}`, () => [...Deno.readDirSync(place)].length > 0);
    await attempt(`fs.readdir ${place}`, () => fs.readdirSync(place).length > 0);
    await attempt(`fs.opendir ${place}`, () => fs.opendirSync(place).readSync() !== null);
    await attempt(`fs.glob ${place}`, () => [...fs.globSync(`${place}/*`)].length > 0);
    await attempt(`watch ${place}`, () => Deno.watchFs(place).close() ?? true);
    await attempt(`fs.watch ${place}`, () => {
      const watcher = fs.watch(place);
      return new Promise((resolve, reject) => {
        watcher.on("error", reject);
        watcher.on("change", () => resolve(true));
      });
    });
  }
}

/** Reads one file in the ways that need no worker: what can be tried while a module loads. */
export async function look() {
  const [file] = files;
  for (const [way, read] of Object.entries(READERS)) {
    if (!way.includes("worker")) await attempt(`${way} ${file}`, () => read(file));
  }
  await attempt("process.kill", () => process.kill(victim, "SIGTERM"));
  return found;
}

/** Tries everything. */
export async function entry_call() {
  await lookAround();
  await readFiles();
  await followLinks();
  await writeElsewhere();
  await reachOut();
  await touchProcesses();
  return found;
}
