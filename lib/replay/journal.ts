/**
 * @module
 * What was accepted, on disk, so that it outlives a restart or a crash: a request is written before its
 * function runs. Files follow each other (segment.ts has their form): the last one is appended to, and
 * the oldest is removed when nothing in it is needed any more.
 *
 * The journal always says since when it is complete. When a request could not be written, when a file
 * was removed, or when a file is found damaged at the start, that time moves on, and requests dated
 * before it are refused after the next start. So a full disk neither stops the server nor lets a request
 * in a second time.
 *
 * Not synced to the disk: a power cut can lose the last seconds, a killed process nothing.
 */
import crc32 from "crc-32";
import { join } from "node:path";
import { ConfigError, reasonOf } from "../errors.ts";
import { logger } from "../log.ts";
import type { Observer } from "../observer.ts";
import { type PauseOptions, Retry } from "../retry.ts";
import type { NonceClaim } from "./claims.ts";
import { type OnRecord, readJournal } from "./journal_reader.ts";
import {
  CHECKED_BYTES,
  isWhole,
  OpenSegment,
  readRecords,
  RECORD_BYTES,
  RECORD_WORDS,
  type Segment,
  SEGMENT_STATE,
  segmentName,
  type SegmentState,
} from "./segment.ts";

const log = logger("replay");

/** Requests in a file, 2.6 MB. */
const SEGMENT_RECORDS = 65_536;
/** Requests that wait to be written at most. */
const BUFFERED = 512;
/** Time between two checks whether the file is still in its folder. */
const CHECK_MS = 1000;
/** Files that are removed at most when a new one is created: each may take some milliseconds. */
const MAX_REMOVED = 2;
const FOLDER_MODE = 0o700;

/** What a journal keeps and reports. */
export interface JournalOptions {
  readonly folder: string;
  /** Requests that have not expired, at most. */
  readonly windowRequests: number;
  /** Requests whose `entry` must be found again after a restart. */
  readonly entryRequests: number;
  /** Gets every record that is found. */
  readonly onRecord: OnRecord;
  readonly observer: Pick<Observer, "fault" | "recovered">;
  /** Requests in a file. */
  readonly segmentRecords?: number;
  /** Pauses after a failure. */
  readonly pauses?: PauseOptions;
  readonly checkMs?: number;
  readonly nowSeconds?: () => number;
}

/** Writes what was accepted, and finds it again after a restart. */
export class ReplayJournal {
  readonly #options: JournalOptions;
  readonly #nowSeconds: () => number;
  readonly #buffer = new Uint32Array(BUFFERED * RECORD_WORDS);
  readonly #bytes = new Uint8Array(this.#buffer.buffer);
  /** The part of each record that its checksum covers. Creating such a view for each request is slow. */
  readonly #checked = Array.from(
    { length: BUFFERED },
    (_, i) => this.#bytes.subarray(i * RECORD_BYTES, i * RECORD_BYTES + CHECKED_BYTES),
  );
  readonly #writing: Retry;
  readonly #turning: Retry;
  #buffered = 0;
  /** The file that is appended to. */
  #last: OpenSegment;
  /** The files before it, the oldest first. */
  readonly #earlier: Segment[];
  /** Number of the first file without which the journal would not be complete. */
  #oldestNeeded: number;
  /** Something that was appended is neither in the file nor in the buffer. */
  #hasGap = false;
  /** The latest time in a request that was appended. */
  #latestSent = 0;
  #nextCheckMs = 0;
  /** Key of the fingerprints, 16 bytes. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** How many records were found. */
  readonly found: number;
  /** Requests dated before this, in Unix seconds, may be missing in what was found. */
  readonly completeSince: number;
  /** The same for the files that are there now. */
  #filesCompleteSince: number;

  /**
   * Opens the journal of a folder that exists, or creates one, and gives every record that it finds.
   *
   * @throws {ConfigError} when it cannot be read or written.
   */
  constructor(options: JournalOptions) {
    this.#options = options;
    this.#nowSeconds = options.nowSeconds ?? (() => Math.floor(Date.now() / 1000));
    const { folder } = options;
    try {
      const found = readJournal(folder, { ...options, nowSeconds: this.#nowSeconds() });
      reportFaults(folder, found.faults);
      this.key = found.key;
      this.completeSince = this.#filesCompleteSince = found.completeSince;
      this.found = found.segments.reduce((sum, { records }) => sum + records, 0);
      this.#earlier = found.segments;
      const last = found.faults.length === 0 ? found.segments.pop() : undefined;
      this.#oldestNeeded = last === undefined ? found.nextNumber : found.oldestNeeded;
      this.#last = last === undefined
        ? this.#create(found.nextNumber)
        : OpenSegment.open(folder, last);
      for (const path of found.useless) Deno.removeSync(path);
    } catch (error) {
      throw new ConfigError(`Cannot use the replay journal in ${folder}: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    this.#writing = this.#retry(() => this.#recover());
    this.#turning = this.#retry(() => this.#turn());
  }

  /** Notes an accepted request; it is on disk after the next {@link ReplayJournal.flush}. */
  append(words: Uint32Array, claim: Pick<NonceClaim, "sentAtSeconds" | "expiresAtSeconds">): void {
    if (this.#buffered === BUFFERED) this.flush();
    if (this.#buffered === BUFFERED) {
      this.#hasGap = true;
      this.#buffered = 0;
    }
    const { sentAtSeconds, expiresAtSeconds } = claim;
    if (sentAtSeconds > this.#latestSent) this.#latestSent = sentAtSeconds;
    if (expiresAtSeconds > this.#last.latestExpiry) this.#last.latestExpiry = expiresAtSeconds;
    const at = this.#buffered * RECORD_WORDS;
    this.#buffer[at] = expiresAtSeconds;
    this.#buffer.set(words, at + 1);
    const checked = this.#checked[this.#buffered];
    this.#buffer[at + RECORD_WORDS - 1] = checked === undefined ? 0 : crc32.buf(checked);
    this.#buffered++;
  }

  /**
   * Hands everything to the operating system. Where that fails, the file is marked as incomplete, and
   * writing is tried again after a pause.
   */
  flush(): void {
    if (this.#buffered === 0 || this.#writing.isFailing) return;
    try {
      this.#replaceWhenGone();
      this.#write();
    } catch (error) {
      this.#mark(SEGMENT_STATE.incomplete);
      this.#writing.failed(error);
      return;
    }
    const isFull = this.#last.records >= this.#segmentRecords;
    if (isFull && !this.#turning.isFailing) void this.#turning.now();
  }

  /** Writes what is still in memory, and closes the file. */
  close(): void {
    this.flush();
    this.#writing.close();
    this.#turning.close();
    this.#last.close();
  }

  get #segmentRecords(): number {
    return this.#options.segmentRecords ?? SEGMENT_RECORDS;
  }

  #retry(attempt: () => void): Retry {
    const { observer, pauses } = this.#options;
    return new Retry({
      ...pauses,
      attempt,
      onFault: (error) => {
        const what = `Cannot write ${this.#last.path}: ${reasonOf(error)}`;
        observer.fault("journal", `${what}; after a restart, requests dated before it are refused`);
      },
      onRecovered: () => observer.recovered("journal", `${this.#last.path} is written again`),
    });
  }

  #write(): void {
    this.#last.append(this.#bytes.subarray(0, this.#buffered * RECORD_BYTES));
    this.#buffered = 0;
  }

  /** After a failure: writes what is in memory, or makes known from when on the journal is complete. */
  #recover(): void {
    if (this.#hasGap || !this.#last.isInPlace()) this.#startAfterGap();
    this.#write();
    this.#last.setState(SEGMENT_STATE.open);
  }

  #replaceWhenGone(): void {
    const nowMs = performance.now();
    if (nowMs < this.#nextCheckMs) return;
    this.#nextCheckMs = nowMs + (this.#options.checkMs ?? CHECK_MS);
    if (this.#last.isInPlace()) return;
    const { path } = this.#last;
    this.#startAfterGap();
    log.warning("{path} was removed; {next} is in use", { path, next: this.#last.path });
  }

  /** Goes on in a file that says that earlier requests may be missing. */
  #startAfterGap(): void {
    Deno.mkdirSync(this.#options.folder, { recursive: true, mode: FOLDER_MODE });
    const number = this.#last.number + 1;
    this.#filesCompleteSince = Math.max(this.#nowSeconds(), this.#latestSent + 1);
    this.#oldestNeeded = number;
    this.#goOnIn(this.#create(number));
    this.#hasGap = false;
  }

  /** Goes on in the next file, and removes files that are not needed any more. */
  #turn(): void {
    if (this.#last.records >= this.#segmentRecords) {
      const oldestKept = this.#earlier[this.#countRemovable()]?.number ?? this.#last.number;
      this.#oldestNeeded = Math.max(this.#oldestNeeded, oldestKept);
      this.#goOnIn(this.#create(this.#last.number + 1));
    }
    for (let count = this.#countRemovable(); count > 0; count--) this.#removeOldest();
  }

  #create(number: number): OpenSegment {
    return OpenSegment.create(this.#options.folder, {
      number,
      key: this.key,
      oldestNeeded: this.#oldestNeeded,
      completeSince: this.#filesCompleteSince,
    });
  }

  #goOnIn(next: OpenSegment): void {
    this.#mark(SEGMENT_STATE.continued);
    this.#last.close();
    const { number, records, latestExpiry } = this.#last;
    this.#earlier.push({ number, records, latestExpiry });
    this.#last = next;
  }

  /** Where even this cannot be written, the next start finds a file that does not end as it should. */
  #mark(state: SegmentState): void {
    try {
      this.#last.setState(state);
    } catch {
      // The failure that led here is reported, and so is the next one.
    }
  }

  /** How many of the oldest files hold nothing that is needed, or so much that it is copied. */
  #countRemovable(): number {
    const { entryRequests, windowRequests } = this.#options;
    let later = this.#earlier.reduce((sum, { records }) => sum + records, this.#last.records);
    let count = 0;
    for (const { records, latestExpiry } of this.#earlier) {
      later -= records;
      const isExpired = latestExpiry < this.#nowSeconds();
      // Copying what has not expired pays when less than half of all records can be such.
      const enough = isExpired ? entryRequests : Math.max(entryRequests, 2 * windowRequests);
      if (later < enough || count === MAX_REMOVED) break;
      count++;
    }
    return count;
  }

  #removeOldest(): void {
    const [oldest] = this.#earlier;
    if (oldest === undefined) return;
    const { folder } = this.#options;
    try {
      if (oldest.latestExpiry >= this.#nowSeconds()) this.#copyUnexpired(oldest.number);
      Deno.removeSync(join(folder, segmentName(oldest.number)));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    this.#earlier.shift();
  }

  #copyUnexpired(number: number): void {
    const nowSeconds = this.#nowSeconds();
    const { words, count } = readRecords(this.#options.folder, number);
    for (let i = 0; i < count; i++) {
      const record = words.subarray(i * RECORD_WORDS, (i + 1) * RECORD_WORDS);
      const expiresAtSeconds = record[0] ?? 0;
      if (expiresAtSeconds < nowSeconds || !isWhole(record)) continue;
      this.append(record.subarray(1, RECORD_WORDS - 1), { sentAtSeconds: 0, expiresAtSeconds });
    }
    this.#write();
  }
}

function reportFaults(folder: string, faults: readonly string[]): void {
  if (faults.length === 0) return;
  log.warning(
    "The replay journal in {folder} is damaged ({faults}): requests dated before this start are refused",
    { folder, faults: faults.slice(0, 5).join("; ") },
  );
}
