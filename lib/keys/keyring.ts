/**
 * @module
 * What is registered now, in memory: the shared key of each client with this server, computed once,
 * in numbered slots, and the secrets. Keys may come and go while requests run. Reads no
 * files (store.ts) and knows no senders (sender.ts).
 */
import type { Box, SharedKey } from "../crypto/box.ts";
import { fingerprintOf } from "../crypto/digest.ts";
import {
  formatKey,
  parsePublicKey,
  type PrivateKey,
  type PublicKey,
  type SecretHex,
} from "../crypto/keys.ts";
import { encodeBase64 } from "../protocol/base64.ts";
import { SecretSet } from "./secrets.ts";
import { type ClientPolicy, NO_RULES } from "./policy.ts";
import { clientNumber } from "./store_reader.ts";
import { UseOrder } from "./use_order.ts";

/** The number of a registered key, for as long as it is registered. */
export type Slot = number;

/** What the operator says of a client; changes while its key stays registered. */
export interface ClientAbout {
  /** Name of its file in the key store, of the first one where it has several. */
  readonly file: string;
  /** The operator's name for it. */
  readonly name?: string | undefined;
  readonly policy: ClientPolicy;
}

/**
 * What the server knows of a registered key. A key that gets the slot of a removed one has another
 * record: the identity of the record says whether a client is still registered.
 */
export interface ClientRecord extends ClientAbout {
  readonly slot: Slot;
  readonly publicKeyBase64: string;
  /** As `msp listclients` prints it. */
  readonly fingerprint: string;
  /** For the log: its name, or its number. */
  readonly label: string;
}

/** Who has the present {@link ClientAbout} of a client. */
export interface ClientSource {
  readonly about: ClientAbout;
}

/** Where a registered key comes from. */
export interface KeyOrigin {
  readonly client?: ClientSource;
  /** The server's key that the client uses; the one of the keyring where absent. */
  readonly serverPrivateKey?: PrivateKey;
}

const NOBODY: ClientSource = { about: { file: "", policy: NO_RULES } };

/** A record that computes its fingerprint when it is asked for: there may be 100,000 records. */
class RegisteredKey implements ClientRecord {
  readonly slot: Slot;
  readonly publicKeyBase64: string;
  readonly #client: ClientSource;

  constructor(slot: Slot, publicKeyBase64: string, client: ClientSource) {
    this.slot = slot;
    this.publicKeyBase64 = publicKeyBase64;
    this.#client = client;
  }

  get file(): string {
    return this.#client.about.file;
  }

  get name(): string | undefined {
    return this.#client.about.name;
  }

  get policy(): ClientPolicy {
    return this.#client.about.policy;
  }

  get label(): string {
    const { name, file } = this.#client.about;
    return name ?? (clientNumber(file) ?? file).toString();
  }

  get fingerprint(): string {
    const key = parsePublicKey(this.publicKeyBase64);
    return typeof key === "string" ? "" : fingerprintOf(key);
  }
}

const FIRST_CAPACITY = 64;
const ENCODER = new TextEncoder();

/** The registered keys and secrets. */
export class Keyring {
  readonly #box: Box;
  readonly #serverPrivateKey: PrivateKey;
  #secrets: SecretSet;
  /** Handles of the shared keys; 0 in a slot that is free. */
  #keys = new Uint32Array(FIRST_CAPACITY);
  readonly #records: (ClientRecord | undefined)[] = [];
  /** 1 in a slot whose key was used. */
  #used = new Uint8Array(FIRST_CAPACITY);
  #slotCount = 0;
  #size = 0;
  /** Records by the text of their public key: of the present and of previous keys of the server. */
  readonly #byPublicKey = new Map<string, readonly ClientRecord[]>();
  #isLoading = false;
  #onLoaded: (() => void)[] = [];
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

  /** Keys are still being loaded: no sender is unknown yet. */
  get isLoading(): boolean {
    return this.#isLoading;
  }

  set isLoading(isLoading: boolean) {
    this.#isLoading = isLoading;
    if (isLoading) return;
    for (const resolve of this.#onLoaded) resolve();
    this.#onLoaded = [];
  }

  /** Resolves when no keys are being loaded. */
  whenLoaded(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isLoading) this.#onLoaded.push(resolve);
      else resolve();
    });
  }

  /** How many secrets are registered. */
  get secretCount(): number {
    return this.#secrets.size;
  }

  /**
   * Registers a public key: derives the shared key, about 0.1 ms.
   *
   * @returns its record, or `undefined` when it is a point of low order.
   */
  addKey(publicKey: PublicKey, origin: KeyOrigin = {}): ClientRecord | undefined {
    const { client = NOBODY, serverPrivateKey = this.#serverPrivateKey } = origin;
    const key = this.#box.deriveSharedKey(publicKey, serverPrivateKey);
    if (key === undefined) return undefined;
    const slot = this.#freeSlots.pop() ?? this.#slotCount++;
    if (slot >= this.#keys.length) this.#grow();
    const record = new RegisteredKey(slot, formatKey(publicKey), client);
    this.#keys[slot] = key;
    this.#records[slot] = record;
    const { publicKeyBase64 } = record;
    const same = this.#byPublicKey.get(publicKeyBase64) ?? [];
    this.#byPublicKey.set(publicKeyBase64, [record, ...same]);
    this.#used[slot] = 0;
    this.#size++;
    this.#order.append(slot);
    return record;
  }

  /** Forgets a registered key: from now on its sender is unknown. A second time does nothing. */
  removeKey(record: ClientRecord): void {
    const { slot } = record;
    const key = this.keyAt(slot);
    if (key === undefined || !this.isRegistered(record)) return;
    this.#keys[slot] = 0;
    this.#records[slot] = undefined;
    this.#forgetPublicKey(record);
    this.#size--;
    this.#order.remove(slot);
    this.#freeSlots.push(slot);
    this.#box.forget(key);
  }

  /** Whether a record is of a key that is registered now. */
  isRegistered(record: ClientRecord): boolean {
    return this.#records[record.slot] === record;
  }

  /** The record of the key in a slot. */
  recordAt(slot: Slot): ClientRecord | undefined {
    return this.#records[slot];
  }

  /** The record of a public key, the one that was registered last; `undefined` when there is none. */
  recordOf(publicKey: Uint8Array): ClientRecord | undefined {
    return this.#byPublicKey.get(encodeBase64(publicKey))?.[0];
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

  #forgetPublicKey(record: ClientRecord): void {
    const { publicKeyBase64 } = record;
    const others = this.#byPublicKey.get(publicKeyBase64)?.filter((each) => each !== record) ?? [];
    if (others.length === 0) this.#byPublicKey.delete(publicKeyBase64);
    else this.#byPublicKey.set(publicKeyBase64, others);
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
