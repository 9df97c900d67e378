/**
 * @module
 * Profiles in files, for Deno, Node and Bun: one JSON file a profile, readable by its owner only, in
 * `$XDG_CONFIG_HOME/msp/` (`~/.config/msp/` without that variable).
 */
import { constants } from "node:fs";
import { chmod, copyFile, link, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { env, platform } from "node:process";
import {
  checkName,
  type Profile,
  ProfileError,
  profileFrom,
  type ProfileStore,
} from "./profile.ts";

const ENDING = ".json";
/** A profile has some 200 bytes; what is much larger is something else. */
const MAX_BYTES = 64 * 1024;

/**
 * The profiles in a folder.
 *
 * @param folder where they are; the user's own without
 * @throws {ProfileError} when there is no folder of the user
 */
export function fileProfiles(folder: string = userFolder()): ProfileStore {
  const pathOf = (name: string): string => join(folder, checkName(name) + ENDING);
  return {
    async load(name): Promise<Profile> {
      return await readProfile(pathOf(name), name);
    },

    async save(name, profile, { replace = false } = {}): Promise<void> {
      const path = pathOf(name);
      const kept = profileFrom(profile);
      try {
        await makeFolder(folder);
        await write(path, `${JSON.stringify(kept, null, 2)}\n`, replace);
      } catch (cause) {
        if (codeOf(cause) === "EEXIST") {
          throw new ProfileError(`Cannot write ${path}: it exists already`, { cause });
        }
        throw new ProfileError(`Cannot write ${path}: ${reasonOf(cause)}`, { cause });
      }
      if (JSON.stringify(await readProfile(path, name)) === JSON.stringify(kept)) return;
      throw new ProfileError(`Cannot use ${path}: it does not hold what was written`);
    },

    async list(): Promise<string[]> {
      const names = await readdir(folder).catch((error) => {
        if (codeOf(error) === "ENOENT") return [];
        throw new ProfileError(`Cannot read ${folder}: ${reasonOf(error)}`, { cause: error });
      });
      return names.filter((name) => name.endsWith(ENDING) && !name.startsWith("."))
        .map((name) => name.slice(0, -ENDING.length)).sort();
    },

    async remove(name): Promise<void> {
      await rm(pathOf(name), { force: true });
    },
  };
}

function userFolder(): string {
  const config = env["XDG_CONFIG_HOME"];
  // A relative path there is not valid (XDG Base Directory Specification).
  if (config?.startsWith("/")) return join(config, "msp");
  const home = env["HOME"] ?? env["USERPROFILE"];
  if (home !== undefined && home !== "") return join(home, ".config", "msp");
  throw new ProfileError("Cannot find the folder of profiles: HOME is not set");
}

async function readProfile(path: string, name: string): Promise<Profile> {
  let text: string;
  try {
    text = await readOwn(path);
  } catch (cause) {
    if (cause instanceof ProfileError) throw cause;
    if (codeOf(cause) === "ENOENT") {
      throw new ProfileError(`Cannot find profile ${name}: ${path} is not there`, { cause });
    }
    throw new ProfileError(`Cannot read ${path}: ${reasonOf(cause)}`, { cause });
  }
  try {
    return profileFrom(JSON.parse(text));
  } catch (error) {
    // What JSON.parse says repeats a part of the text, which holds a secret.
    const why = error instanceof TypeError ? error.message : "Cannot use profile: it is not JSON";
    throw new ProfileError(`${why} (${path})`);
  }
}

/** The text of a file that others cannot read. */
async function readOwn(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY);
  try {
    const { mode, size } = await file.stat();
    if (platform !== "win32" && (mode & 0o077) !== 0) {
      throw new ProfileError(`Cannot use ${path}: other users can read it`, {
        hint: `chmod 600 ${path}`,
      });
    }
    if (size > MAX_BYTES) throw new ProfileError(`Cannot use ${path}: ${size} bytes, no profile`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    // What is there is not a folder.
    if (codeOf(error) !== "EEXIST") throw error;
    throw Object.assign(new Error("not a folder", { cause: error }), { code: "ENOTDIR" });
  }
}

/** Writes a file whole: a temporary one beside it becomes it in one step. */
async function write(path: string, text: string, replace: boolean): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    // The umask may have taken more away than others' rights.
    await chmod(temporary, 0o600);
    if (replace) await rename(temporary, path);
    else await become(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Gives a file another name, which must be free. */
async function become(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw error;
    // Not every file system has hard links.
    await copyFile(temporary, path, constants.COPYFILE_EXCL);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function reasonOf(error: unknown): string {
  const reasons: Readonly<Record<string, string>> = {
    EACCES: "the operating system denies access",
    EPERM: "the operating system denies access",
    EISDIR: "it is a folder",
    ENOTDIR: "a part of the path is not a folder",
    ENOSPC: "the disk is full",
    EROFS: "the file system is read-only",
  };
  const code = codeOf(error);
  return reasons[code] ?? (code || (error instanceof Error ? error.name : "unknown error"));
}
