/**
 * @module
 * What was accepted, on disk, so that it outlives a restart or a crash: it is written
 * before its function runs. A record is 36 bytes: `expiry (Unix seconds, 4) ‖ fingerprints of the four
 * nonces (8 each)`, little-endian words; the file begins with 8 bytes that say what it
 * is and the 16-byte key of the fingerprints. Two files take turns: one fills, the other is as it was when it was full.
 *
 * Not synced to the disk: a power cut can lose the last seconds, a killed process nothing.
 */
import { join } from "node:path";
import { ConfigError, reasonOf } from "../errors.ts";
import type { Observer } from "../observer.ts";
import { FINGERPRINT_WORDS } from "./fingerprints.ts";

const MAGIC = new TextEncoder().encode("MSP-RJ1\n");
const KEY_BYTES = 16;
const HEADER_BYTES = MAGIC.length + KEY_BYTES;
const RECORD_WORDS = 1 + FINGERPRINT_WORDS;
const RECORD_BYTES = 4 * RECORD_WORDS;
/** Records that wait to be written at most. */
const BUFFERED = 512;
const MODE = 0o600;

/** What a journal keeps and reports. */
export interface JournalOptions {
  /** Requests in a file; as many of the latest can be restored, or up to twice as many. */
  readonly recordsPerFile: number;
  /** Told when it cannot be written; requests are accepted all the same. */
  readonly observer: Pick<Observer, "fault">;
}

/** Writes what was accepted, and reads it again after a restart. */
export class ReplayJournal {
  readonly #path: string;
  readonly #observer: JournalOptions["observer"];
  readonly #recordsPerFile: number;
  readonly #buffer = new Uint32Array(BUFFERED * RECORD_WORDS);
  readonly #bytes = new Uint8Array(this.#buffer.buffer);
  #buffered = 0;
  #file: Deno.FsFile;
  /** Bytes of complete records and the header in the present file. */
  #length: number;
  /** Key of the fingerprints, 16 bytes. */
  readonly key: Uint8Array<ArrayBuffer>;

  /**
   * Opens the journal of a folder, or makes one.
   *
   * @throws {ConfigError} when it cannot be read or written.
   */
  constructor(folder: string, { recordsPerFile, observer }: JournalOptions) {
    this.#path = join(folder, "replay.journal");
    this.#observer = observer;
    this.#recordsPerFile = recordsPerFile;
    try {
      this.key = readKey(this.#path) ?? readKey(this.#olderPath) ??
        crypto.getRandomValues(new Uint8Array(KEY_BYTES));
      // What is no journal, or one of another key, is of no use.
      if (readKey(this.#path) === undefined) removeIfThere(this.#path);
      ({ file: this.#file, length: this.#length } = openFile(this.#path, this.key));
    } catch (error) {
      throw new ConfigError(`Cannot use ${this.#path}: ${reasonOf(error)}`, { cause: error });
    }
  }

  get #olderPath(): string {
    return `${this.#path}.1`;
  }

  /**
   * Gives every record that may still be remembered, the earliest first.
   *
   * @param onRecord gets the fingerprints, valid during the call, and the expiry in Unix seconds
   * @returns how many requests that were.
   * @throws {ConfigError} when a file cannot be read.
   */
  restore(onRecord: (words: Uint32Array, expiresAtSeconds: number) => void): number {
    let count = 0;
    for (const path of [this.#olderPath, this.#path]) {
      for (const record of readRecords(path, this.key)) {
        count++;
        onRecord(record.subarray(1), record[0] ?? 0);
      }
    }
    return count;
  }

  /** Notes an accepted request; it is on disk after the next {@link flush}. */
  append(words: Uint32Array, expiresAtSeconds: number): void {
    if (this.#buffered === BUFFERED) this.flush();
    const at = this.#buffered++ * RECORD_WORDS;
    this.#buffer[at] = expiresAtSeconds;
    this.#buffer.set(words, at + 1);
  }

  /** Hands everything to the operating system. */
  flush(): void {
    if (this.#buffered === 0) return;
    const bytes = this.#bytes.subarray(0, this.#buffered * RECORD_BYTES);
    this.#buffered = 0;
    try {
      for (let done = 0; done < bytes.length;) done += this.#file.writeSync(bytes.subarray(done));
      this.#length += bytes.length;
      if (this.#length >= HEADER_BYTES + this.#recordsPerFile * RECORD_BYTES) this.#turn();
    } catch (error) {
      this.#observer.fault("journal", `Cannot write ${this.#path}: ${reasonOf(error)}`);
      this.#repair();
    }
  }

  close(): void {
    this.flush();
    this.#file.close();
  }

  #turn(): void {
    this.#file.close();
    Deno.renameSync(this.#path, this.#olderPath);
    ({ file: this.#file, length: this.#length } = openFile(this.#path, this.key));
  }

  /** A record that was written in part would shift all that follow. */
  #repair(): void {
    try {
      this.#file.truncateSync(this.#length);
      this.#file.seekSync(0, Deno.SeekMode.End);
    } catch {
      // The next flush reports it again.
    }
  }
}

function openFile(
  path: string,
  key: Uint8Array<ArrayBuffer>,
): { file: Deno.FsFile; length: number } {
  const file = Deno.openSync(path, { create: true, read: true, write: true, mode: MODE });
  const { size } = file.statSync();
  if (size < HEADER_BYTES) {
    file.truncateSync(0);
    file.writeSync(Uint8Array.of(...MAGIC, ...key));
    return { file, length: HEADER_BYTES };
  }
  const length = size - (size - HEADER_BYTES) % RECORD_BYTES;
  file.truncateSync(length);
  file.seekSync(0, Deno.SeekMode.End);
  return { file, length };
}

function readFile(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new ConfigError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** The key in a journal's header; `undefined` when there is no journal. */
function readKey(path: string): Uint8Array<ArrayBuffer> | undefined {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  try {
    const header = new Uint8Array(HEADER_BYTES);
    if (file.readSync(header) !== HEADER_BYTES) return undefined;
    const isJournal = MAGIC.every((byte, index) => header[index] === byte);
    return isJournal ? header.slice(MAGIC.length) : undefined;
  } finally {
    file.close();
  }
}

/** The records of a file that has this key. */
function* readRecords(path: string, key: Uint8Array): Generator<Uint32Array> {
  const found = readKey(path);
  if (found === undefined || !found.every((byte, index) => byte === key[index])) return;
  const bytes = readFile(path) ?? new Uint8Array(HEADER_BYTES);
  const count = Math.floor((bytes.length - HEADER_BYTES) / RECORD_BYTES);
  const words = new Uint32Array(bytes.slice(HEADER_BYTES).buffer, 0, count * RECORD_WORDS);
  for (let i = 0; i < count; i++) {
    yield words.subarray(i * RECORD_WORDS, (i + 1) * RECORD_WORDS);
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
