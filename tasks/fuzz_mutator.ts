/**
 * @module
 * Malformed requests, as bytes on a connection: each is a good one in which one thing is not as it should
 * be. The same seed gives the same kinds of faults in the same order.
 */
import { Buffer } from "node:buffer";
import { HOSTILE_TEXTS } from "../tests/hostile.ts";
import { randomFrom } from "../tests/random.ts";

/** A request, and what is wrong with it. */
export interface Malformed {
  readonly bytes: Uint8Array;
  readonly how: string;
}

/** The parts of a request. */
interface Parts {
  method: string;
  target: string;
  headers: [string, string][];
  body: Uint8Array;
}

const MEMBERS = ["id", "check", "ts", "entry"] as const;
/** Good requests that are sealed at the start; sealing takes longer than breaking. */
const SAMPLES = 50;
const METHODS = [
  "GET",
  "PUT",
  "DELETE",
  "PATCH",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "post",
  "X",
];

/** Makes malformed requests. */
export class Mutator {
  readonly #random: () => number;
  readonly #bodies: readonly string[];
  readonly #faults: Readonly<Record<string, (parts: Parts) => void>> = {
    "a member of another kind": (parts) =>
      this.#setMember(parts, this.#pick([1, null, [], {}, true])),
    "a member without": (parts) => this.#changeJson(parts, (json) => delete json[this.#member()]),
    "a hostile member": (parts) => this.#setMember(parts, this.#pick(HOSTILE_TEXTS).slice(0, 9000)),
    "sealed bytes flipped": (parts) => this.#changeSealed(parts, (bytes) => this.#flip(bytes)),
    "sealed bytes cut": (parts) =>
      this.#changeSealed(parts, (bytes) => bytes.subarray(0, this.#below(bytes.length))),
    "sealed bytes added": (parts) =>
      this.#changeSealed(
        parts,
        (bytes) => Buffer.concat([bytes, this.#bytes(1 + this.#below(300))]),
      ),
    "sealed bytes at random": (parts) =>
      this.#changeSealed(parts, () => this.#bytes(this.#below(300))),
    "base64 that is none": (parts) =>
      this.#changeMember(
        parts,
        (text) => this.#splice(text, this.#pick(["%", " ", "=", "\u00e9", "\\", "\0"])),
      ),
    "members exchanged": (parts) =>
      this.#changeJson(parts, (json) => {
        [json["id"], json["entry"]] = [json["entry"], json["id"]];
      }),
    "JSON cut": (parts) => {
      parts.body = parts.body.subarray(0, this.#below(parts.body.length));
    },
    "JSON with a byte flipped": (parts) => {
      parts.body = this.#breakJson(parts.body);
    },
    "a hostile body": (parts) => {
      parts.body = Buffer.from(this.#pick(HOSTILE_TEXTS));
    },
    "random bytes as a body": (parts) => {
      parts.body = this.#bytes(this.#below(2000));
    },
    "another method": (parts) => {
      parts.method = this.#pick(METHODS);
    },
    "another target": (parts) => {
      parts.target = this.#pick([
        "/",
        "/v2",
        "/v1/x",
        "//v1",
        "/V1",
        "/%76%31",
        "/../v1",
        "*",
        "/v1\0",
        "v1",
      ]);
      // One more flipped bit would make some of them right.
      parts.body = this.#breakJson(parts.body);
    },
    "a header too many": (parts) => {
      const line = this.#pick([
        ["Transfer-Encoding", "chunked"],
        ["Content-Length", "7"],
        ["X", "y".repeat(this.#below(70_000))],
        ["Content-Encoding", "gzip"],
        ["Upgrade", "websocket"],
        [this.#bytes(5).toString("latin1"), "z"],
      ]);
      parts.headers.push([line[0] ?? "", line[1] ?? ""]);
      // With some of them the request would still be a good one.
      parts.body = this.#breakJson(parts.body);
    },
    "many headers": (parts) => {
      for (let i = 0; i < 300; i++) parts.headers.push([`X-${i}`, "y"]);
      parts.body = this.#breakJson(parts.body);
    },
    "a type that is not JSON": (parts) => {
      parts.headers[1] = [
        "Content-Type",
        this.#pick(["text/plain", "", "application/jsonx", "\u00ff"]),
      ];
    },
  };

  /** @param sample gives the body of a good request */
  constructor(seed: number, sample: () => string) {
    this.#random = randomFrom(seed);
    this.#bodies = Array.from({ length: SAMPLES }, sample);
  }

  /** The next one. */
  next(): Malformed {
    const parts: Parts = {
      method: "POST",
      target: "/v1",
      headers: [["Host", "127.0.0.1"], ["Content-Type", "application/json"]],
      body: Buffer.from(this.#pick(this.#bodies)),
    };
    const how = this.#pick(Object.keys(this.#faults));
    this.#faults[how]?.(parts);
    let bytes = serialize(parts);
    // Some of them also break off, or have a byte flipped anywhere.
    const roll = this.#below(20);
    if (roll === 0) bytes = bytes.subarray(0, 1 + this.#below(bytes.length - 1));
    else if (roll === 1) bytes = this.#flip(bytes);
    return { bytes, how };
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(values: readonly T[]): T {
    const value = values[this.#below(values.length)];
    if (value === undefined) throw new Error("nothing to pick from");
    return value;
  }

  #bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#below(256)));
  }

  #member(): string {
    return this.#pick(MEMBERS);
  }

  #flip(bytes: Uint8Array): Buffer {
    const flipped = Buffer.from(bytes);
    const at = this.#below(flipped.length);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << this.#below(8));
    return flipped;
  }

  /** Makes sure that a body is not a valid request any more, whatever else changes in it. */
  #breakJson(body: Uint8Array): Buffer {
    const broken = Buffer.from(body);
    broken[this.#below(broken.length)] = 0;
    return broken;
  }

  #splice(text: string, inserted: string): string {
    const at = this.#below(text.length);
    return text.slice(0, at) + inserted + text.slice(at);
  }

  #changeJson(parts: Parts, change: (json: Record<string, unknown>) => void): void {
    const json = JSON.parse(new TextDecoder().decode(parts.body));
    change(json);
    parts.body = Buffer.from(JSON.stringify(json));
  }

  #setMember(parts: Parts, value: unknown): void {
    this.#changeJson(parts, (json) => void (json[this.#member()] = value));
  }

  #changeMember(parts: Parts, change: (text: string) => string): void {
    this.#changeJson(parts, (json) => {
      const name = this.#member();
      json[name] = change(String(json[name]));
    });
  }

  #changeSealed(parts: Parts, change: (bytes: Buffer) => Uint8Array): void {
    this.#changeMember(
      parts,
      (text) => Buffer.from(change(Buffer.from(text, "base64url"))).toString("base64url"),
    );
  }
}

function serialize({ method, target, headers, body }: Parts): Buffer {
  const lines = [...headers, ["Content-Length", String(body.length)]];
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/1.1\r\n${head}\r\n`, "latin1"),
    body,
  ]);
}
