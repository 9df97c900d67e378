/**
 * @module
 * The keys that are likely to have sealed a request from an address. Clients behind one address take
 * turns, mostly in the same order: the keys that were used around the expected one come first, then
 * those that were used last by anybody.
 */
import type { Box } from "../crypto/box.ts";
import type { Keyring, Slot } from "./keyring.ts";

/** Keys that are collected before they are tried: most senders are found among the first few. */
const FIRST_TRIES = 8;

/** What is known of an address from which requests were accepted. */
export interface AddressMemory {
  lastSlot: Slot;
  /** The key that was used next after the last likely one, the last time around; -1 when unknown. */
  expected: Slot;
  /**
   * The same after the last one that had to be searched for. Kept apart: a client that comes out of
   * turn does not change whose turn it is, unless others follow there.
   */
  expectedAfterSearch: Slot;
  acceptedAtSeconds: number;
}

/** Tries the keys that are likely. */
export class LikelyKeys {
  readonly #box: Box;
  readonly #keyring: Keyring;
  readonly #keys: Uint32Array;
  readonly #slots: Int32Array;

  /** @param most keys that are tried at most */
  constructor(box: Box, keyring: Keyring, most: number) {
    this.#box = box;
    this.#keyring = keyring;
    this.#keys = new Uint32Array(most);
    this.#slots = new Int32Array(most);
  }

  /** Slot of the first of `count` keys under which a value opens, or -1. */
  find(probe: Uint8Array, count: number, memory: AddressMemory | undefined): Slot {
    const walk = new LikelyWalk(this.#keyring, memory);
    for (let tried = 0; tried < count;) {
      const limit = tried === 0 ? Math.min(FIRST_TRIES, count) : count - tried;
      const found = walk.take(limit, this.#slots);
      if (found === 0) return -1;
      for (let i = 0; i < found; i++) {
        this.#keys[i] = this.#keyring.keyAt(this.#slots[i] ?? -1) ?? 0;
      }
      const index = this.#box.findKey(this.#keys.subarray(0, found), probe);
      if (index >= 0) return this.#slots[index] ?? -1;
      tried += found;
    }
    return -1;
  }
}

/**
 * The slots that are likely, likeliest first: by turns one on the newer and one on the older side of
 * each expected one, and one of the latest.
 */
class LikelyWalk {
  readonly #order: Keyring["order"];
  /** Where each part of the walk goes on; -1 at its end. */
  readonly #newer: [Slot, Slot];
  readonly #older: [Slot, Slot, Slot];

  constructor(keyring: Keyring, memory: AddressMemory | undefined) {
    const { order } = keyring;
    const usable = (slot: Slot): Slot => keyring.keyAt(slot) === undefined ? -1 : slot;
    const expected = usable(memory?.expected ?? -1);
    const afterSearch = usable(memory?.expectedAfterSearch ?? -1);
    this.#order = order;
    this.#newer = [expected, afterSearch];
    this.#older = [order.olderThan(expected), order.newest, order.olderThan(afterSearch)];
  }

  /** Writes the next slots, at most `limit`. @returns how many there were. */
  take(limit: number, slots: Int32Array): number {
    let count = 0;
    for (let before = -1; count > before;) {
      before = count;
      for (let i = 0; i < this.#newer.length && count < limit; i++) {
        const slot = this.#newer[i] ?? -1;
        if (slot < 0) continue;
        slots[count++] = slot;
        this.#newer[i] = this.#order.newerThan(slot);
      }
      for (let i = 0; i < this.#older.length && count < limit; i++) {
        const slot = this.#older[i] ?? -1;
        if (slot < 0) continue;
        slots[count++] = slot;
        this.#older[i] = this.#order.olderThan(slot);
      }
    }
    return count;
  }
}
