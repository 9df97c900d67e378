/**
 * @module
 * Invites of the real program, for tests: links, clients that join by the library, and the processes that
 * register them.
 */
import { join, type Joined, type JoinOptions } from "../client/join.ts";
import { memoryProfiles } from "./memory_profiles.ts";
import { mspOk, run, type ServerProcess, type TempFolder } from "./program.ts";

/** Makes an invite, and gives its link. */
export async function invite(
  folder: TempFolder,
  url: string,
  args: readonly string[] = [],
): Promise<string> {
  const origin = new URL(url).origin;
  return (await mspOk(["invite", ...args, "--url", origin], { cwd: folder.path })).trim();
}

/** Joins with the library; profiles are kept in memory. */
export async function joinBy(
  link: string,
  options: Partial<JoinOptions> = {},
): Promise<Joined> {
  return await join(link, { profiles: memoryProfiles(), ...options });
}

/** What `msp invites --json` says of an invite. */
export interface ListedInvite {
  readonly id: string;
  readonly state: string;
  readonly uses_left: number;
  readonly clients: readonly {
    readonly public_key: string;
    readonly file: string;
    readonly address: string;
    readonly at: string;
  }[];
}

/** What `msp invites --json` says. */
export async function listed(folder: TempFolder): Promise<ListedInvite[]> {
  return JSON.parse(await mspOk(["invites", "--json"], { cwd: folder.path }));
}

/** Holds the lock of a key store: whatever registers a client waits for it. */
export async function holdLock(folder: TempFolder): Promise<{ [Symbol.dispose](): void }> {
  const file = await Deno.open(folder.join("sec/.lock"), { create: true, write: true });
  await file.lock(true);
  return { [Symbol.dispose]: () => file.close() };
}

/** Waits until a server has a process that registers a client, and gives its number. */
export async function registrationOf(server: ServerProcess): Promise<number> {
  const line = ["ps", "-o", "pid=,args=", "--ppid", String(server.pid)];
  for (const begin = performance.now(); performance.now() - begin < 20_000;) {
    const { out } = await run(line, { cwd: "/" });
    const [, pid] = /^ *(\d+) .*register-client/m.exec(out) ?? [];
    if (pid !== undefined) return Number(pid);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("no client is being registered");
}
