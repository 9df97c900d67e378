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

/** What is watched. */
export interface WatchOptions {
  /** What can be seen now, as a text that changes when something changes. */
  readonly look: () => Promise<string>;
  /** Takes up a change; no other look happens meanwhile. Must not reject. */
  readonly onChange: () => Promise<void>;
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

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#seen = options.seen;
    this.#wait();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Takes up the present state at once, changed or not; resolves when that is done. */
  async takeUp(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
    this.#running = this.#takeUp(await this.#options.look());
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
    if (!this.#isClosed) await this.#options.onChange();
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

/** What can be seen of the files below a folder whose names match. Hidden folders are passed over. */
export async function lookBelow(folder: string, names: RegExp): Promise<string> {
  const seen: string[] = [];
  const folders = [folder];
  for (let each = folders.pop(); each !== undefined; each = folders.pop()) {
    try {
      for await (const { name, isDirectory } of Deno.readDir(each)) {
        if (!isDirectory && names.test(name)) seen.push(await lookAt(join(each, name)));
        else if (isDirectory && !/^\.|^node_modules$/.test(name)) folders.push(join(each, name));
      }
    } catch (error) {
      seen.push(`${each} ${error instanceof Error ? error.name : error}`);
    }
  }
  return seen.sort().join("\n");
}
