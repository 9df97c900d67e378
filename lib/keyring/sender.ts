/**
 * @module
 * Which registered key opened this? A request does not say who sent it (docs/protocol.md §3), so
 * keys are tried: first the one that was last used from the same address, then all. `check` is the
 * value to try, because it is the shortest; the others must then open under the same key.
 */
import type { Box, SharedKey } from "../crypto/box.ts";
import type { OpenedRequest, SealedRequest } from "../protocol/v1.ts";
import type { Keyring } from "./keyring.ts";

/** Addresses whose last key is kept; the one unused for longest goes first. */
const MAX_ADDRESSES = 10_000;

/** A request that authenticated. */
export interface Sender {
  /** The key for the answer. */
  readonly key: SharedKey;
  /** Valid until the next search. */
  readonly opened: OpenedRequest;
}

/** Finds senders, and remembers which key an address used. */
export class SenderFinder {
  readonly #box: Box;
  readonly #keyring: Keyring;
  readonly #lastKeys = new Map<string, SharedKey>();

  constructor(box: Box, keyring: Keyring) {
    this.#box = box;
    this.#keyring = keyring;
  }

  /** How many addresses have a last key. */
  get addressCount(): number {
    return this.#lastKeys.size;
  }

  /** The registered sender of a request, or `undefined` for a stranger (or a tampered value). */
  find(request: SealedRequest, address: string): Sender | undefined {
    const lastKey = this.#lastKeys.get(address);
    if (lastKey !== undefined) {
      const opened = this.#open(lastKey, request);
      if (opened !== undefined) return { key: lastKey, opened };
    }
    const key =
      this.#keyring.sharedKeys[this.#box.findKey(this.#keyring.sharedKeys, request.check)];
    if (key === undefined) return undefined;
    const opened = this.#open(key, request);
    return opened === undefined ? undefined : { key, opened };
  }

  /** Notes that an accepted request from this address used this key. */
  remember(address: string, key: SharedKey): void {
    if (this.#lastKeys.get(address) === key && this.#lastKeys.size < MAX_ADDRESSES) return;
    this.#lastKeys.delete(address);
    this.#lastKeys.set(address, key);
    if (this.#lastKeys.size <= MAX_ADDRESSES) return;
    for (const oldest of this.#lastKeys.keys()) {
      this.#lastKeys.delete(oldest);
      break;
    }
  }

  #open(key: SharedKey, request: SealedRequest): OpenedRequest | undefined {
    const [check, id, ts, entry] =
      this.#box.openAll(key, [request.check, request.id, request.ts, request.entry]) ?? [];
    if (check === undefined || id === undefined || ts === undefined || entry === undefined) {
      return undefined;
    }
    return { id, check, ts, entry };
  }
}
