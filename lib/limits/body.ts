/**
 * @module
 * Reads a request body within its limits of size and time. Whatever is too large or too slow is not
 * read further.
 */
import type { Refusal } from "../refusals.ts";
import { Places } from "./places.ts";

/** How a body is read: as text (malformed UTF-8 becomes U+FFFD), or as bytes. */
export type BodyForm = "text" | "bytes";

/** The content of a body, or why there is none. */
export type BodyResult =
  | { readonly ok: true; readonly content: string | Uint8Array<ArrayBuffer> }
  | Refusal<BodyRefusalCode>;

type BodyRefusalCode = "body_too_large" | "body_too_slow" | "body_incomplete" | "body_evicted";

/** Limits of a body. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** From the end of the head to the end of the body. */
  readonly timeoutMs: number;
}

/** Ticks of the clock within the time limit; a body may get one tick more. */
const TICKS = 10;
/**
 * A pending read of a body without a length holds this much. Deno's own default is 64 KiB, and 4,096
 * connections that send nothing would hold 256 MiB.
 */
const CHUNK_BYTES = 2048;

/** A body that is being read. */
interface Reading {
  place: number;
  readonly number: number;
  readonly lastTick: number;
  readonly refuse: (code: BodyRefusalCode) => void;
}

/** Reads bodies. They share one coarse clock: a timer for each costs a tenth of the throughput. */
export class BodyReader {
  readonly #limits: BodyLimits;
  readonly #readings = new Places<Reading>();
  #nextNumber = 0;
  #clock: ReturnType<typeof setInterval> | undefined;
  #tick = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** Reads the body of a request to its end, or refuses it. Never rejects. */
  read(request: Request, form: BodyForm): Promise<BodyResult> {
    const declared = request.headers.get("content-length");
    if (declared === null) return this.#readChunks(request, form);
    if (Number(declared) <= this.#limits.maxBytes) return this.#readWhole(request, form);
    return discardBody(request).then(() => ({ ok: false, code: "body_too_large" }));
  }

  /** Refuses the body that has been arriving for longest; false when none is being read. */
  evictSlowest(): boolean {
    let oldest: Reading | undefined;
    for (const reading of this.#readings) {
      if (oldest === undefined || reading.number < oldest.number) oldest = reading;
    }
    if (oldest === undefined) return false;
    this.#readings.remove(oldest);
    oldest.refuse("body_evicted");
    return true;
  }

  /** Stops the clock; bodies that are being read have no deadline any more. */
  close(): void {
    clearInterval(this.#clock);
    this.#clock = undefined;
  }

  /** The fast way, for a declared length within the limit, which Deno enforces. */
  #readWhole(request: Request, form: BodyForm): Promise<BodyResult> {
    return new Promise((resolve) => {
      const reading = this.#start((code) => resolve({ ok: false, code }));
      const end = (result: BodyResult): void => {
        this.#readings.remove(reading);
        resolve(result);
      };
      const content: Promise<string | Uint8Array<ArrayBuffer>> = form === "text"
        ? request.text()
        : request.arrayBuffer().then((buffer) => new Uint8Array(buffer));
      content.then(
        (content) => end({ ok: true, content }),
        () => end({ ok: false, code: "body_incomplete" }),
      );
    });
  }

  /** For bodies of unknown length. */
  async #readChunks(request: Request, form: BodyForm): Promise<BodyResult> {
    if (request.body === null) {
      return { ok: true, content: form === "text" ? "" : new Uint8Array() };
    }
    const pieces = new Pieces(request.body);
    let refusal: BodyRefusalCode | undefined;
    const refuse = (code: BodyRefusalCode): void => {
      refusal ??= code;
      pieces.cancel();
    };
    const reading = this.#start(refuse);
    const bytes = new GrowingBytes(this.#limits.maxBytes);
    try {
      while (refusal === undefined) {
        const piece = await pieces.next();
        if (piece === undefined) break;
        if (!bytes.append(piece)) refuse("body_too_large");
      }
    } catch {
      refusal ??= "body_incomplete";
    }
    this.#readings.remove(reading);
    if (refusal !== undefined) return { ok: false, code: refusal };
    const content = bytes.take();
    return { ok: true, content: form === "text" ? new TextDecoder().decode(content) : content };
  }

  #start(refuse: Reading["refuse"]): Reading {
    const number = this.#nextNumber++;
    const reading = { place: -1, number, lastTick: this.#tick + TICKS, refuse };
    this.#readings.add(reading);
    this.#clock ??= setInterval(() => this.#onTick(), this.#limits.timeoutMs / TICKS);
    return reading;
  }

  /** Ends the readings that are due. */
  #onTick(): void {
    this.#tick++;
    for (const reading of this.#readings) {
      if (reading.lastTick >= this.#tick) continue;
      this.#readings.remove(reading);
      reading.refuse("body_too_slow");
    }
    if (this.#readings.size === 0) this.close();
  }
}

/** The pieces of a stream, of {@link CHUNK_BYTES} at most. */
class Pieces {
  readonly #reader: ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array>;
  #buffer = new ArrayBuffer(CHUNK_BYTES);

  constructor(stream: ReadableStream<Uint8Array>) {
    try {
      this.#reader = stream.getReader({ mode: "byob" });
    } catch {
      // Deno 2.9 gives an empty body without a length as a stream that is not one of bytes.
      this.#reader = stream.getReader();
    }
  }

  /** The next piece, valid until the call after; `undefined` at the end. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#reader instanceof ReadableStreamDefaultReader) {
      return (await this.#reader.read()).value;
    }
    const { done, value } = await this.#reader.read(new Uint8Array(this.#buffer));
    if (done || value === undefined) return undefined;
    this.#buffer = value.buffer;
    return value;
  }

  cancel(): void {
    this.#reader.cancel().catch(() => {});
  }
}

/** Bytes that arrive in pieces, up to a limit. */
class GrowingBytes {
  readonly #limit: number;
  #bytes = new Uint8Array(0);
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns false when that would be more than the limit. */
  append(piece: Uint8Array): boolean {
    const length = this.#length + piece.length;
    if (length > this.#limit) return false;
    if (length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.min(this.#limit, 2 * length));
      bytes.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = bytes;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
    return true;
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Drops a body that nobody will read. */
export async function discardBody(request: Request): Promise<void> {
  await request.body?.cancel().catch(() => {});
}
