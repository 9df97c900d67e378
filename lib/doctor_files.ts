/**
 * @module
 * What may be wrong with the files that a server writes: log and state. `sudo msp serve`, once, leaves
 * files that the server's own user cannot write.
 */
import { join } from "node:path";
import type { Settings } from "./config/settings.ts";
import { reasonOf } from "./errors.ts";
import type { Finding } from "./keys/findings.ts";
import { serverKeyPath } from "./keys/server_keys.ts";

/** Checks owners, modes and access; changes nothing. What is missing is created by a server. */
export async function checkFiles(
  { store, stateFolder }: Settings,
  log: string,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const info = await statOf(log);
  if (((info?.mode ?? 0) & 0o002) !== 0) {
    findings.push(wrong(`${log} can be written by everybody`, `chmod o-w ${log}`));
  }
  const owner = await statOf(serverKeyPath(store, "server"));
  for (const folder of [log, stateFolder]) {
    for (const path of await filesIn(folder)) {
      const finding = await checkAccess(path) ?? await checkOwner(path, owner);
      if (finding !== undefined) findings.push(finding);
    }
  }
  return findings;
}

/** A folder and the files in it; nothing when it is missing. */
async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return [
      folder,
      ...entries.filter(({ isFile }) => isFile).map(({ name }) => join(folder, name)),
    ];
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? [] : [folder];
  }
}

async function checkAccess(path: string): Promise<Finding | undefined> {
  try {
    const { isDirectory } = await Deno.stat(path);
    // Opening for appending changes nothing.
    if (isDirectory) await Array.fromAsync(Deno.readDir(path));
    else (await Deno.open(path, { append: true })).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) return undefined;
    return wrong(`${path}: ${reasonOf(error)}`, `give it to the server's user: chown USER ${path}`);
  }
}

async function checkOwner(
  path: string,
  owner: Deno.FileInfo | undefined,
): Promise<Finding | undefined> {
  const uid = (await statOf(path))?.uid ?? null;
  if (uid === null || owner === undefined || owner.uid === null || uid === owner.uid) {
    return undefined;
  }
  const what = `${path} belongs to user ${uid}, and server.key to user ${owner.uid}`;
  return { level: "note", what, remedy: `chown ${owner.uid}:${owner.gid} ${path}` };
}

async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  return await Deno.stat(path).catch(() => undefined);
}

function wrong(what: string, remedy: string): Finding {
  return { level: "wrong", what, remedy };
}
