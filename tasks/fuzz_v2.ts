/**
 * @module
 * Malformed requests of protocol v2, made from good ones by a seeded generator. At least one byte differs
 * from a good message, so that none may be answered.
 */
import { concat } from "../client/bytes.ts";
import { randomFrom } from "../tests/random.ts";
import { connectTo, registerProfile } from "../tests/v2_client.ts";
import type { TempFolder } from "../tests/program.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A hello, and a call with a good ticket that was never delivered. */
export async function captureV2(folder: TempFolder, url: string): Promise<readonly Bytes[]> {
  const captured: Bytes[] = [];
  const home = connectTo(url, await registerProfile(folder, "fuzz"), {
    fetch(target, init): Promise<Response> {
      captured.push(init.body as Bytes);
      return captured.length === 1 ? fetch(target, init) : Promise.reject(new TypeError("held"));
    },
  });
  await home.call("time_test").catch(() => {});
  return captured;
}

/** Changes good messages. */
export class V2Mutator {
  readonly #random: () => number;
  readonly #good: readonly Bytes[];

  constructor(seed: number, good: readonly Bytes[]) {
    this.#random = randomFrom(seed);
    this.#good = good;
  }

  /** The bytes of a whole HTTP request, and what was done. */
  next(): { readonly bytes: Bytes; readonly how: string } {
    const good = this.#good[this.#below(this.#good.length)] ?? new Uint8Array();
    const [how, change] = CHANGES[this.#below(CHANGES.length)] ?? CHANGES[0];
    const body = change(Uint8Array.from(good), (limit) => this.#below(limit));
    const head = `POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n` +
      `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
    return { bytes: concat(new TextEncoder().encode(head), body), how: `v2, ${how}` };
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

type Change = (body: Bytes, below: (limit: number) => number) => Bytes;

const CHANGES: readonly [[string, Change], ...[string, Change][]] = [
  ["a flipped bit", (body, below) => {
    const at = below(body.length);
    body[at] = (body[at] ?? 0) ^ (1 << below(8));
    return body;
  }],
  ["cut", (body, below) => body.slice(0, below(body.length))],
  ["longer", (body, below) => concat(body, new Uint8Array(1 + below(2000)))],
  ["another kind", (body, below) => {
    body[0] = 5 + below(250);
    return body;
  }],
  ["another length of the ticket", (body, below) => {
    body[1] = 1 + below(255);
    body[2] = below(256);
    return body;
  }],
  ["any bytes", (_body, below) => {
    const bytes = new Uint8Array(below(2000));
    for (let i = 0; i < bytes.length; i++) bytes[i] = below(256);
    bytes[0] = 1 + below(4);
    return bytes;
  }],
  ["twice", (body) => concat(body, body)],
];
