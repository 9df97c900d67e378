/**
 * @module
 * Who owns files. What root creates beside a user's files goes to that user. Names are not enough for
 * that: the user of a folder can put a link in the place of a new file.
 */
import { closeSync, constants, fchownSync, fstatSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { StoreError } from "./errors.ts";

/** A file or a folder that this process has just created. */
export interface Created {
  readonly path: string;
  /** What it was when it was created. */
  readonly info: Deno.FileInfo;
}

/**
 * Gives what was created the owner of the first of the models that exists, where that is another. Nothing
 * happens when something else is at its path by now.
 */
export async function keepOwner(created: Created, models: readonly string[]): Promise<void> {
  for (const model of models) {
    const { uid = null, gid = null } = await Deno.stat(model === "" ? "." : model)
      .catch(() => ({ uid: null, gid: null }));
    if (uid === null || gid === null) continue;
    if (uid !== created.info.uid || gid !== created.info.gid) giveAway(created, { uid, gid });
    return;
  }
}

function giveAway({ path, info }: Created, { uid, gid }: { uid: number; gid: number }): void {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: number | undefined;
  try {
    file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const found = fstatSync(file);
    if (found.ino === info.ino && found.dev === info.dev) fchownSync(file, uid, gid);
  } catch {
    // Only root may give files away; everybody else keeps what they created.
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** A folder of another user in which root is at work. */
export interface ForeignFolder {
  readonly path: string;
  readonly uid: number;
}

/**
 * Finds a folder of another user, where this process is root: that user could lead each step in it to any
 * file of the system.
 *
 * @param paths folders; those that are missing count as their parents
 */
export async function findForeignFolder(
  paths: readonly string[],
): Promise<ForeignFolder | undefined> {
  if (userOfProcess() !== 0) return undefined;
  for (const path of new Set(paths.flatMap(withParents))) {
    const uid = (await Deno.stat(path).catch(() => undefined))?.uid ?? 0;
    if (uid !== 0) return { path, uid };
  }
  return undefined;
}

/**
 * Root changes nothing in a folder of another user.
 *
 * @param paths as {@link findForeignFolder}
 * @throws {StoreError} with the command to use.
 */
export async function refuseAsRoot(paths: readonly string[]): Promise<void> {
  const foreign = await findForeignFolder(paths);
  if (foreign === undefined) return;
  const { path, uid } = foreign;
  throw new StoreError(`Cannot change ${path} as root: it belongs to user ${uid}`, {
    hint: `run the command as that user: sudo -u '#${uid}' msp …`,
  });
}

/** A path and the folders above it, up to the working folder where it is below that. */
function withParents(path: string): string[] {
  const top = resolve(".");
  const paths = [resolve(path)];
  for (let last = paths[0] ?? ""; isBelow(last, top); last = dirname(last)) {
    paths.push(dirname(last));
  }
  return paths;
}

function isBelow(path: string, folder: string): boolean {
  return path !== folder && path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

/** `undefined` where that is not known: on Windows, and in processes that may not ask. */
function userOfProcess(): number | undefined {
  try {
    return Deno.uid() ?? undefined;
  } catch {
    return undefined;
  }
}
