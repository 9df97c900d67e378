/**
 * @module
 * `fetch` for the commands of a client: which proxy is asked, which authority is trusted, and what is said
 * with --verbose.
 */
import { resolve } from "node:path";
import { toHex } from "../client/bytes.ts";
import { CallError, reasonOf } from "../lib/errors.ts";
import { count } from "../lib/prose.ts";

/** What a network does beside sending. */
export interface NetworkOptions {
  /** File of a certificate authority to trust beside those of the system, in PEM. */
  readonly ca: string | undefined;
  /** Says what was sent and received. */
  readonly note: ((line: string) => void) | undefined;
}

/** The way to servers, to be closed. Keeps the last response, for what it says about an error. */
export class Network {
  readonly #client: Deno.HttpClient;
  readonly #note: NetworkOptions["note"];
  /** The last response; `undefined` when the last request had none. */
  response: Response | undefined;

  private constructor(
    client: Deno.HttpClient,
    /** The variable whose proxy is asked, where one is. */
    readonly proxy: string | undefined,
    note: NetworkOptions["note"],
  ) {
    this.#client = client;
    this.#note = note;
  }

  /**
   * @param url of the server; for one on this machine, no proxy is used
   * @throws {CallError} when there is no certificate in a file.
   */
  static async open(url: URL, { ca, note }: NetworkOptions): Promise<Network> {
    const caCerts = ca === undefined ? [] : [await readCertificate(ca)];
    // The HTTP client reads them once, here.
    if (isLoopback(url)) {
      for (const name of variables("HTTP", "HTTPS", "ALL")) Deno.env.delete(name);
    }
    return new Network(Deno.createHttpClient({ caCerts }), proxyVariable(url), note);
  }

  /** Sends a request. */
  readonly fetch = async (target: string, init: RequestInit): Promise<Response> => {
    this.response = undefined;
    const begin = performance.now();
    const { host, pathname } = new URL(target);
    const what = `POST ${host}${pathname}: ${describeBody(init.body)}`;
    const took = (): string => `${Math.round(performance.now() - begin)} ms`;
    try {
      this.response = await fetch(target, { ...init, client: this.#client });
    } catch (error) {
      this.#note?.(`${what}, no response after ${took()}`);
      throw error;
    }
    this.#note?.(`${what}, status ${this.response.status} after ${took()}`);
    return this.response;
  };

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/**
 * Reads a certificate.
 *
 * @throws {CallError} when there is none in the file.
 */
async function readCertificate(file: string): Promise<string> {
  const path = resolve(file);
  try {
    const text = await Deno.readTextFile(path);
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  } catch (error) {
    throw new CallError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  throw new CallError(`Cannot use ${path}: it holds no CERTIFICATE in PEM`);
}

/** Whether a URL is that of this machine. */
function isLoopback({ hostname }: URL): boolean {
  return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/i.test(hostname);
}

/** The variable whose proxy is asked for a URL, where one is. */
function proxyVariable(url: URL): string | undefined {
  const isExcluded = variables("NO").some((name) =>
    (Deno.env.get(name) ?? "").split(",").map((each) => each.trim().replace(/^\*?\./, ""))
      .some((each) => each === "*" || each !== "" && `.${url.hostname}`.endsWith(`.${each}`))
  );
  if (isExcluded) return undefined;
  const scheme = url.protocol === "https:" ? "HTTPS" : "HTTP";
  return variables(scheme, "ALL").find((name) => Deno.env.get(name));
}

function variables(...kinds: readonly string[]): string[] {
  return kinds.flatMap((kind) => [`${kind}_PROXY`, `${kind}_proxy`.toLowerCase()]);
}

/** What a message of protocol v2 is, with the reference that stands in the server's log. */
function describeBody(body: RequestInit["body"]): string {
  if (!(body instanceof Uint8Array)) return "request";
  const size = count(body.length, "byte");
  const hex = (from: number): string => toHex(body.subarray(from, from + 4));
  // docs/protocol-v2.md: a hello has its key after 9 bytes, a call its nonce after the ticket.
  if (body[0] === 0x01) return `hello ${hex(9)}, ${size}`;
  if (body[0] !== 0x03) return size;
  const ticketEnd = 3 + ((body[1] ?? 0) << 8 | (body[2] ?? 0));
  return `call ${hex(ticketEnd + 4)}, ${size}`;
}
