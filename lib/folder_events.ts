/**
 * @module
 * Which files of a folder to check first, as far as the operating system tells (inotify and its like). It
 * tells nothing on network file systems, and may forget: whoever uses this polls as well
 * (docs/decisions/0005).
 */
import { basename } from "node:path";

/** Names that are kept at most until they are taken: more than any key store has. */
const MAX_NAMES = 200_000;

/**
 * Time until a folder is watched again. Deno stops watching a path a moment after a watcher was closed, and a
 * watcher of the same path that was opened meanwhile is told nothing.
 */
const PAUSE_MS = 1000;

/** Listens for changes in a folder, without its subfolders, until it is closed. */
export class FolderEvents {
  readonly #folder: string;
  #watcher: Deno.FsWatcher | undefined;
  /** Which folder is watched: one that replaced it is another. */
  #identity = "";
  #notBeforeMs = 0;
  #names = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
    this.#keepWatching();
  }

  /** Names of files that something happened to since the last time. */
  take(): ReadonlySet<string> {
    this.#keepWatching();
    const names = this.#names;
    this.#names = new Set();
    return names;
  }

  close(): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    this.#notBeforeMs = performance.now() + PAUSE_MS;
    watcher?.close();
  }

  /** Watches the folder that stands at the path now. */
  #keepWatching(): void {
    const identity = identityOf(this.#folder);
    if (this.#watcher !== undefined) {
      if (identity !== this.#identity) this.close();
      return;
    }
    if (identity === "" || performance.now() < this.#notBeforeMs) return;
    this.#identity = identity;
    let watcher: Deno.FsWatcher;
    try {
      watcher = Deno.watchFs(this.#folder, { recursive: false });
    } catch {
      // No permission, or no watch is left: polling finds the changes.
      this.#notBeforeMs = performance.now() + PAUSE_MS;
      return;
    }
    this.#watcher = watcher;
    this.#follow(watcher).catch(() => {}).finally(() => {
      if (this.#watcher === watcher) this.close();
    });
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { kind, paths } of watcher) {
      // Reading a file is an event too.
      if (kind === "access" || this.#names.size >= MAX_NAMES) continue;
      for (const path of paths) this.#names.add(basename(path));
    }
  }
}

function identityOf(folder: string): string {
  try {
    const { dev, ino } = Deno.statSync(folder);
    return `${dev}:${ino}`;
  } catch {
    return "";
  }
}
