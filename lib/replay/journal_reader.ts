/**
 * @module
 * Reads a replay journal at the start: every record, and since when the journal is complete. Whatever
 * is damaged or missing moves that time to now.
 */
import { join } from "node:path";
import {
  isWhole,
  JOURNAL_KEY_BYTES,
  listSegments,
  type ReadHeader,
  readHeader,
  readRecords,
  RECORD_WORDS,
  type Segment,
  SEGMENT_STATE,
  segmentName,
} from "./segment.ts";

/** Gets the fingerprints of a request, valid during the call, and when it expires. */
export type OnRecord = (words: Uint32Array, expiresAtSeconds: number) => void;

/** What a journal holds. */
export interface FoundJournal {
  /** Key of the fingerprints; a fresh one when there is no journal. */
  readonly key: Uint8Array<ArrayBuffer>;
  readonly segments: Segment[];
  /** Requests dated before this, in Unix seconds, may be missing. */
  readonly completeSince: number;
  /** Number of the first file that is needed to be complete since then. */
  readonly oldestNeeded: number;
  /** What is damaged or missing, for people. */
  readonly faults: readonly string[];
  /** Number for the next file. */
  readonly nextNumber: number;
  /** Files that hold nothing that can be used. */
  readonly useless: readonly string[];
}

/**
 * Reads all files of a folder, the oldest first.
 *
 * @throws {Deno.errors} when the folder or a file cannot be read.
 */
export function readJournal(
  folder: string,
  { onRecord, nowSeconds }: { onRecord: OnRecord; nowSeconds: number },
): FoundJournal {
  const numbers = listSegments(folder);
  const headers = numbers.map((number) => ({ number, header: readHeader(folder, number) }));
  const last = headers.findLast(({ header }) => typeof header !== "string")?.header;
  const lastHeader = typeof last === "object" ? last : undefined;
  const chain = new Chain();
  const useless: string[] = [];
  for (const { number, header } of headers) {
    if (typeof header === "string" || !isSameKey(header, lastHeader)) {
      const state = typeof header === "string" ? header : "it belongs to another journal";
      chain.faults.push(`${segmentName(number)}: ${state}`);
      useless.push(join(folder, segmentName(number)));
      continue;
    }
    chain.add(header, number === lastHeader?.number);
    chain.addRecords(folder, number, onRecord);
  }
  chain.findMissing(lastHeader);
  const isLost = lastHeader === undefined || chain.faults.length > 0;
  return {
    key: lastHeader?.key ?? crypto.getRandomValues(new Uint8Array(JOURNAL_KEY_BYTES)),
    segments: chain.segments,
    completeSince: isLost ? Math.max(chain.completeSince, nowSeconds) : chain.completeSince,
    oldestNeeded: lastHeader?.oldestNeeded ?? 1,
    faults: chain.faults,
    nextNumber: (numbers.at(-1) ?? 0) + 1,
    useless,
  };
}

/** Files that follow each other. */
class Chain {
  readonly segments: Segment[] = [];
  readonly faults: string[] = [];
  completeSince = 0;

  add({ number, completeSince, state }: ReadHeader, isLast: boolean): void {
    if (completeSince > this.completeSince) {
      // What is missing before this file was known when it was created.
      this.completeSince = completeSince;
      this.faults.length = 0;
    }
    const expected = isLast ? SEGMENT_STATE.open : SEGMENT_STATE.continued;
    if (state === expected) return;
    const name = segmentName(number);
    if (state === SEGMENT_STATE.incomplete) this.faults.push(`${name} is not complete`);
    else {this.faults.push(
        isLast ? `the file after ${name} is missing` : `${name} was not finished`,
      );}
  }

  addRecords(folder: string, number: number, onRecord: OnRecord): void {
    const { words, count, surplusBytes } = readRecords(folder, number);
    let damaged = 0, latestExpiry = 0;
    for (let i = 0; i < count; i++) {
      const record = words.subarray(i * RECORD_WORDS, (i + 1) * RECORD_WORDS);
      if (!isWhole(record)) {
        damaged++;
        continue;
      }
      const expiresAtSeconds = record[0] ?? 0;
      latestExpiry = Math.max(latestExpiry, expiresAtSeconds);
      onRecord(record.subarray(1, RECORD_WORDS - 1), expiresAtSeconds);
    }
    this.segments.push({ number, records: count, latestExpiry });
    if (surplusBytes > 0) damaged++;
    if (damaged > 0) {
      this.faults.push(`${segmentName(number)}: ${damaged} of ${count} records are damaged`);
    }
  }

  findMissing(last: ReadHeader | undefined): void {
    if (last === undefined) return;
    const present = new Set(this.segments.map(({ number }) => number));
    for (let number = last.oldestNeeded; number < last.number; number++) {
      if (!present.has(number)) this.faults.push(`${segmentName(number)} is missing`);
    }
  }
}

function isSameKey(header: ReadHeader, other: ReadHeader | undefined): boolean {
  return header.key.every((byte, index) => byte === other?.key[index]);
}
