/**
 * @module
 * A program that tries what a function host must not do, for stage 2 of tests/e2e/wall_stage_test.ts.
 * It runs with every permission of the runtime, so that only the kernel can refuse. Its argument is
 * a JSON object of paths and ports; it prints the outcome of each attempt: `done`, or an error's name.
 */
import { DatabaseSync } from "node:sqlite";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import process from "node:process";

/** What the attempts are about. */
export interface Targets {
  /** A file that was not granted, in a folder of its own. */
  readonly secret: string;
  /** A folder that was granted for reading, with a file `file`. */
  readonly readable: string;
  /** A folder; granted for writing or not. */
  readonly folder: string;
  readonly server: number;
  /** TCP ports of listeners: one that may have been granted, and another. */
  readonly port: number;
  readonly otherPort: number;
}

const targets: Targets = JSON.parse(Deno.args[0] ?? "{}");
const { secret, readable, folder, server, port, otherPort } = targets;
const results: Record<string, string> = {};
const within = (name: string): string => `${folder}/${name}`;

async function attempt(name: string, action: () => unknown): Promise<void> {
  try {
    const value = await action();
    results[name] = typeof value === "string" ? value : "done";
  } catch (error) {
    const { code, name: kind, message } = error as Error & { code?: string };
    const [, number] = /os error (\d+)/.exec(message) ?? [];
    const names = Object.entries(os.constants.errno).filter(([, value]) =>
      value === Number(number)
    );
    results[name] = code ?? names[0]?.[0] ?? kind;
  }
}

const libc = Deno.dlopen(
  Deno.build.arch === "x86_64"
    ? "/lib/x86_64-linux-gnu/libc.so.6"
    : "/lib/aarch64-linux-gnu/libc.so.6",
  {
    fork: { parameters: [], result: "i32" },
    _exit: { parameters: ["i32"], result: "void" },
    kill: { parameters: ["i32", "i32"], result: "i32" },
    mkfifo: { parameters: ["buffer", "u32"], result: "i32" },
    prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
    ptrace: { parameters: ["isize", "i32", "usize", "usize"], result: "isize" },
    setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    truncate: { parameters: ["buffer", "isize"], result: "i32" },
    open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
    __errno_location: { parameters: [], result: "pointer" },
  } as const,
).symbols;
const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(`${value}\0`);

/** The name of the error of a call to the C library. */
function outcome(result: number | bigint): string {
  if (Number(result) !== -1) return "done";
  const address = libc.__errno_location();
  const errno = address === null ? 0 : new Deno.UnsafePointerView(address).getInt32();
  return Object.entries(os.constants.errno).find(([, value]) => value === errno)?.[0] ?? "?";
}

async function connect(to: number): Promise<void> {
  (await Deno.connect({ hostname: "127.0.0.1", port: to })).close();
}

function inWorker(code: string): Promise<string> {
  const url = `data:text/javascript,${encodeURIComponent(code)}`;
  return new Promise((resolve) => {
    const worker = new Worker(url, { type: "module" });
    worker.onmessage = ({ data }) => {
      resolve(String(data));
      worker.terminate();
    };
  });
}

// Files that were not granted
await attempt("read a file", () => Deno.readTextFileSync(secret));
await attempt("read a file later", () => Deno.readTextFile(secret));
await attempt("read a file through node", () => fs.readFileSync(secret));
await attempt(
  "read a file in a worker",
  () =>
    inWorker(`try { Deno.readTextFileSync(${JSON.stringify(secret)}); postMessage("done") }
    catch (e) { postMessage(/os error 13/.test(e.message) ? "EACCES" : e.message) }`),
);
await attempt("import a file", () => import(`file://${secret}`, { with: { type: "json" } }));
await attempt("open a file in C", () => outcome(libc.open(text(secret), 0, 0)));
await attempt("truncate a file in C", () => outcome(libc.truncate(text(secret), 0n)));
await attempt("write a file", () => Deno.writeTextFileSync(secret, "x"));
await attempt("remove a file", () => Deno.removeSync(secret));
await attempt("list a folder", () => [...Deno.readDirSync(secret.replace(/\/[^/]*$/, ""))]);
await attempt("list the root", () => [...Deno.readDirSync("/")]);
await attempt("read passwd", () => Deno.readTextFileSync("/etc/passwd"));
await attempt("read above itself", () => Deno.readTextFileSync(`/proc/self/root${secret}`));
await attempt("write to tmp", () => Deno.makeTempFileSync({ dir: "/tmp" }));
await attempt("write to shared memory", () => Deno.makeTempFileSync({ dir: "/dev/shm" }));
await attempt("mode of a file", () => Deno.chmodSync(secret, 0o666));
await attempt("owner of a file", () => Deno.chownSync(secret, 1, 1));
await attempt("times of a file", () => Deno.utimeSync(secret, 0, 0));
await attempt("watch a file", () => Deno.watchFs(secret).close());
await attempt(
  "database of its own",
  () => new DatabaseSync(within("own.sqlite")).exec("create table t(x)"),
);

// A folder that was granted for reading
await attempt("read what was granted", () => Deno.readTextFileSync(`${readable}/file`));
await attempt("write what may be read", () => Deno.writeTextFileSync(`${readable}/file`, "x"));
await attempt(
  "truncate what may be read",
  () => outcome(libc.open(text(`${readable}/file`), 0o1000, 0)),
);
await attempt("create beside it", () => Deno.writeTextFileSync(`${readable}/new`, "x"));
await attempt("read a link out of it", () => Deno.readTextFileSync(`${readable}/link`));

// The folder of the test
await attempt("write", () => Deno.writeTextFileSync(within("a"), "text"));
await attempt("append", () => Deno.writeTextFileSync(within("a"), "text", { append: true }));
await attempt("copy", () => Deno.copyFileSync(within("a"), within("b")));
await attempt("rename", () => Deno.renameSync(within("b"), within("c")));
await attempt("make a folder", () => Deno.mkdirSync(within("sub"), { recursive: true }));
await attempt("move between folders", () => Deno.renameSync(within("c"), within("sub/c")));
await attempt("truncate", () => Deno.truncateSync(within("a"), 1));
await attempt("hard link within", () => Deno.linkSync(within("a"), within("d")));
await attempt("hard link to a secret", () => Deno.linkSync(secret, within("e")));
await attempt(
  "hard link to what may be read",
  () => Deno.linkSync(`${readable}/file`, within("f")),
);
await attempt("symbolic link", () => Deno.symlinkSync(secret, within("g")));
await attempt("symbolic link through node", () => fs.symlinkSync(secret, within("h")));
await attempt("pipe", () => outcome(libc.mkfifo(text(within("i")), 0o600)));
await attempt("socket file", () => Deno.listen({ transport: "unix", path: within("j") }).close());
await attempt("remove", () => Deno.removeSync(within("sub"), { recursive: true }));
await attempt("too large a file", () => Deno.writeFileSync(within("k"), new Uint8Array(2_000_000)));
await attempt("write-ahead log", () => {
  const database = new DatabaseSync(within("w.sqlite"));
  database.exec("pragma journal_mode=wal; create table t(x); insert into t values (1)");
  database.close();
});

// Network
await attempt("TCP", () => connect(port));
await attempt("TCP to another port", () => connect(otherPort));
await attempt("TCP through node", () =>
  new Promise((resolve, reject) => {
    const socket = net.connect(otherPort, "127.0.0.1");
    socket.on("error", reject);
    socket.on("connect", () => resolve(socket.destroy()));
  }));
await attempt("listen", () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close());
await attempt("UDP", () => outcome(libc.socket(2, 2, 0)));
await attempt("UDP over IPv6", () => outcome(libc.socket(10, 2, 0)));
await attempt("Unix socket", () => outcome(libc.socket(1, 1, 0)));
await attempt("netlink", () => outcome(libc.socket(16, 3, 0)));
await attempt("vsock", () => outcome(libc.socket(40, 1, 0)));

// Other processes
await attempt("signal to the server", () => process.kill(server, 0));
await attempt("signal to the group", () => outcome(libc.kill(0, 0)));
await attempt("signal to everybody", () => outcome(libc.kill(-1, 0)));
await attempt("signal to itself", () => outcome(libc.kill(Deno.pid, 0)));
await attempt("priority of the server", () => outcome(libc.setpriority(0, server, 1)));
await attempt("trace the server", () => outcome(libc.ptrace(16n, server, 0n, 0n)));
await attempt("environment of the server", () => Deno.readTextFileSync(`/proc/${server}/environ`));
await attempt("memory of the server", () => Deno.openSync(`/proc/${server}/mem`).close());
await attempt("descriptors of the server", () => [...Deno.readDirSync(`/proc/${server}/fd`)]);
await attempt("status of the server", () => Deno.readTextFileSync(`/proc/${server}/status`));
await attempt("list processes", () => [...Deno.readDirSync("/proc")]);
await attempt("fork", () => {
  const child = libc.fork();
  if (child === 0) libc._exit(0);
  return outcome(child);
});
await attempt("start a program", () => new Deno.Command("/bin/true").outputSync());
await attempt("start itself", () => new Deno.Command(Deno.execPath()).outputSync());
await attempt("outlive the server", () => outcome(libc.prctl(1, 0n, 0n, 0n, 0n)));

// Itself
results["environment"] = JSON.stringify(Deno.env.toObject());
results["descriptors"] = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${name}`);
  } catch {
    return "";
  }
}).filter((target) => target.startsWith("/") && !target.startsWith("/proc/")).join(" ");
results["limits"] = Deno.readTextFileSync("/proc/self/limits");
results["status"] = Deno.readTextFileSync("/proc/self/status");
results["memory"] = Deno.memoryUsage().rss > 0 ? "known" : "unknown";
results["input"] = await new Response(Deno.stdin.readable).text();
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(results)));
