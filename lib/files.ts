/**
 * @module
 * Durable, atomic file operations: a reader sees the old content or the new one, never a part, and
 * what was reported as written survives a power cut. Every change goes through a temporary file
 * in the same folder, then fsync of file and folder.
 */
import { basename, dirname, join } from "node:path";
import { isBusy, isUnsupported, reasonOf, StoreError } from "./errors.ts";
import { keepOwner } from "./owner.ts";

/** What a file is written with. */
export interface WriteOptions {
  /** Permission bits; the process's umask may take some away. */
  readonly mode: number;
}

/** Only the owner reads private keys and secrets. */
export const PRIVATE_MODE = 0o600;
/** Public keys are for everybody. */
export const PUBLIC_MODE = 0o644;

/** How long a command waits for another one that holds the lock. */
const LOCK_TIMEOUT_MS = 10_000;

/**
 * Replaces a file's content, or makes the file. Owner and group of what it replaces stay (of the
 * folder, for a new file) where the process may set them, so that `root` can administer a store that the
 * server reads as another user.
 *
 * @throws {Deno.errors} whatever the file system says, FilesystemLoop for a symbolic link; then the
 * old content is untouched.
 */
export async function replaceFile(
  path: string,
  text: string,
  { mode }: WriteOptions,
): Promise<void> {
  // Renaming over a link would cut what it leads to off, writing through it would change who knows what.
  if (await isLink(path)) throw new Deno.errors.FilesystemLoop(path);
  const temporary = await writeTemporary(path, text, mode);
  try {
    await Deno.rename(temporary, path);
  } catch (error) {
    await removeIfThere(temporary);
    throw isBusy(error) ? mountedFile(path, error) : error;
  }
  await syncFolder(dirname(path));
}

/** A file that is a mount of its own, as containers have them, cannot be replaced in one step. */
function mountedFile(path: string, cause: Error): StoreError {
  return new StoreError(`Cannot replace ${path}: it is a mount of its own`, {
    cause,
    hint: `mount its folder ${dirname(path)} instead of the file`,
  });
}

/**
 * Makes a file that must not exist yet, complete from its first moment on (a hard link of the
 * finished temporary file is the atomic step).
 *
 * @throws {Deno.errors.AlreadyExists} when something stands there, untouched.
 */
export async function createFile(
  path: string,
  text: string,
  { mode }: WriteOptions,
): Promise<void> {
  const temporary = await writeTemporary(path, text, mode);
  try {
    await Deno.link(temporary, path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    await createWithoutLink(path, text, mode);
  } finally {
    await removeIfThere(temporary);
  }
  await syncFolder(dirname(path));
}

/** For file systems without hard links: exclusive, durable, but a crash can leave it half written. */
async function createWithoutLink(path: string, text: string, mode: number): Promise<void> {
  const info = await writeNew(path, text, mode);
  await keepOwner({ path, info }, [dirname(path)]);
}

/** Removes a file; that it is not there is fine. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Makes renames, links and removals in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  // Windows has no way to open a folder; its file systems journal the entry themselves.
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(path === "" ? "." : path);
  try {
    await folder.sync();
  } catch (error) {
    // CIFS, VirtualBox's shared folders and some FUSE file systems cannot sync a folder.
    if (!isUnsupported(error)) throw error;
  }
}

/**
 * Makes a folder and those above it where absent. Only the last one gets the mode.
 *
 * @returns whether it had to be made.
 * @throws {Deno.errors} when it cannot be made or a file stands there.
 */
export async function ensureFolder(path: string, mode: number): Promise<boolean> {
  if (await isFolder(path)) return false;
  const parent = dirname(path);
  // A running server may create its own folder again, but none of those above.
  if (parent !== path && !await isFolder(parent)) await Deno.mkdir(parent, { recursive: true });
  try {
    await Deno.mkdir(path, { mode });
  } catch (error) {
    // Another command may have made it in the meantime.
    if (error instanceof Deno.errors.AlreadyExists && await isFolder(path)) return false;
    throw error;
  }
  await keepOwner({ path, info: await Deno.lstat(path) }, [parent]);
  return true;
}

/** Whether a folder stands at the path (or a link to one). */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await Deno.lstat(path)).isSymlink;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether anything stands at the path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Runs an action while holding the exclusive lock file `.lock` of a folder. The lock is the
 * operating system's: it ends with the process, however that ends.
 *
 * @throws {StoreError} when another process holds it for more than 10 s, or the file system has no
 * locks.
 */
export async function withLock<T>(folder: string, action: () => Promise<T>): Promise<T> {
  const path = join(folder, ".lock");
  const lock = await acquireLock(path, LOCK_TIMEOUT_MS);
  if (typeof lock === "string") {
    const seconds = LOCK_TIMEOUT_MS / 1000;
    throw new StoreError(
      `Cannot change ${folder}: ${lock} has held ${path} for more than ${seconds} s`,
      { hint: "let that command finish, or end it, then try again" },
    );
  }
  await using held = lock;
  await held.describe();
  return await action();
}

/** A lock that this process holds. */
export class HeldLock {
  readonly #file: Deno.FsFile;
  readonly path: string;

  constructor(file: Deno.FsFile, path: string) {
    this.#file = file;
    this.path = path;
  }

  /** Writes who holds the lock: the number of this process on the first line, then further lines. */
  async describe(lines: readonly string[] = []): Promise<void> {
    const text = [String(Deno.pid), ...lines].map((line) => `${line}\n`).join("");
    await this.#file.truncate();
    await this.#file.seek(0, Deno.SeekMode.Start);
    await this.#file.write(new TextEncoder().encode(text));
  }

  /** Whether the file is still at its path: another process can lock one that took its place. */
  async isInPlace(): Promise<boolean> {
    const own = await this.#file.stat();
    const found = await Deno.lstat(this.path).catch(() => undefined);
    return found !== undefined && found.ino === own.ino && found.dev === own.dev;
  }

  /** Gives the lock back. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.unlock();
    this.#file.close();
  }
}

/**
 * Locks a file, which is created where absent.
 *
 * @returns the lock, or who holds it when that is still another process after the time.
 * @throws {StoreError} when the file system has no locks, or something else is at the path.
 * @throws {Deno.errors} when the file cannot be created.
 */
export async function acquireLock(path: string, timeoutMs: number): Promise<HeldLock | string> {
  const file = await openLockFile(path);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<"timeout">((resolve) => {
    timer = setTimeout(() => resolve("timeout"), timeoutMs);
  });
  try {
    if (await Promise.race([file.lock(true), timeout]) === "timeout") {
      const [pid = ""] = await readLock(path);
      file.close();
      return /^\d{1,10}$/.test(pid) ? `process ${pid}` : "another command";
    }
  } catch (error) {
    file.close();
    throw new StoreError(`Cannot lock ${path}: ${reasonOf(error)}`, {
      cause: error,
      hint: "some network drives have no locks; use a folder on a local disk",
    });
  } finally {
    clearTimeout(timer);
  }
  return new HeldLock(file, path);
}

/** What the holder of a lock wrote into its file, line by line. */
export async function readLock(path: string): Promise<string[]> {
  return (await Deno.readTextFile(path).catch(() => "")).trim().split("\n");
}

/** Opens a lock file, but nothing that a link at its path leads to. */
async function openLockFile(path: string): Promise<Deno.FsFile> {
  try {
    const file = await Deno.open(path, { createNew: true, write: true, mode: 0o600 });
    await keepOwner({ path, info: await file.stat() }, [dirname(path)]);
    return file;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const found = await Deno.lstat(path);
  const file = found.isFile ? await Deno.open(path, { write: true }) : undefined;
  const opened = await file?.stat();
  if (file !== undefined && opened?.ino === found.ino && opened.dev === found.dev) return file;
  file?.close();
  throw new StoreError(`Cannot lock ${path}: it is not a plain file`, {
    hint: `remove ${path}`,
  });
}

async function writeTemporary(path: string, text: string, mode: number): Promise<string> {
  const random = crypto.randomUUID().slice(0, 8);
  const temporary = join(dirname(path), `.${basename(path)}.${random}.tmp`);
  try {
    const info = await writeNew(temporary, text, mode);
    await keepOwner({ path: temporary, info }, [path, dirname(path)]);
  } catch (error) {
    await removeIfThere(temporary).catch(() => {});
    throw error;
  }
  return temporary;
}

async function writeNew(path: string, text: string, mode: number): Promise<Deno.FileInfo> {
  using file = await Deno.open(path, { createNew: true, write: true, mode });
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  await file.syncData();
  return await file.stat();
}
