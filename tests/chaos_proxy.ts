/**
 * @module
 * A proxy between clients and a server, on the level of TCP: it loses, delays, repeats, cuts, changes and
 * swaps what passes, by a random choice for each message.
 */

/** What may happen to one exchange. */
export const FAULTS = [
  "none",
  "request lost",
  "request cut",
  "request changed",
  "request late",
  "request twice, first answer",
  "request twice, second answer",
  "request twice at once",
  "answer lost",
  "answer cut",
  "answer changed",
  "answer late",
  "answer of an earlier message",
  "answer of a message at the same time",
  "401 in place of the answer",
  "401 in place of the request",
  "502 in place of the answer",
  "502 in place of the request",
  "a page in place of the answer",
  "the request in place of the answer",
] as const;
/** One of {@link FAULTS}. */
export type Fault = typeof FAULTS[number];

/** How it is set up. */
export interface ChaosOptions {
  /** Port of the server on this machine. */
  readonly port: number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** What happens to the next exchange. */
  readonly choose: () => Fault;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** A late message waits until this many others have passed, or for this time. */
const LATE_MESSAGES = 3;
const LATE_MS = 100;

const response = (status: string, body = ""): Bytes =>
  new TextEncoder().encode(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
const CLOSE = "\r\nConnection: close\r\n";
const REFUSAL = response("401 Unauthorized");
const BAD_GATEWAY = response("502 Bad Gateway");
const PAGE = response("200 OK", "<html>hello</html>");

/** The proxy. */
export class ChaosProxy {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #options: ChaosOptions;
  readonly #exchanges = new Set<Promise<void>>();
  readonly #waiting = new Set<{ left: number; resolve: () => void }>();
  readonly #earlier: Bytes[] = [];
  #swap: { readonly answer: Bytes; readonly resolve: (answer: Bytes) => void } | undefined;
  /** How often each fault happened. */
  readonly counts = new Map<Fault, number>();

  constructor(options: ChaosOptions) {
    this.#options = options;
    void this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Ends, after what is on its way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await Promise.all(this.#exchanges);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      const exchange = this.#exchange(connection).catch(() => {}).finally(() => {
        connection.close();
        this.#exchanges.delete(exchange);
      });
      this.#exchanges.add(exchange);
    }
  }

  /** One request of a connection, and its answer. */
  async #exchange(connection: Deno.Conn): Promise<void> {
    const request = await readRequest(connection);
    if (request === undefined) return;
    for (const each of this.#waiting) if (--each.left <= 0) each.resolve();
    const fault = this.#options.choose();
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
    const answer = await this.#answer(request, fault);
    if (answer !== undefined) await writeAll(connection, answer);
  }

  /** What the client gets; `undefined` when the connection ends without. */
  async #answer(request: Bytes, fault: Fault): Promise<Bytes | undefined> {
    const deliver = (bytes = request): Promise<Bytes> => this.#deliver(bytes, request.length);
    switch (fault) {
      case "request lost":
        return undefined;
      case "request cut":
        await deliver(this.#cut(request));
        return undefined;
      case "request changed":
        return await deliver(this.#change(request));
      case "request late":
        await this.#late();
        return await deliver();
      case "request twice, first answer": {
        const answer = await deliver();
        await deliver();
        return answer;
      }
      case "request twice, second answer":
        await deliver();
        return await deliver();
      case "request twice at once":
        return await Promise.race([deliver(), deliver()]);
      case "401 in place of the request":
        return REFUSAL;
      case "502 in place of the request":
        return BAD_GATEWAY;
    }
    const answer = await deliver();
    this.#earlier.push(answer);
    switch (fault) {
      case "answer lost":
        return undefined;
      case "answer cut":
        return this.#cut(answer);
      case "answer changed":
        return this.#change(answer);
      case "answer late":
        await this.#late();
        return answer;
      case "answer of an earlier message":
        return this.#earlier[Math.floor(this.#options.random() * this.#earlier.length)] ?? answer;
      case "answer of a message at the same time":
        return await this.#swapped(answer);
      case "401 in place of the answer":
        return REFUSAL;
      case "502 in place of the answer":
        return BAD_GATEWAY;
      case "a page in place of the answer":
        return PAGE;
      case "the request in place of the answer":
        return concat(headOf(answer, request), bodyOf(request));
    }
    return answer;
  }

  async #deliver(request: Bytes, whole: number): Promise<Bytes> {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#options.port });
    await writeAll(connection, request);
    // A server may take the end of a client's side for its end; for a part of a request it is meant.
    if (request.length < whole) await connection.closeWrite();
    const answer = new Uint8Array(await new Response(connection.readable).arrayBuffer());
    const head = new TextDecoder("latin1").decode(answer.slice(0, bodyStart(answer)));
    if (head === "") return answer;
    // A client that keeps the connection would send its next request to nobody.
    const closing = head.replace(/^connection:.*\r\n/im, "").replace("\r\n", CLOSE);
    return concat(new TextEncoder().encode(closing), answer.slice(bodyStart(answer)));
  }

  /** Waits for other messages. */
  async #late(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      const entry = { left: LATE_MESSAGES, resolve };
      this.#waiting.add(entry);
      timer = setTimeout(resolve, LATE_MS);
    });
    clearTimeout(timer);
  }

  /** The answer of another exchange, which gets this one; after a while without another, this one. */
  async #swapped(answer: Bytes): Promise<Bytes> {
    const other = this.#swap;
    if (other !== undefined) {
      this.#swap = undefined;
      other.resolve(answer);
      return other.answer;
    }
    const { promise, resolve } = Promise.withResolvers<Bytes>();
    const own = this.#swap = { answer, resolve };
    const timer = setTimeout(() => resolve(answer), LATE_MS);
    const swapped = await promise;
    clearTimeout(timer);
    if (this.#swap === own) this.#swap = undefined;
    return swapped;
  }

  /** The first part, from nothing to all but one byte. */
  #cut(bytes: Bytes): Bytes {
    return bytes.slice(0, Math.floor(this.#options.random() * bytes.length));
  }

  /** One bit of the body is another. */
  #change(bytes: Bytes): Bytes {
    const start = bodyStart(bytes);
    const changed = bytes.slice();
    const at = start + Math.floor(this.#options.random() * (bytes.length - start));
    changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(this.#options.random() * 8));
    return changed;
  }
}

/** A whole request, which the server is asked to close after. */
async function readRequest(connection: Deno.Conn): Promise<Bytes | undefined> {
  let bytes: Bytes = new Uint8Array();
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) return undefined;
    bytes = concat(bytes, buffer.slice(0, length));
    const start = bodyStart(bytes);
    const head = new TextDecoder("latin1").decode(bytes.slice(0, start));
    const [, size] = /^content-length: *(\d+)\r$/im.exec(head) ?? [];
    if (start === 0 || size === undefined || bytes.length < start + Number(size)) continue;
    const closing = head.replace(/^connection:.*\r\n/im, "").replace(
      "\r\n",
      "\r\nConnection: close\r\n",
    );
    return concat(new TextEncoder().encode(closing), bytes.slice(start));
  }
}

/** Where the body begins; 0 when the head is not whole. */
function bodyStart(bytes: Bytes): number {
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  return end < 0 ? 0 : end + 4;
}

function bodyOf(bytes: Bytes): Bytes {
  return bytes.slice(bodyStart(bytes));
}

/** The head of an answer, for another body. */
function headOf(answer: Bytes, request: Bytes): Bytes {
  const head = new TextDecoder("latin1").decode(answer.slice(0, bodyStart(answer)));
  const length = bodyOf(request).length;
  return new TextEncoder().encode(
    head.replace(/content-length: *\d+/i, `content-length: ${length}`),
  );
}

function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function writeAll(connection: Deno.Conn, bytes: Bytes): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
}
