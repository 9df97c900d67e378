/**
 * @module
 * The state folder: what must outlive a restart and belongs to one server alone. Its lock file tells
 * whether a server runs, and which. A second server with the same state would accept each request once
 * more.
 */
import { join, resolve } from "node:path";
import { ConfigError, MspError, reasonOf } from "./errors.ts";
import { acquireLock, ensureFolder, HeldLock, readLock } from "./files.ts";
import type { Observer } from "./observer.ts";

const FOLDER_MODE = 0o700;
const LOCK_NAME = "server.lock";
/** A server that was told to stop may still hold the lock for a moment. */
const LOCK_TIMEOUT_MS = 2000;
/** To find out whether a server runs, this is enough. */
const PROBE_MS = 200;
/** Time between two checks whether the lock file is still there. */
const CHECK_MS = 2000;
const HINT = "set [Server] Statepath in config.ini to a folder that the server can write to";

/** How a state folder is kept. */
export interface StateFolderOptions {
  readonly observer: Pick<Observer, "fault" | "recovered">;
  readonly checkMs?: number;
}

/** The state folder of this server. */
export class StateFolder {
  readonly path: string;
  /** Whether the folder had to be created. */
  readonly wasMade: boolean;
  readonly #options: StateFolderOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #lock: HeldLock | undefined;
  #lines: readonly string[] = [];
  #isFailing = false;
  #checking: Promise<void> = Promise.resolve();

  private constructor(path: string, { lock, wasMade }: TakenLock, options: StateFolderOptions) {
    this.path = path;
    this.wasMade = wasMade;
    this.#lock = lock;
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#checking = this.#check();
    }, options.checkMs ?? CHECK_MS);
  }

  /**
   * Takes a state folder, which is created where absent (mode 0700).
   *
   * @throws {ConfigError} when it cannot be used, or another server uses it.
   */
  static async open(path: string, options: StateFolderOptions): Promise<StateFolder> {
    return new StateFolder(path, await takeLock(path), options);
  }

  /** Notes for other commands where and what this server is. */
  async describe({ url, version, admin }: ServerDescription): Promise<void> {
    this.#lines = [url, version, ...admin === undefined ? [] : [admin]];
    await this.#lock?.describe(this.#lines);
  }

  /** Gives the folder back. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#checking;
    await this.#lock?.[Symbol.asyncDispose]();
  }

  /** When somebody removed the lock file, or the folder, both are created again. */
  async #check(): Promise<void> {
    if (await this.#lock?.isInPlace()) return;
    const { observer } = this.#options;
    try {
      await this.#lock?.[Symbol.asyncDispose]();
      this.#lock = undefined;
      this.#lock = (await takeLock(this.path)).lock;
      await this.#lock.describe(this.#lines);
      observer.recovered("state", `${join(this.path, LOCK_NAME)} was removed, and created again`);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) {
        observer.fault("state", error instanceof MspError ? error.message : reasonOf(error));
      }
      this.#isFailing = true;
    }
  }
}

interface TakenLock {
  readonly lock: HeldLock;
  readonly wasMade: boolean;
}

async function takeLock(folder: string): Promise<TakenLock> {
  let lock: HeldLock | string, wasMade: boolean;
  try {
    wasMade = await ensureFolder(folder, FOLDER_MODE);
    lock = await acquireLock(join(folder, LOCK_NAME), LOCK_TIMEOUT_MS);
  } catch (error) {
    const state = error instanceof MspError
      ? error.message
      : `Cannot use the state folder ${resolve(folder)}: ${reasonOf(error)}`;
    throw new ConfigError(state, { cause: error, hint: HINT });
  }
  if (typeof lock !== "string") {
    await lock.describe();
    return { lock, wasMade };
  }
  throw new ConfigError(`Cannot use ${resolve(folder)}: another server (${lock}) uses it`, {
    hint:
      "stop that server; two servers with the same clients would accept each request twice. Replicas of " +
      "a [Cluster] need a folder each: set MSP_STATEPATH",
  });
}

/** What a server says of itself. */
export interface ServerDescription {
  /** Its endpoint. */
  readonly url: string;
  readonly version: string;
  /** Origin of its admin listener, where it has one. */
  readonly admin?: string | undefined;
}

/** A server that runs; it describes itself once it listens. */
export interface ServerAtWork extends Partial<ServerDescription> {
  /** For people: `process 123`. */
  readonly name: string;
  /** When it described itself. */
  readonly startedAt: Date | null;
}

/** The server that uses a state folder now, if one does. Changes nothing. */
export async function findServer(folder: string): Promise<ServerAtWork | undefined> {
  const path = join(folder, LOCK_NAME);
  const isThere = await Deno.lstat(path).then(() => true, () => false);
  const lock = isThere ? await acquireLock(path, PROBE_MS).catch(() => undefined) : undefined;
  if (lock === undefined) return undefined;
  if (typeof lock === "string") {
    const [, url, version, admin] = await readLock(path);
    const startedAt = (await Deno.stat(path).catch(() => undefined))?.mtime ?? null;
    const description = url === undefined || version === undefined ? {} : { url, version, admin };
    return { name: lock, startedAt, ...description };
  }
  await lock[Symbol.asyncDispose]();
  return undefined;
}
