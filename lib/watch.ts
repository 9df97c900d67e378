/**
 * @module
 * Notices changes of files by looking at them, again and again: that works on every file system and
 * through every mount, and however a file is replaced (docs/decisions/0005).
 */
import { join } from "node:path";

/** Time between two looks. */
const INTERVAL_MS = 400;
/** Time for which a change must have settled: a file may be half written when it is first seen. */
const SETTLE_MS = 50;
/** Looks after which a change that never settles is taken as it is. */
const MAX_SETTLE_LOOKS = 6;

/** Files of a folder that are looked at. */
const MAX_FILES = 10_000;

/** What is watched. */
export interface WatchOptions {
  /** What can be seen now, as a text that changes when something changes. */
  readonly look: () => Promise<string>;
  /**
   * Reloads what changed; no other look happens meanwhile. Must not reject. Where that decides what is
   * looked at, it gives what was seen of it.
   */
  readonly onChange: () => Promise<string | void>;
  /** What was seen when the present state was taken up. */
  readonly seen: string;
}

/** Watches until it is closed. */
export class Watch {
  readonly #options: WatchOptions;
  #seen: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  #running: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#seen = options.seen;
    this.#wait();
  }

  /** Resolves when a look that is under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /**
   * Reloads at once, changed or not; resolves when that is done. While one reload runs, one more waits,
   * for any number of callers.
   */
  async takeUp(): Promise<void> {
    this.#queued ??= this.#takeUpNext();
    await this.#queued;
  }

  async #takeUpNext(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
    this.#queued = undefined;
    this.#running = this.#options.look().then((seen) => this.#takeUp(seen));
    await this.#running;
    this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#check();
    }, INTERVAL_MS);
  }

  async #check(): Promise<void> {
    let now = await this.#options.look();
    if (now !== this.#seen && !this.#isClosed) {
      for (let i = 0; i < MAX_SETTLE_LOOKS; i++) {
        const before = now;
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
        now = await this.#options.look();
        if (now === before) break;
      }
      await this.#takeUp(now);
    }
    this.#wait();
  }

  async #takeUp(seen: string): Promise<void> {
    this.#seen = seen;
    if (this.#isClosed) return;
    this.#seen = await this.#options.onChange() ?? seen;
  }
}

/** What can be seen of a file or folder without reading it; links are followed. */
export async function lookAt(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtime, mode } = await Deno.stat(path);
    return `${path} ${dev}:${ino} ${size} ${mtime?.getTime()} ${mode}`;
  } catch (error) {
    return `${path} ${error instanceof Error ? error.name : error}`;
  }
}

/** Two changes of a file within this time may have the same time: kernels count in ticks of up to 10 ms. */
const TICK_MS = 20;

const RECENT = " recent";

/** Whether two looks of {@link lookCloselyAt} saw the same, apart from how recent it was. */
export function isSameSight(one: string, other: string): boolean {
  return one.replaceAll(RECENT, "") === other.replaceAll(RECENT, "");
}

/**
 * The same, more closely: a file whose change is so recent that another one could not be seen is `recent`,
 * and looks different later. Not a promise: a look takes 8 µs.
 */
export function lookCloselyAt(path: string): string {
  try {
    const { dev, ino, size, mtime, ctime, mode } = Deno.statSync(path);
    const changedAt = Math.max(mtime?.getTime() ?? 0, ctime?.getTime() ?? 0);
    const age = Date.now() - changedAt;
    const recent = age >= 0 && age < TICK_MS ? RECENT : "";
    // Joined, it takes 80 bytes; as a template it is a chain of strings with 500.
    return [dev, ino, size, mtime?.getTime(), ctime?.getTime(), mode].join(" ") + recent;
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

/**
 * What can be seen of the files below a folder whose names match, through links too. Hidden folders and
 * node_modules are left out, and whatever the caller leaves out.
 */
export async function lookBelow(
  folder: string,
  names: RegExp,
  isLeftOut: (path: string) => boolean = () => false,
): Promise<string> {
  const seen: string[] = [];
  const folders = [folder];
  const visited = new Set([await Deno.realPath(folder).catch(() => folder)]);
  for (let each = folders.pop(); each !== undefined; each = folders.pop()) {
    if (seen.length > MAX_FILES) break;
    try {
      for await (const entry of Deno.readDir(each)) {
        const path = join(each, entry.name);
        if (isLeftOut(path)) continue;
        if (!await isFolder(path, entry)) {
          if (names.test(entry.name)) seen.push(await lookAt(path));
        } else if (!/^\.|^node_modules$/.test(entry.name)) {
          const real = entry.isSymlink ? await Deno.realPath(path) : path;
          // Links can lead in a circle.
          if (!visited.has(real) && !isLeftOut(real)) folders.push(path);
          visited.add(real);
        }
      }
    } catch (error) {
      seen.push(`${each} ${error instanceof Error ? error.name : error}`);
    }
  }
  return seen.sort().join("\n");
}

async function isFolder(path: string, { isDirectory, isSymlink }: Deno.DirEntry): Promise<boolean> {
  if (!isSymlink) return isDirectory;
  return (await Deno.stat(path).catch(() => undefined))?.isDirectory ?? false;
}
