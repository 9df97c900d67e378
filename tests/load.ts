/**
 * @module
 * Many requests to a real server, as fast as one process can: over few connections that stay open, or
 * each on a connection of its own.
 */
const CONNECTIONS = 64;

/** How many answers there were of each status; 0 stands for a connection that ended without one. */
export type StatusCounts = ReadonlyMap<number, number>;

function requestBytes(body: string): Uint8Array {
  const length = new TextEncoder().encode(body).length;
  return new TextEncoder().encode(
    "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
      `Content-Length: ${length}\r\n\r\n${body}`,
  );
}

/** A connection that reads whole answers. */
class Exchange {
  readonly #connection: Deno.Conn;
  readonly #buffer = new Uint8Array(65_536);

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<Exchange> {
    return new Exchange(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends a request. @returns the status, 0 when the connection ended, and whether it goes on. */
  async send(body: string): Promise<{ status: number; goesOn: boolean }> {
    let text = "";
    try {
      const bytes = requestBytes(body);
      for (let done = 0; done < bytes.length;) {
        done += await this.#connection.write(bytes.subarray(done));
      }
      while (!isWhole(text)) {
        const length = await this.#connection.read(this.#buffer);
        if (length === null) break;
        text += new TextDecoder().decode(this.#buffer.subarray(0, length));
      }
    } catch {
      // Counts as ended.
    }
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);
    return { status, goesOn: status !== 0 && !/^connection: close/im.test(text) };
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

function isWhole(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
  return text.length >= end + 4 + length;
}

/** Sends each body once; a connection serves until its answer says that it ends. */
export async function sendAll(port: number, bodies: readonly string[]): Promise<StatusCounts> {
  const counts = new Map<number, number>();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < bodies.length) {
      using exchange = await Exchange.open(port);
      for (let goesOn = true; goesOn && next < bodies.length;) {
        const answer = await exchange.send(bodies[next++] ?? "");
        counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1);
        goesOn = answer.goesOn;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONNECTIONS, bodies.length) }, lane));
  return counts;
}
