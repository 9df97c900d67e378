/**
 * @module
 * Lines of a stream of bytes, with a limit on how much of a line without end is kept. Bytes are counted
 * before any text is made of them.
 */

const NEWLINE = 10;

/** Splits a stream into lines; the part after the last line end waits for more. */
export class LineReader {
  readonly #decoder = new TextDecoder();
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #emptyLines = 0;

  /** Bytes of the line that is not complete yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** The beginning of the line that is not complete yet, as text. */
  pendingStart(length: number): string {
    return this.#decoder.decode(this.#joinPending().subarray(0, length));
  }

  /** Forgets the line that is not complete yet. */
  dropPending(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** How many empty lines were left out since the last time. */
  takeEmptyLines(): number {
    const count = this.#emptyLines;
    this.#emptyLines = 0;
    return count;
  }

  /** The lines that became complete, without their ends; empty lines are left out. */
  read(bytes: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      this.#keep(bytes.subarray(start, end));
      if (this.#pendingBytes > 0) lines.push(this.#decoder.decode(this.#joinPending()));
      else this.#emptyLines++;
      this.dropPending();
      start = end + 1;
    }
    // The stream reuses its memory.
    this.#keep(bytes.slice(start));
    return lines;
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  #joinPending(): Uint8Array {
    const [first] = this.#pending;
    if (first !== undefined && this.#pending.length === 1) return first;
    const joined = new Uint8Array(this.#pendingBytes);
    let done = 0;
    for (const part of this.#pending) {
      joined.set(part, done);
      done += part.length;
    }
    this.#pending = joined.length > 0 ? [joined] : [];
    return joined;
  }
}
