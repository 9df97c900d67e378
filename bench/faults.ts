/**
 * @module
 * What can happen to a running server, for the soak test: each fault begins, lasts a while, and ends.
 */
import { join } from "node:path";
import { childrenOf, openDescriptors } from "./processes.ts";
import { removeOnSignal } from "./tool.ts";

/** What a fault works on. */
export interface FaultTools {
  /** Working folder of the server. */
  readonly home: string;
  readonly pid: number;
  readonly port: number;
  /** How long a fault that lasts goes on. */
  readonly lastsMs: number;
  /** Marks the end of the server's log. @returns what waits until the lines after the mark match. */
  readonly markLog: () => (pattern: RegExp) => Promise<void>;
}

/**
 * Lines by which a server says that it could not accept connections on a port, and that it does again. The
 * runtime may tell late of the first, and of the admin address at another time.
 */
function listensAgain(port: number): RegExp {
  const stopped = `Stopped listening on \\S+:${port}:`;
  return new RegExp(`${stopped}[^]*Listening again on \\S+:${port}\n(?![^]*${stopped})`);
}

/** A fault. */
export interface Fault {
  readonly name: string;
  /** Resolves when the cause is gone. */
  readonly inject: (tools: FaultTools) => Promise<void>;
}

/** A module that works. */
export const GOOD_MODULE = "export const entry_call = () => 'fine';\n";

/** Waits. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Runs a command. @returns whether it succeeded. */
export async function succeeds(...line: string[]): Promise<boolean> {
  const [program = "", ...args] = line;
  const { success } = await new Deno.Command(program, { args, stdout: "null", stderr: "null" })
    .output();
  return success;
}

/** Every fault; {@link FULL_DISK} needs a file system of its own. */
export const FAULTS: readonly Fault[] = [
  {
    name: "50 signals to reload",
    async inject({ pid }): Promise<void> {
      for (let i = 0; i < 50; i++) {
        Deno.kill(pid, "SIGHUP");
        await pause(10);
      }
    },
  },
  {
    name: "killed function processes",
    async inject({ pid }): Promise<void> {
      for (let i = 0; i < 3; i++) {
        for (const child of await childrenOf(pid)) killIfThere(child);
        await pause(300);
      }
    },
  },
  {
    name: "a module that does not load",
    async inject({ home, lastsMs }): Promise<void> {
      await Deno.writeTextFile(join(home, "modules/flaky.js"), "export const entry_call = (;\n");
      await pause(lastsMs);
      await Deno.writeTextFile(join(home, "modules/flaky.js"), GOOD_MODULE);
    },
  },
  {
    name: "a module that is gone",
    async inject({ home, lastsMs }): Promise<void> {
      await Deno.remove(join(home, "modules/alone.js"));
      await pause(lastsMs / 4);
      await Deno.writeTextFile(join(home, "modules/alone.js"), GOOD_MODULE);
    },
  },
  { name: "a deleted log", inject: ({ home }) => removeFiles(join(home, "log"), /./) },
  { name: "a deleted journal", inject: ({ home }) => removeFiles(home, /journal/) },
  {
    name: "no file descriptors",
    async inject({ pid, port, lastsMs, markLog }): Promise<void> {
      const waitForLog = markLog();
      // Some are left: those that the burst of connections takes.
      const limit = await openDescriptors(pid) + 8;
      if (!await succeeds("prlimit", `--pid=${pid}`, `--nofile=${limit}:`)) {
        throw new Error("prlimit cannot change the limit");
      }
      const connections = await openConnections(port, 40);
      await pause(Math.min(lastsMs, 5000));
      for (const connection of connections) connection.close();
      await succeeds("prlimit", `--pid=${pid}`, "--nofile=65536:");
      await waitForLog(listensAgain(port));
    },
  },
];

/** For a server whose folder is a small file system of its own. */
export const FULL_DISK: Fault = {
  name: "a full disk",
  async inject({ home, lastsMs }): Promise<void> {
    await succeeds("dd", "if=/dev/zero", `of=${join(home, "filler")}`, "bs=64k");
    await pause(lastsMs / 2);
    await Deno.remove(join(home, "filler"));
  },
};

/** Puts a small file system in place of a folder. @returns what removes it, if that is possible here. */
export async function mountSmallDisk(
  path: string,
  megabytes: number,
): Promise<(() => void) | undefined> {
  await Deno.mkdir(path, { recursive: true });
  const options = `size=${megabytes}m,mode=755`;
  if (!await succeeds("mount", "-t", "tmpfs", "-o", options, "tmpfs", path)) return undefined;
  const unmount = (): void => void new Deno.Command("umount", { args: ["-l", path] }).outputSync();
  const release = removeOnSignal(unmount);
  return () => {
    unmount();
    release();
  };
}

function killIfThere(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}

async function openConnections(port: number, count: number): Promise<Deno.Conn[]> {
  const opening = Array.from(
    { length: count },
    () => Deno.connect({ hostname: "127.0.0.1", port }),
  );
  const outcomes = await Promise.allSettled(opening);
  return outcomes.flatMap((each) => each.status === "fulfilled" ? each.value : []);
}

/** Removes the files of a folder, and of those in it, whose names match. */
async function removeFiles(folder: string, pattern: RegExp): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) await removeFiles(path, pattern);
    else if (pattern.test(name)) await Deno.remove(path).catch(() => {});
  }
}

/** The newest file below a folder whose name matches; `undefined` when there is none. */
export async function newestFile(
  folder: string,
  pattern: RegExp,
): Promise<{ path: string; time: number } | undefined> {
  let newest: { path: string; time: number } | undefined;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    const found = isDirectory
      ? await newestFile(path, pattern)
      : pattern.test(name)
      ? { path, time: (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime() ?? 0 }
      : undefined;
    if (found !== undefined && found.time >= (newest?.time ?? 0)) newest = found;
  }
  return newest;
}
