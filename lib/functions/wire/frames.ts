/**
 * @module
 * Calls and their results between server and function host, as binary frames. To the host, on its
 * standard input: `length of the rest (4) ‖ kind (1) ‖ worker (4) ‖ payload`. From the host, on its
 * standard output: `mark (16) ‖ length of the rest (4) ‖ worker (4) ‖ payload`. The mark is random and
 * known to server and host: bytes outside of frames are output of functions, not messages. Payloads are
 * made of numbers and texts (bytes.ts).
 *
 * A function can write to the descriptors of its process. What comes from a host is therefore as
 * trustworthy as its functions: the server checks every length, kind and number.
 */
import { ByteReader, ByteWriter } from "./bytes.ts";

/** Kinds of frames to a host: a message in JSON (messages.ts), calls, or calls that nobody waits for. */
export const FRAME = { message: 0, calls: 1, abort: 2 } as const;
/** Bytes of a frame to a host before its payload. */
export const TO_HOST_HEAD = 9;
/** Bytes of the mark. */
export const MARK_BYTES = 16;
/** Bytes of a frame of a host before its payload. */
export const FROM_HOST_HEAD = MARK_BYTES + 8;
/** Bytes of results beyond which another frame begins. */
const SPLIT_BYTES = 8192;
/** Results of one frame at most. */
export const MAX_OUTCOMES = 256;

/** Names a call: a place that is used again, and a serial number that tells its uses apart. */
export interface CallNumber {
  readonly place: number;
  /** Below 2^32. */
  readonly serial: number;
}

/** A call, for the worker that runs it. */
export interface HostedCall extends CallNumber {
  /** JSON text of an object; absent in protocol v1. */
  readonly params: string | undefined;
  /** The caller's name, where the function may know it. */
  readonly client: string | undefined;
}

/**
 * How a call ended:
 *
 * - `text`, `json`: its result, as text or as JSON text
 * - `error`: the description of what was thrown, for the log
 * - `public`: what was thrown for the caller, and JSON text that comes with it
 * - `params`: what the params were expected to be, and where in them; the function did not run
 * - `large`: the result is larger than MaxResult
 */
export type OutcomeKind = typeof OUTCOME_KINDS[number];
const OUTCOME_KINDS = ["text", "json", "error", "public", "params", "large"] as const;

/** How a call ended, as a worker reports it; `more` as its kind says. */
export interface CallOutcome extends CallNumber {
  readonly kind: OutcomeKind;
  /** UTF-8, if nobody forged it; a view that is valid until the reader of the frame returns. */
  readonly text: Uint8Array;
  readonly more: Uint8Array | undefined;
}

/** The same, as a worker writes it. */
export interface WrittenOutcome {
  readonly kind: OutcomeKind;
  readonly text: string;
  readonly more?: string;
}

/** What a worker reports in one frame. */
export interface WorkerResults {
  /** The worker took the last batch of calls, its event loop is free. */
  readonly hasReturned: boolean;
  readonly outcomes: readonly CallOutcome[];
}

/** Writes a frame to a host; `write` writes its payload. */
export function writeFrame(
  out: ByteWriter,
  { kind, worker }: { readonly kind: number; readonly worker: number },
  write: (out: ByteWriter) => void,
): void {
  const start = out.length;
  out.word(0);
  out.byte(kind);
  out.word(worker);
  write(out);
  out.setWord(start, out.length - start - 4);
}

/** The payload of a frame with calls. */
export function writeCalls(out: ByteWriter, calls: readonly HostedCall[]): void {
  for (const call of calls) {
    writeNumber(out, call);
    out.text(call.params);
    out.text(call.client);
  }
}

/** What {@link writeCalls} wrote. */
export function readCalls(payload: Uint8Array): HostedCall[] {
  const reader = new ByteReader(payload);
  const calls: HostedCall[] = [];
  while (!reader.isAtEnd) {
    const place = reader.word(), serial = reader.word();
    calls.push({ place, serial, params: reader.text(), client: reader.text() });
  }
  return calls;
}

/** The payload of a frame that names one call. */
export function writeNumber(out: ByteWriter, { place, serial }: CallNumber): void {
  out.word(place);
  out.word(serial);
}

/** What {@link writeNumber} wrote. */
export function readNumber(payload: Uint8Array): CallNumber {
  const reader = new ByteReader(payload);
  return { place: reader.word(), serial: reader.word() };
}

/** Collects the outcomes of a worker, and gives them as payloads of frames. */
export class ResultWriter {
  readonly #out = new ByteWriter();
  readonly #head: number;
  readonly #send: (out: ByteWriter) => void;
  #count = 0;

  /**
   * @param send gets a payload that is valid until it returns
   * @param head bytes that are left free in front of it
   */
  constructor(send: (out: ByteWriter) => void, head = 0) {
    this.#send = send;
    this.#head = head;
    this.#begin();
  }

  /** Adds how a call ended. */
  add(call: CallNumber, { kind, text, more }: WrittenOutcome): void {
    const out = this.#out;
    if (out.length - this.#head > SPLIT_BYTES || this.#count === MAX_OUTCOMES) this.send(false);
    this.#count++;
    writeNumber(out, call);
    out.byte(OUTCOME_KINDS.indexOf(kind));
    out.text(text);
    out.text(more);
  }

  /** Sends what was added. */
  send(hasReturned: boolean): void {
    this.#out.setByte(this.#head, hasReturned ? 1 : 0);
    this.#send(this.#out);
    this.#begin();
  }

  #begin(): void {
    this.#count = 0;
    this.#out.clear();
    for (let i = 0; i <= this.#head; i++) this.#out.byte(0);
  }
}

/** What a {@link ResultWriter} wrote; `undefined` when that is not the work of one. */
export function readResults(payload: Uint8Array): WorkerResults | undefined {
  const reader = new ByteReader(payload);
  const outcomes: CallOutcome[] = [];
  try {
    const hasReturned = reader.byte();
    if (hasReturned > 1) return undefined;
    while (!reader.isAtEnd) {
      if (outcomes.length === MAX_OUTCOMES) return undefined;
      const place = reader.word(), serial = reader.word();
      const kind = OUTCOME_KINDS[reader.byte()];
      const text = reader.textBytes(), more = reader.textBytes();
      if (kind === undefined || text === undefined) return undefined;
      outcomes.push({ place, serial, kind, text, more });
    }
    return { hasReturned: hasReturned === 1, outcomes };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** What a {@link FrameSplitter} finds. */
export interface SplitterEvents {
  /** A frame; the payload is a view. */
  readonly onFrame: (worker: number, payload: Uint8Array) => void;
  /** Bytes outside of frames, as a view. */
  readonly onStray: (bytes: Uint8Array) => void;
}

/** Tells frames of a host from whatever else was written to its standard output. */
export class FrameSplitter {
  readonly #mark: Uint8Array;
  readonly #events: SplitterEvents;

  constructor(mark: Uint8Array, events: SplitterEvents) {
    this.#mark = mark;
    this.#events = events;
  }

  /**
   * Takes what it can from bytes that arrived.
   *
   * @returns how many bytes it took. The rest must come again, in front of what arrives later; `needed`:
   * the length that the rest must have, as far as that is known.
   */
  take(bytes: Uint8Array): { readonly taken: number; readonly needed: number } {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (at < bytes.length) {
      const start = this.#findMark(bytes, at);
      if (start > at) this.#events.onStray(bytes.subarray(at, start));
      at = start;
      if (bytes.length - at < FROM_HOST_HEAD) return { taken: at, needed: FROM_HOST_HEAD };
      const end = at + MARK_BYTES + 4 + view.getUint32(at + MARK_BYTES, true);
      if (end < at + FROM_HOST_HEAD) {
        // Whoever wrote that knows the mark, and no frame.
        this.#events.onStray(bytes.subarray(at, at + FROM_HOST_HEAD));
        at += FROM_HOST_HEAD;
        continue;
      }
      if (end > bytes.length) return { taken: at, needed: end - at };
      const worker = view.getUint32(at + MARK_BYTES + 4, true);
      this.#events.onFrame(worker, bytes.subarray(at + FROM_HOST_HEAD, end));
      at = end;
    }
    return { taken: at, needed: 0 };
  }

  /** Where the mark, or a part of it at the end, begins; the end if there is none. */
  #findMark(bytes: Uint8Array, from: number): number {
    const [first = 0] = this.#mark;
    for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
      if (this.#isMark(bytes, at)) return at;
    }
    return bytes.length;
  }

  #isMark(bytes: Uint8Array, at: number): boolean {
    const count = Math.min(MARK_BYTES, bytes.length - at);
    for (let i = 1; i < count; i++) if (bytes[at + i] !== this.#mark[i]) return false;
    return true;
  }
}

/** Completes the head of a frame of a host, whose payload follows it. */
export function writeHead(out: ByteWriter, mark: Uint8Array, worker: number): void {
  const bytes = out.written;
  bytes.set(mark);
  out.setWord(MARK_BYTES, out.length - MARK_BYTES - 4);
  out.setWord(MARK_BYTES + 4, worker);
}
