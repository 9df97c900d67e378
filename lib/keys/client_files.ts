/**
 * @module
 * The client files of a key store on disk, followed: which ones changed since they were read, and what they
 * say now. Any number of files costs the same at rest: a part of them is checked at each look, and the
 * operating system tells which ones to check first, where it can.
 */
import { join } from "node:path";
import { FolderEvents } from "../folder_events.ts";
import { inSlices } from "../slices.ts";
import { isSameSight, lookCloselyAt } from "../watch.ts";
import type { RegisteredClients } from "./registered_clients.ts";
import { listClientFiles, readClientFile, ruleFaultOf, type StoreFault } from "./store_reader.ts";

/** What is known of a file. */
interface FileState {
  /** What was seen of the file just before it was read. */
  readonly mark: string;
  /** The key that it holds, or held when it could last be read. */
  readonly key: string | undefined;
  /** What is wrong with it. */
  readonly fault: string | undefined;
}

/** The parts of {@link ClientFiles}. */
export interface ClientFilesParts {
  readonly folder: string;
  readonly clients: RegisteredClients;
  readonly report: (fault: StoreFault) => void;
}

/** How files are read. */
export interface ReadOptions {
  /** Also those that look unchanged. */
  readonly isAll: boolean;
  /** For how long the event loop is held at first. */
  readonly firstMs?: number;
}

/** What came of reading. */
export interface ReadResult {
  /** A file could not be read, which may pass. */
  readonly isFailing: boolean;
  readonly isChanged: boolean;
}

/**
 * Time for which files are checked at a look, in milliseconds: 1 % of a core. A file takes 8 µs, so that all
 * of 500 files are checked at each look, and all of 10,000 within 8 seconds where the system tells nothing.
 */
const LOOK_MS = 4;

/** Follows the files. */
export class ClientFiles {
  readonly #parts: ClientFilesParts;
  readonly #files = new Map<string, FileState>();
  readonly #events: FolderEvents;
  /** Files that differ from what was read. */
  #changed = new Set<string>();
  #round: Iterator<string> = [].values();

  constructor(parts: ClientFilesParts) {
    this.#parts = parts;
    this.#events = new FolderEvents(parts.folder);
  }

  /** How many files cannot be used. */
  get faultCount(): number {
    let count = 0;
    for (const { fault } of this.#files.values()) if (fault !== undefined) count++;
    return count;
  }

  /** Stops listening to the operating system. */
  close(): void {
    this.#events.close();
  }

  /** What can be seen of files that changed since they were read; empty when none did. */
  async look(): Promise<string> {
    for (const name of this.#events.take()) if (this.#files.has(name)) this.#changed.add(name);
    this.#lookAtSome();
    const seen: string[] = [];
    const before = this.#changed;
    this.#changed = new Set();
    await inSlices(before, (name) => {
      const mark = this.#compare(name);
      if (mark !== undefined) seen.push(`${name} ${mark}`);
    });
    return seen.sort().join("\n");
  }

  /**
   * The names of the files there are now.
   *
   * @throws {StoreError} when the folder cannot be read.
   */
  async list(): Promise<readonly string[]> {
    return await listClientFiles(this.#parts.folder);
  }

  /**
   * Reads what changed. A file that is malformed or cannot be read leaves what was known of it as it was.
   *
   * @param names of {@link list}
   */
  async read(names: readonly string[], { isAll, firstMs }: ReadOptions): Promise<ReadResult> {
    const { clients } = this.#parts;
    const present = new Set(names);
    let isFailing = false, isChanged = names.some((name) => !this.#files.has(name));
    for (const [name, { key }] of this.#files) {
      if (present.has(name)) continue;
      isChanged = true;
      this.#files.delete(name);
      if (key !== undefined) clients.remove(name, key);
    }
    const changed = this.#changed;
    this.#changed = new Set();
    const due = names.filter((name) => isAll || changed.has(name) || this.#isDue(name));
    await inSlices(due, (name) => {
      const before = this.#files.get(name)?.mark ?? UNREAD;
      const { mark } = this.#read(name, isAll);
      if (mark === UNREAD) isFailing = true;
      if (!isSameSight(mark, before)) isChanged = true;
    }, firstMs);
    return { isFailing, isChanged };
  }

  #isDue(name: string): boolean {
    const mark = this.#files.get(name)?.mark;
    return mark === undefined || mark === UNREAD;
  }

  #read(name: string, isAll: boolean): FileState {
    const { folder, clients, report } = this.#parts;
    const path = join(folder, name);
    const known = this.#files.get(name);
    const mark = lookCloselyAt(path);
    const file = readClientFile(path);
    const isRead = !("isUnread" in file);
    let key = known?.key, fault: StoreFault | undefined;
    if ("state" in file) {
      const state = key === undefined
        ? file.state
        : file.state.replace(/skipped$/, "the key that was known stays valid");
      fault = { path, state };
    } else {
      key = clients.put(name, file);
      if (known?.key !== undefined && known.key !== key) clients.remove(name, known.key);
      fault = ruleFaultOf(path, file);
    }
    // Once, unless somebody asks.
    if (fault !== undefined && (isAll || fault.state !== known?.fault)) report(fault);
    const state = { mark: isRead ? mark : UNREAD, key, fault: fault?.state };
    this.#files.set(name, state);
    return state;
  }

  /** Checks files, one after the other, and goes on with the others at the next look. */
  #lookAtSome(): void {
    const end = performance.now() + LOOK_MS;
    for (let left = this.#files.size; left > 0 && performance.now() < end; left--) {
      let next = this.#round.next();
      if (next.done) {
        this.#round = this.#files.keys();
        next = this.#round.next();
      }
      if (!next.done && this.#compare(next.value) !== undefined) this.#changed.add(next.value);
    }
  }

  /** What can be seen of a file, where that is not what was read. */
  #compare(name: string): string | undefined {
    const known = this.#files.get(name);
    if (known === undefined || known.mark === UNREAD) return undefined;
    const mark = lookCloselyAt(join(this.#parts.folder, name));
    if (mark === known.mark) return undefined;
    this.#changed.add(name);
    return mark;
  }
}

/** Instead of what was seen: the file must be read again, changed or not. */
const UNREAD = "";
