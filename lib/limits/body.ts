/**
 * @module
 * Reads a request body within its limits of size and time. What is too large or too late is not read
 * further.
 */

/** Why a body was not read. */
export type BodyRefusal =
  | "body too large"
  | "body too slow"
  | "body broken off"
  | "body too slow, others need the place";

/** Text of a body (malformed UTF-8 becomes U+FFFD), or why there is none. */
export type BodyResult = { ok: true; text: string } | { ok: false; reason: BodyRefusal };

/** What a body may be. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** From the end of the head to the end of the body. */
  readonly timeoutMs: number;
}

/** The clock ticks so many times within the time limit; a reading may get one tick more. */
const TICKS = 10;

/** A body that is being read. */
interface Reading {
  readonly lastTick: number;
  readonly refuse: (reason: BodyRefusal) => void;
}

/**
 * Reads bodies. One coarse clock serves all of them: a timer for each request costs a tenth of the
 * throughput.
 */
export class BodyReader {
  readonly #limits: BodyLimits;
  readonly #readings = new Set<Reading>();
  #clock: ReturnType<typeof setInterval> | undefined;
  #tick = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** Reads the body of a request to its end, or refuses it. Never rejects. */
  read(request: Request): Promise<BodyResult> {
    const declared = request.headers.get("content-length");
    if (declared === null) return this.#readChunks(request);
    if (Number(declared) <= this.#limits.maxBytes) return this.#readWhole(request);
    return discardBody(request).then(() => ({ ok: false, reason: "body too large" }));
  }

  /** Refuses the body that has been coming for longest; false when none is being read. */
  giveUpSlowest(): boolean {
    for (const reading of this.#readings) {
      this.#readings.delete(reading);
      reading.refuse("body too slow, others need the place");
      return true;
    }
    return false;
  }

  /** Stops the clock; bodies that are being read have no deadline any more. */
  close(): void {
    clearInterval(this.#clock);
    this.#clock = undefined;
  }

  /** The fast way, for a declared length within the limit: the platform enforces it. */
  #readWhole(request: Request): Promise<BodyResult> {
    return new Promise((resolve) => {
      const reading = this.#start((reason) => resolve({ ok: false, reason }));
      const end = (result: BodyResult): void => {
        this.#readings.delete(reading);
        resolve(result);
      };
      request.text().then(
        (text) => end({ ok: true, text }),
        () => end({ ok: false, reason: "body broken off" }),
      );
    });
  }

  /** For bodies of unknown length. */
  async #readChunks(request: Request): Promise<BodyResult> {
    if (request.body === null) return { ok: true, text: "" };
    const reader = request.body.getReader();
    let refusal: BodyRefusal | undefined;
    const refuse = (reason: BodyRefusal): void => {
      refusal ??= reason;
      reader.cancel().catch(() => {});
    };
    const reading = this.#start(refuse);
    const decoder = new TextDecoder();
    let text = "", bytes = 0;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        bytes += value.length;
        if (bytes > this.#limits.maxBytes) refuse("body too large");
        else text += decoder.decode(value, { stream: true });
      }
    } catch {
      refusal ??= "body broken off";
    }
    this.#readings.delete(reading);
    if (refusal !== undefined) return { ok: false, reason: refusal };
    return { ok: true, text: text + decoder.decode() };
  }

  #start(refuse: Reading["refuse"]): Reading {
    const reading = { lastTick: this.#tick + TICKS, refuse };
    this.#readings.add(reading);
    this.#clock ??= setInterval(() => this.#onTick(), this.#limits.timeoutMs / TICKS);
    return reading;
  }

  /** Ends the readings that are due; a set keeps them in the order of their last ticks. */
  #onTick(): void {
    this.#tick++;
    for (const reading of this.#readings) {
      if (reading.lastTick >= this.#tick) break;
      this.#readings.delete(reading);
      reading.refuse("body too slow");
    }
    if (this.#readings.size === 0) this.close();
  }
}

/** Drops a body that nobody will read. */
export async function discardBody(request: Request): Promise<void> {
  await request.body?.cancel().catch(() => {});
}
