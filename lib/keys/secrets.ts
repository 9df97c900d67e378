/**
 * @module
 * Client secrets: the lines of the register, and the registered secrets in memory.
 *
 * A line of the register is either a secret (128 hex digits, as the original writes it) or `sha256:` and
 * the SHA-256 of those digits; where its time is limited, `until=` and the Unix time in seconds follow.
 * A secret has 512 random bits: its digest needs neither salt nor slowness (docs/protocol.md §1).
 *
 * In memory there are 128-bit fingerprints in flat arrays (24 bytes each): SipHash-2-4 under two keys
 * that are fresh in each process. Without the keys nobody can aim at a fingerprint or learn from the time
 * of a look-up how much of a secret was right. Whole fingerprints are compared in constant time.
 */
import { Buffer } from "node:buffer";
import type { Box, ShortHashKey } from "../crypto/box.ts";
import { DIGEST_BYTES, sha256 } from "../crypto/digest.ts";
import { parseSecret, type SecretHex } from "../crypto/keys.ts";

/** A line of the register. */
export type RegisterLine =
  | { readonly kind: "plain"; readonly secret: SecretHex; readonly until?: undefined }
  /** `until`: Unix time in seconds from which it is not valid any more. */
  | { readonly kind: "hashed"; readonly digest: Uint8Array; readonly until?: number };

const HASHED = /^sha256:([0-9a-f]{64})(?:\s+until=(\d{1,12}))?$/i;

/**
 * What a line of the register says, or `undefined` when it is malformed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(parseRegisterLine("ab".repeat(64))?.kind, "plain");
 * assert.equal(parseRegisterLine(`sha256:${"ab".repeat(32)} until=17`)?.until, 17);
 * assert.equal(parseRegisterLine("sha256:ab"), undefined);
 * ```
 */
export function parseRegisterLine(line: string): RegisterLine | undefined {
  const trimmed = line.trim();
  const secret = parseSecret(trimmed);
  if (secret !== undefined) return { kind: "plain", secret };
  const [, hex = "", until] = HASHED.exec(trimmed) ?? [];
  const digest = new Uint8Array(Buffer.from(hex, "hex"));
  if (digest.length !== DIGEST_BYTES) return undefined;
  return { kind: "hashed", digest, ...(until === undefined ? {} : { until: Number(until) }) };
}

/** The line for a secret that does not hold the secret. */
export function hashedLine(secret: SecretHex): string {
  return `sha256:${Buffer.from(sha256(secret)).toString("hex")}`;
}

/** 32-bit words of a fingerprint. */
const WORDS = 4;
const FIRST_CAPACITY = 64;

type FingerprintKeys = readonly [ShortHashKey, ShortHashKey];

/** Fingerprints with an index over them: open addressing, linear probing, at most half full. */
class FingerprintSet {
  readonly #box: Box;
  readonly #keys: FingerprintKeys;
  #fingerprints = new Uint32Array(FIRST_CAPACITY * WORDS);
  /** Number of a fingerprint + 1 at its place, 0 where empty; the length is a power of two. */
  #index = new Uint32Array(2 * FIRST_CAPACITY);
  #size = 0;
  /** Of the secret that is being looked up. */
  readonly #wanted = new Uint32Array(WORDS);

  constructor(box: Box, keys: FingerprintKeys) {
    this.#box = box;
    this.#keys = keys;
  }

  /** How many secrets are in the set. */
  get size(): number {
    return this.#size;
  }

  /** Adds a secret; a second time does nothing. */
  add(secret: Uint8Array): void {
    if (this.has(secret)) return;
    if (2 * (this.#size + 1) > this.#index.length) this.#grow();
    this.#fingerprints.set(this.#wanted, this.#size * WORDS);
    this.#place(this.#size++);
  }

  /** Whether these bytes are a registered secret. */
  has(secret: Uint8Array): boolean {
    const part = { data: secret, length: secret.length };
    this.#box.shortHash(this.#keys[0], part, { out: this.#wanted, at: 0 });
    this.#box.shortHash(this.#keys[1], part, { out: this.#wanted, at: 2 });
    const mask = this.#index.length - 1;
    for (let place = (this.#wanted[0] ?? 0) & mask;; place = (place + 1) & mask) {
      const number = (this.#index[place] ?? 0) - 1;
      if (number < 0) return false;
      if (this.#isWanted(number)) return true;
    }
  }

  #isWanted(number: number): boolean {
    let difference = 0;
    for (let i = 0; i < WORDS; i++) {
      difference |= (this.#fingerprints[number * WORDS + i] ?? 0) ^ (this.#wanted[i] ?? 0);
    }
    return difference === 0;
  }

  #place(number: number): void {
    const mask = this.#index.length - 1;
    let place = (this.#fingerprints[number * WORDS] ?? 0) & mask;
    while (this.#index[place] !== 0) place = (place + 1) & mask;
    this.#index[place] = number + 1;
  }

  #grow(): void {
    const fingerprints = new Uint32Array(2 * this.#fingerprints.length);
    fingerprints.set(this.#fingerprints);
    this.#fingerprints = fingerprints;
    this.#index = new Uint32Array(2 * this.#index.length);
    for (let number = 0; number < this.#size; number++) this.#place(number);
  }
}

/** The registered secrets: some known as they are, others by their SHA-256 only. */
export class SecretSet {
  readonly #keys: FingerprintKeys;
  /** Secrets, and those that turned out to have a registered digest: computing one takes 2 µs. */
  readonly #known: FingerprintSet;
  readonly #digests: FingerprintSet;
  #plainCount = 0;

  /** @param keys of another set that this one replaces: keys are never freed. */
  constructor(box: Box, keys = freshKeys(box)) {
    this.#keys = keys;
    this.#known = new FingerprintSet(box, keys);
    this.#digests = new FingerprintSet(box, keys);
  }

  /** An empty set that can replace this one. */
  successor(box: Box): SecretSet {
    return new SecretSet(box, this.#keys);
  }

  /** How many secrets are registered. */
  get size(): number {
    return this.#plainCount + this.#digests.size;
  }

  /** Adds a secret: the 128 bytes of its text. */
  add(secret: Uint8Array): void {
    const before = this.#known.size;
    this.#known.add(secret);
    this.#plainCount += this.#known.size - before;
  }

  /** Adds a secret of which only the SHA-256 is known. */
  addDigest(digest: Uint8Array): void {
    this.#digests.add(digest);
  }

  /** Whether these bytes are a registered secret. */
  has(secret: Uint8Array): boolean {
    if (this.#known.has(secret)) return true;
    if (this.#digests.size === 0 || !this.#digests.has(sha256(secret))) return false;
    this.#known.add(secret);
    return true;
  }
}

function freshKeys(box: Box): FingerprintKeys {
  const freshKey = (): ShortHashKey =>
    box.keepShortHashKey(crypto.getRandomValues(new Uint8Array(16)));
  return [freshKey(), freshKey()];
}
