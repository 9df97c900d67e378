/**
 * @module
 * What is registered now, in memory: the shared key of each client with this server, computed once,
 * and a keyed digest of each secret. Reads no files (store.ts) and knows no senders (sender.ts).
 */
import { timingSafeEqual } from "node:crypto";
import type { Box, SharedKey } from "../crypto/box.ts";
import type { PrivateKey } from "../crypto/keys.ts";
import type { StoreContent, StoreFault } from "./store.ts";

/** The registered keys and secrets of one moment. */
export class Keyring {
  readonly #box: Box;
  readonly #digests = new Map<number, Uint8Array[]>();
  /** Fresh in each process, so that nobody outside can know what a digest looks like. */
  readonly #digestKey = crypto.getRandomValues(new Uint8Array(32));
  /** One shared key a registered client, in the order of the store. */
  readonly sharedKeys: readonly SharedKey[];
  /** How many secrets are registered. */
  readonly secretCount: number;
  /** Keys that cannot be used. */
  readonly faults: readonly StoreFault[];

  /** Derives the shared keys, about 0.1 ms each. */
  constructor(box: Box, serverPrivateKey: PrivateKey, content: StoreContent) {
    this.#box = box;
    const faults: StoreFault[] = [];
    const sharedKeys: SharedKey[] = [];
    for (const { path, publicKey } of content.clients) {
      const key = box.deriveSharedKey(publicKey, serverPrivateKey);
      if (key !== undefined) sharedKeys.push(key);
      else faults.push({ path, state: "a point of low order, no safe key, skipped" });
    }
    this.sharedKeys = sharedKeys;
    this.faults = faults;
    const encoder = new TextEncoder();
    for (const secret of content.secrets) this.#addSecret(encoder.encode(secret));
    this.secretCount = content.secrets.length;
  }

  /**
   * Whether these bytes are a registered secret. The time tells nothing of how much was right: what
   * is looked up is a digest under a key that the sender cannot know, and whole digests are compared
   * in constant time.
   */
  isRegisteredSecret(secret: Uint8Array): boolean {
    const digest = this.#box.hash(this.#digestKey, secret);
    const candidates = this.#digests.get(indexOf(digest));
    return candidates?.some((candidate) => timingSafeEqual(candidate, digest)) ?? false;
  }

  #addSecret(secret: Uint8Array): void {
    const digest = this.#box.hash(this.#digestKey, secret);
    const index = indexOf(digest);
    this.#digests.set(index, [...this.#digests.get(index) ?? [], digest]);
  }
}

/** The first 48 bits of a digest as a number. */
function indexOf(digest: Uint8Array): number {
  let index = 0;
  for (let i = 0; i < 6; i++) index = index * 256 + (digest[i] ?? 0);
  return index;
}
