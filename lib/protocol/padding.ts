/**
 * @module
 * Pads answers as the client's library pads calls, in memory that is used again.
 */
import { PADDING_BYTES, padText } from "../../client/messages.ts";

/** Longer texts get memory of their own. */
const MAX_TEXT_LENGTH = 2048;
/** A UTF-16 unit is three bytes at most. */
const BYTES_PER_UNIT = 3;
const SPACE = 0x20;
const encoder = new TextEncoder();

/** Pads texts. */
export class Padding {
  readonly #bytes = new Uint8Array(BYTES_PER_UNIT * MAX_TEXT_LENGTH + PADDING_BYTES);

  /** As {@link padText}, as a view that is valid until the next call. */
  pad(text: string): Uint8Array<ArrayBuffer> {
    if (text.length > MAX_TEXT_LENGTH) return padText(text);
    const { written } = encoder.encodeInto(text, this.#bytes);
    const length = Math.ceil(written / PADDING_BYTES) * PADDING_BYTES;
    this.#bytes.fill(SPACE, written, length);
    return this.#bytes.subarray(0, length);
  }
}
