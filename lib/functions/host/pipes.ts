/**
 * @module
 * The pipes of a function host, as raw reads and writes: a web stream takes longer than the call that
 * comes through it.
 */
import { toText } from "../wire/bytes.ts";
import { TO_HOST_HEAD } from "../wire/frames.ts";

/** A frame of the server; the payload is a view that is valid until the next one is read. */
export interface Frame {
  readonly kind: number;
  readonly worker: number;
  readonly payload: Uint8Array;
}

/** What frames are read from. */
export interface Input {
  read(buffer: Uint8Array): Promise<number | null>;
  readSync(buffer: Uint8Array): number | null;
}

/** Memory for frames; a larger frame gets more, which is given back afterwards. */
const BUFFER_BYTES = 64 * 1024;
/** Bytes in front of what the length of a frame counts. */
const LENGTH_BYTES = 4;

/** Reads frames. */
export class FrameInput {
  readonly #input: Input;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;

  constructor(input: Input) {
    this.#input = input;
  }

  /** The next frame, and not a byte more; waits without an event loop. `undefined` at the end. */
  readNow(): Frame | undefined {
    if (!this.#fill(TO_HOST_HEAD)) return undefined;
    const length = this.#frameLength(0);
    this.#reserve(length);
    if (!this.#fill(length)) return undefined;
    this.#used = 0;
    return this.#frame(0, length);
  }

  /** Gives each frame to a handler; resolves at the end. */
  async run(handle: (frame: Frame) => void): Promise<void> {
    while (true) {
      const count = await this.#input.read(this.#buffer.subarray(this.#used));
      if (count === null) return;
      this.#used += count;
      let at = 0;
      while (this.#used - at >= TO_HOST_HEAD) {
        const length = this.#frameLength(at);
        if (this.#used - at < length) break;
        handle(this.#frame(at, length));
        at += length;
      }
      if (at > 0) this.#buffer.copyWithin(0, at, this.#used);
      this.#used -= at;
      this.#reserve(this.#used < TO_HOST_HEAD ? BUFFER_BYTES : this.#frameLength(0));
    }
  }

  #fill(count: number): boolean {
    while (this.#used < count) {
      const read = this.#input.readSync(this.#buffer.subarray(this.#used, count));
      if (read === null) return false;
      this.#used += read;
    }
    return true;
  }

  #frameLength(at: number): number {
    return LENGTH_BYTES + wordAt(this.#buffer, at);
  }

  #frame(at: number, length: number): Frame {
    return {
      kind: this.#buffer[at + LENGTH_BYTES] ?? 0,
      worker: wordAt(this.#buffer, at + LENGTH_BYTES + 1),
      payload: this.#buffer.subarray(at + TO_HOST_HEAD, at + length),
    };
  }

  /** Has room for that many bytes, and not for much more. */
  #reserve(length: number): void {
    const capacity = Math.max(BUFFER_BYTES, length);
    if (this.#buffer.length === capacity) return;
    const buffer = new Uint8Array(capacity);
    buffer.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = buffer;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) | (bytes[at + 1] ?? 0) << 8 | (bytes[at + 2] ?? 0) << 16 |
    (bytes[at + 3] ?? 0) << 24) >>> 0;
}

/** The message of a frame in JSON. */
export function jsonOf<T>({ payload }: Frame): T {
  // A text follows its length.
  return JSON.parse(toText(payload.subarray(LENGTH_BYTES)));
}

/** Writes bytes to the end. */
export function writeAll(
  output: { writeSync(bytes: Uint8Array): number },
  bytes: Uint8Array,
): void {
  for (let done = 0; done < bytes.length;) done += output.writeSync(bytes.subarray(done));
}

/** Bytes of hexadecimal digits. */
export function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
