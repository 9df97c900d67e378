/**
 * @module
 * One file of the replay journal: its form on disk, and nothing of when files are made or removed.
 *
 * A header of 44 bytes, then records of 40 bytes, all in little-endian 32-bit words:
 *
 * - header: `MSP-RJ2\n` (8) ‖ key of the fingerprints (16) ‖ number of the file (4) ‖ number of the
 *   oldest file that is needed with it (4) ‖ time from which the journal is complete (4) ‖ CRC-32 of
 *   these 36 bytes (4) ‖ state (4, see {@link SegmentState})
 * - record: time at which the request expires (4) ‖ fingerprints of its four nonces (32) ‖ CRC-32 of
 *   these 36 bytes (4)
 *
 * Times are Unix seconds. Everything has a checksum, because a damaged file that is read as if it were
 * whole would let requests in a second time. The state is beside its checksum, so that it can be
 * changed in place on a full disk.
 */
import crc32 from "crc-32";
import { join } from "node:path";
import { count } from "../prose.ts";
import { FINGERPRINT_WORDS } from "./fingerprints.ts";

/** Bytes of the key of the fingerprints. */
export const JOURNAL_KEY_BYTES = 16;
/** Words of a record. */
export const RECORD_WORDS = 1 + FINGERPRINT_WORDS + 1;
/** Bytes of a record. */
export const RECORD_BYTES = 4 * RECORD_WORDS;
/** Bytes of a record that its checksum covers. */
export const CHECKED_BYTES = RECORD_BYTES - 4;

const MAGIC = new TextEncoder().encode("MSP-RJ2\n");
const KEY_AT = MAGIC.length;
const NUMBER_AT = KEY_AT + JOURNAL_KEY_BYTES;
const CRC_AT = NUMBER_AT + 12;
const STATE_AT = CRC_AT + 4;
const HEADER_BYTES = STATE_AT + 4;
const FILE_NAME = /^replay-(\d{8})\.journal$/;
const MODE = 0o600;

/** Whether a file has everything that was accepted while it was the last one. */
export const SEGMENT_STATE = {
  /** Records are appended to it. */
  open: 0,
  /** The next file goes on after it. */
  continued: 1,
  /** Something could not be written. */
  incomplete: 2,
} as const;
/** One of {@link SEGMENT_STATE}. */
export type SegmentState = typeof SEGMENT_STATE[keyof typeof SEGMENT_STATE];

/** What a header says. */
export interface SegmentHeader {
  readonly key: Uint8Array<ArrayBuffer>;
  readonly number: number;
  readonly oldestNeeded: number;
  /** Requests dated before this may be missing. */
  readonly completeSince: number;
}

/** A file of the journal. */
export interface Segment {
  readonly number: number;
  readonly records: number;
  /** When the last of its requests expires, in Unix seconds. */
  readonly latestExpiry: number;
}

/** A header that was read. */
export interface ReadHeader extends SegmentHeader {
  /** One of {@link SEGMENT_STATE}, unless it is damaged. */
  readonly state: number;
}

/** Records that were read. */
export interface ReadRecords {
  /** Whole records, each of {@link RECORD_WORDS} words; some may be damaged. */
  readonly words: Uint32Array;
  readonly count: number;
  /** Bytes behind the last whole record. */
  readonly surplusBytes: number;
}

/** Name of the file with a number. */
export function segmentName(number: number): string {
  return `replay-${String(number).padStart(8, "0")}.journal`;
}

/**
 * Numbers of the files in a folder, in ascending order.
 *
 * @throws {Deno.errors} when the folder cannot be read.
 */
export function listSegments(folder: string): number[] {
  const numbers: number[] = [];
  for (const { name } of Deno.readDirSync(folder)) {
    const digits = FILE_NAME.exec(name)?.[1];
    if (digits !== undefined) numbers.push(Number(digits));
  }
  return numbers.sort((a, b) => a - b);
}

/**
 * Reads the header of a file.
 *
 * @returns what is wrong with it, when it is not whole.
 * @throws {Deno.errors} when it cannot be read.
 */
export function readHeader(folder: string, number: number): ReadHeader | string {
  using file = Deno.openSync(join(folder, segmentName(number)));
  const bytes = new Uint8Array(HEADER_BYTES);
  let length = 0;
  for (let read: number | null = 0; read !== null && length < HEADER_BYTES; length += read ?? 0) {
    read = file.readSync(bytes.subarray(length));
  }
  if (length < HEADER_BYTES) return `it has ${count(length, "byte")}`;
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) return "it is not a replay journal";
  const view = new DataView(bytes.buffer);
  if (crc32.buf(bytes.subarray(0, CRC_AT)) >>> 0 !== view.getUint32(CRC_AT, true)) {
    return "its header is damaged";
  }
  const found = view.getUint32(NUMBER_AT, true);
  if (found !== number) return `it was ${segmentName(found)}`;
  return {
    key: bytes.slice(KEY_AT, NUMBER_AT),
    number,
    oldestNeeded: view.getUint32(NUMBER_AT + 4, true),
    completeSince: view.getUint32(NUMBER_AT + 8, true),
    state: view.getUint32(STATE_AT, true),
  };
}

/**
 * Reads the records of a file whose header is whole.
 *
 * @throws {Deno.errors} when it cannot be read.
 */
export function readRecords(folder: string, number: number): ReadRecords {
  const bytes = Deno.readFileSync(join(folder, segmentName(number)));
  const surplusBytes = Math.max(0, bytes.length - HEADER_BYTES) % RECORD_BYTES;
  const body = bytes.slice(HEADER_BYTES, bytes.length - surplusBytes);
  const words = new Uint32Array(body.buffer);
  return { words, count: words.length / RECORD_WORDS, surplusBytes };
}

/** Whether a record is as it was written. */
export function isWhole(record: Uint32Array): boolean {
  const bytes = new Uint8Array(record.buffer, record.byteOffset, CHECKED_BYTES);
  return crc32.buf(bytes) >>> 0 === record[RECORD_WORDS - 1];
}

/** A file that records are appended to. */
export class OpenSegment implements Segment {
  readonly number: number;
  readonly path: string;
  readonly #file: Deno.FsFile;
  records: number;
  latestExpiry: number;

  private constructor(file: Deno.FsFile, path: string, segment: Segment) {
    this.#file = file;
    this.path = path;
    this.number = segment.number;
    this.records = segment.records;
    this.latestExpiry = segment.latestExpiry;
    this.#seekToEnd();
  }

  /**
   * Creates a file.
   *
   * @throws {Deno.errors} when it cannot be created; then nothing is left of it.
   */
  static create(folder: string, header: SegmentHeader): OpenSegment {
    const { number } = header;
    const path = join(folder, segmentName(number));
    const file = Deno.openSync(path, { createNew: true, read: true, write: true, mode: MODE });
    try {
      writeAll(file, encodeHeader(header));
      return new OpenSegment(file, path, { number, records: 0, latestExpiry: 0 });
    } catch (error) {
      file.close();
      Deno.removeSync(path);
      throw error;
    }
  }

  /**
   * Opens a file that was read.
   *
   * @throws {Deno.errors} when it cannot be opened.
   */
  static open(folder: string, segment: Segment): OpenSegment {
    const path = join(folder, segmentName(segment.number));
    return new OpenSegment(Deno.openSync(path, { read: true, write: true }), path, segment);
  }

  /**
   * Appends whole records.
   *
   * @throws {Deno.errors} when that fails; then none of them is in the file.
   */
  append(bytes: Uint8Array): void {
    try {
      writeAll(this.#file, bytes);
    } catch (error) {
      // A record that is there in part would shift all that follow.
      this.#file.truncateSync(this.#length);
      this.#seekToEnd();
      throw error;
    }
    this.records += bytes.length / RECORD_BYTES;
  }

  /** @throws {Deno.errors} when it cannot be written. */
  setState(state: SegmentState): void {
    this.#file.seekSync(STATE_AT, Deno.SeekMode.Start);
    try {
      writeAll(this.#file, wordBytes(state));
    } finally {
      this.#seekToEnd();
    }
  }

  /**
   * Whether the file is still at its path, and not removed or replaced.
   *
   * @throws {Deno.errors} when that cannot be seen.
   */
  isInPlace(): boolean {
    try {
      const { ino, dev } = Deno.statSync(this.path);
      const own = this.#file.statSync();
      return ino === own.ino && dev === own.dev;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  close(): void {
    this.#file.close();
  }

  get #length(): number {
    return HEADER_BYTES + this.records * RECORD_BYTES;
  }

  #seekToEnd(): void {
    this.#file.seekSync(this.#length, Deno.SeekMode.Start);
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(MAGIC);
  bytes.set(header.key, KEY_AT);
  bytes.set(wordBytes(header.number, header.oldestNeeded, header.completeSince), NUMBER_AT);
  bytes.set(wordBytes(crc32.buf(bytes.subarray(0, CRC_AT)), SEGMENT_STATE.open), CRC_AT);
  return bytes;
}

function wordBytes(...words: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, index) => view.setUint32(4 * index, word, true));
  return new Uint8Array(view.buffer);
}
