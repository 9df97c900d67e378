/**
 * @module
 * Numbers and texts as bytes, one after the other, for the frames between server and function host
 * (frames.ts). Numbers have four bytes, little-endian; a text or a list of bytes follows its length.
 */

/** Bytes of a number. */
export const WORD_BYTES = 4;
/** Stands in place of a length where there is no text. */
const ABSENT = 0xffff_ffff;
const FIRST_CAPACITY = 16 * 1024;
/** Memory beyond this is given back once it was used. */
const KEPT_CAPACITY = 256 * 1024;
/** Characters of a text that is written without knowing its length before. */
const SHORT_TEXT = 4096;
/** A UTF-16 unit is three bytes of UTF-8 at most. */
const MOST_BYTES_PER_UNIT = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** UTF-8 as text; malformed bytes become U+FFFD, a byte order mark stays. */
export function toText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Writes into memory that is used again. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Bytes that were written since {@link ByteWriter.clear}. */
  get length(): number {
    return this.#length;
  }

  /** What was written; valid until the next change. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Begins again. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > KEPT_CAPACITY) this.#useCapacity(FIRST_CAPACITY);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** @param value a whole number below 2^32 */
  word(value: number): void {
    this.#reserve(WORD_BYTES);
    this.#view.setUint32(this.#length, value, true);
    this.#length += WORD_BYTES;
  }

  /** Replaces a number that was written before. */
  setWord(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  /** Replaces a byte that was written before. */
  setByte(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  /** Bytes as they are, without their length. */
  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A text with its length, or a mark that there is none. */
  text(text: string | undefined): void {
    if (text === undefined) return this.word(ABSENT);
    if (text.length > SHORT_TEXT) {
      const bytes = encoder.encode(text);
      this.word(bytes.length);
      return this.bytes(bytes);
    }
    this.#reserve(WORD_BYTES + MOST_BYTES_PER_UNIT * text.length);
    const start = this.#length + WORD_BYTES;
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start));
    this.word(written);
    this.#length += written;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed > this.#bytes.length) this.#useCapacity(Math.max(needed, 2 * this.#bytes.length));
  }

  #useCapacity(capacity: number): void {
    const bytes = new Uint8Array(capacity);
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** Reads what a {@link ByteWriter} wrote, or what somebody else made up. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Whether everything was read. */
  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** @throws {RangeError} at the end */
  byte(): number {
    return this.#view.getUint8(this.#at++);
  }

  /** @throws {RangeError} at the end */
  word(): number {
    const value = this.#view.getUint32(this.#at, true);
    this.#at += WORD_BYTES;
    return value;
  }

  /**
   * The bytes of a text, as a view; `undefined` where there is none.
   *
   * @throws {RangeError} when there are fewer bytes than it says.
   */
  textBytes(): Uint8Array | undefined {
    const length = this.word();
    if (length === ABSENT) return undefined;
    if (length > this.#bytes.length - this.#at) throw new RangeError("a text without its end");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /**
   * A text; `undefined` where there is none.
   *
   * @throws {RangeError} when there are fewer bytes than it says.
   */
  text(): string | undefined {
    const bytes = this.textBytes();
    return bytes && toText(bytes);
  }
}
