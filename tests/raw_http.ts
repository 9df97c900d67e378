/**
 * @module
 * HTTP written by hand, for requests that no client library sends.
 */

/** A connection to a server, with what it answered so far. */
export class RawConnection {
  readonly #connection: Deno.Conn;
  #text = "";

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) {
      done += await this.#connection.write(bytes.subarray(done));
    }
  }

  /** The head of the next answer (without its Date), or what came before the connection ended. */
  async readHead(): Promise<string> {
    const buffer = new Uint8Array(65536);
    const decoder = new TextDecoder();
    while (!this.#text.includes("\r\n\r\n")) {
      const count = await this.#connection.read(buffer).catch(() => null);
      if (count === null) break;
      this.#text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    const end = this.#text.indexOf("\r\n\r\n");
    const head = end < 0 ? this.#text : this.#text.slice(0, end + 4);
    this.#text = this.#text.slice(head.length);
    return head.replace(/^date: .*\r\n/im, "");
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** Sends one request, and gives the head of the answer. */
export async function rawRequest(port: number, text: string): Promise<string> {
  using connection = await RawConnection.open(port);
  await connection.send(text);
  return await connection.readHead();
}
