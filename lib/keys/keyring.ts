/**
 * @module
 * What is registered now, in memory: the shared key of each client with this server, computed once,
 * in numbered slots, and the secrets. Keys may come and go while requests run. Reads no files
 * (store.ts) and knows no senders (sender.ts).
 */
import type { Box, SharedKey } from "../crypto/box.ts";
import type { PrivateKey, PublicKey, SecretHex } from "../crypto/keys.ts";
import { SecretSet } from "./secrets.ts";
import { UseOrder } from "./use_order.ts";

/** The number of a registered key, for as long as it is registered. */
export type Slot = number;

/** What the server knows of a registered key. */
export interface ClientRecord {
  readonly slot: Slot;
  /** Differs between keys that had the same slot one after the other. */
  readonly generation: number;
  /** First 16 hex digits of the SHA-256 of the public key. */
  readonly fingerprint: string;
  /** Name of its file in the key store. */
  readonly file: string;
  /** The operator's name for it. */
  readonly name?: string;
}

const FIRST_CAPACITY = 64;
const ENCODER = new TextEncoder();

/** The registered keys and secrets. */
export class Keyring {
  readonly #box: Box;
  #serverPrivateKey: PrivateKey;
  #secrets: SecretSet;
  /** Handles of the shared keys; 0 in a slot that is free. */
  #keys = new Uint32Array(FIRST_CAPACITY);
  /** 1 in a slot whose key was used. */
  #used = new Uint8Array(FIRST_CAPACITY);
  #slotCount = 0;
  #size = 0;
  readonly #freeSlots: Slot[] = [];
  readonly #order = new UseOrder();

  constructor(box: Box, serverPrivateKey: PrivateKey) {
    this.#box = box;
    this.#serverPrivateKey = serverPrivateKey;
    this.#secrets = new SecretSet(box);
  }

  /** How many keys are registered. */
  get size(): number {
    return this.#size;
  }

  /** Slots in use are below this number. */
  get slotCount(): number {
    return this.#slotCount;
  }

  /** The slots in the order of their last use. */
  get order(): Pick<UseOrder, "newest" | "newerThan" | "olderThan"> {
    return this.#order;
  }

  /** How many secrets are registered. */
  get secretCount(): number {
    return this.#secrets.size;
  }

  /**
   * Registers a public key: derives the shared key, about 0.1 ms.
   *
   * @param serverPrivateKey where the client still uses another key of the server than the present one
   * @returns its slot, or `undefined` when it is a point of low order.
   */
  addKey(publicKey: PublicKey, serverPrivateKey = this.#serverPrivateKey): Slot | undefined {
    const key = this.#box.deriveSharedKey(publicKey, serverPrivateKey);
    if (key === undefined) return undefined;
    const slot = this.#freeSlots.pop() ?? this.#slotCount++;
    if (slot >= this.#keys.length) this.#grow();
    this.#keys[slot] = key;
    this.#used[slot] = 0;
    this.#size++;
    this.#order.append(slot);
    return slot;
  }

  /** Keys are registered for this key of the server from now on; those in slots stay. */
  useServerKey(serverPrivateKey: PrivateKey): void {
    this.#serverPrivateKey = serverPrivateKey;
  }

  /** Forgets the key in a slot; from now on its client is a stranger. */
  removeKey(slot: Slot): void {
    const key = this.keyAt(slot);
    if (key === undefined) return;
    this.#keys[slot] = 0;
    this.#size--;
    this.#order.remove(slot);
    this.#freeSlots.push(slot);
    this.#box.forget(key);
  }

  /** The shared key in a slot, or `undefined` when none is there. */
  keyAt(slot: Slot): SharedKey | undefined {
    const key = this.#keys[slot] ?? 0;
    return key === 0 ? undefined : key as SharedKey;
  }

  /** Whether a request of the key in a slot was ever accepted. */
  wasUsed(slot: Slot): boolean {
    return this.#used[slot] === 1;
  }

  /**
   * Notes that a request of the key in a slot was accepted.
   *
   * @param after the slot that was used last when that request arrived, where this is not now
   */
  touch(slot: Slot, after?: Slot): void {
    this.#used[slot] = 1;
    if (after !== undefined && this.keyAt(after) !== undefined) this.#order.moveAfter(slot, after);
    else this.#order.touch(slot);
  }

  /**
   * Slot of the first key in `[from, to)` under which a value opens, or -1; about 0.4 µs a key for
   * a short value.
   */
  findInSlots(sealed: Uint8Array, from: Slot, to: Slot): number {
    const index = this.#box.findKey(this.#keys.subarray(from, to), sealed);
    return index < 0 ? -1 : from + index;
  }

  /** Registers a secret. */
  addSecret(secret: SecretHex): void {
    this.#secrets.add(ENCODER.encode(secret));
  }

  /** An empty set of secrets for {@link replaceSecrets}. */
  newSecrets(): SecretSet {
    return this.#secrets.successor(this.#box);
  }

  /** Registers the secrets of a set, and no others. */
  replaceSecrets(secrets: SecretSet): void {
    this.#secrets = secrets;
  }

  /** Whether these bytes are a registered secret, in time that does not depend on their content. */
  isRegisteredSecret(secret: Uint8Array): boolean {
    return this.#secrets.has(secret);
  }

  #grow(): void {
    const keys = new Uint32Array(2 * this.#keys.length);
    keys.set(this.#keys);
    this.#keys = keys;
    const used = new Uint8Array(keys.length);
    used.set(this.#used);
    this.#used = used;
  }
}
