/**
 * @module
 * The journal of version 0.1, which was in the log folder: `replay.journal` and, before it in time,
 * `replay.journal.1`. `MSP-RJ1\n` (8 bytes) ‖ key of the fingerprints (16), then records of 36 bytes: time
 * at which the request expires (4) ‖ fingerprints of its four nonces (32).
 */
import crc32 from "crc-32";
import { join } from "node:path";
import { ConfigError, reasonOf } from "../errors.ts";
import { FINGERPRINT_WORDS } from "./fingerprints.ts";
import {
  CHECKED_BYTES,
  JOURNAL_KEY_BYTES,
  listSegments,
  OpenSegment,
  RECORD_WORDS,
  SEGMENT_STATE,
} from "./segment.ts";

const MAGIC = new TextEncoder().encode("MSP-RJ1\n");
const HEADER_BYTES = MAGIC.length + JOURNAL_KEY_BYTES;
const OLD_RECORD_WORDS = 1 + FINGERPRINT_WORDS;
/** The earlier file first. */
const NAMES = ["replay.journal.1", "replay.journal"] as const;

interface OldFile {
  readonly key: Uint8Array<ArrayBuffer>;
  readonly records: Uint32Array;
}

/**
 * Moves what version 0.1 remembered into a state folder that exists. Where a journal is there already, the
 * old one was written by an earlier version that was used again in between: then the new one says that
 * it is not complete.
 *
 * @returns whether there was an old journal.
 * @throws {ConfigError} when a file cannot be read, written or removed.
 */
export function takeOverOldJournal(logFolder: string, stateFolder: string): boolean {
  try {
    const paths = NAMES.map((name) => join(logFolder, name)).filter(isFile);
    if (paths.length === 0) return false;
    const last = listSegments(stateFolder).at(-1);
    if (last === undefined) convert(paths, stateFolder);
    else markIncomplete(stateFolder, last);
    for (const path of paths) Deno.removeSync(path);
    return true;
  } catch (error) {
    throw new ConfigError(
      `Cannot move replay.journal from ${logFolder} to ${stateFolder}: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}

function convert(paths: readonly string[], stateFolder: string): void {
  const files = paths.map(readOld).filter((file) => file !== undefined);
  const key = files.at(-1)?.key;
  if (key === undefined) return;
  const usable = files.filter((file) => file.key.every((byte, index) => byte === key[index]));
  for (const [index, { records }] of usable.entries()) {
    const header = { number: index + 1, key, oldestNeeded: 1, completeSince: 0 };
    const segment = OpenSegment.create(stateFolder, header);
    try {
      segment.append(withChecksums(records));
      if (index < usable.length - 1) segment.setState(SEGMENT_STATE.continued);
    } finally {
      segment.close();
    }
  }
}

function markIncomplete(folder: string, number: number): void {
  const segment = OpenSegment.open(folder, { number, records: 0, latestExpiry: 0 });
  segment.setState(SEGMENT_STATE.incomplete);
  segment.close();
}

function readOld(path: string): OldFile | undefined {
  const bytes = Deno.readFileSync(path);
  if (bytes.length < HEADER_BYTES || !MAGIC.every((byte, index) => bytes[index] === byte)) {
    return undefined;
  }
  const recordBytes = 4 * OLD_RECORD_WORDS;
  const surplus = (bytes.length - HEADER_BYTES) % recordBytes;
  const body = bytes.slice(HEADER_BYTES, bytes.length - surplus);
  return { key: bytes.slice(MAGIC.length, HEADER_BYTES), records: new Uint32Array(body.buffer) };
}

function withChecksums(old: Uint32Array): Uint8Array {
  const count = old.length / OLD_RECORD_WORDS;
  const words = new Uint32Array(count * RECORD_WORDS);
  for (let i = 0; i < count; i++) {
    const at = i * RECORD_WORDS;
    words.set(old.subarray(i * OLD_RECORD_WORDS, (i + 1) * OLD_RECORD_WORDS), at);
    words[at + RECORD_WORDS - 1] = crc32.buf(new Uint8Array(words.buffer, 4 * at, CHECKED_BYTES));
  }
  return new Uint8Array(words.buffer);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
