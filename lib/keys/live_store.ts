/**
 * @module
 * Keeps a keyring the same as the key store on disk: at the start, and whenever the store changes. What
 * cannot be read, or is half written, never takes the place of what is known. Removals take effect at
 * once; what takes long (deriving a shared key takes 0.1 ms) goes on in the background.
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import { formatKey, type PrivateKey } from "../crypto/keys.ts";
import { MspError } from "../errors.ts";
import { lookAt } from "../watch.ts";
import type { Keyring, Slot } from "./keyring.ts";
import { inSlices } from "./loading.ts";
import { previousKeyPath, readPreviousKey, readServerPair, serverKeyPath } from "./server_keys.ts";
import {
  listClientFiles,
  readClientKey,
  readRegisterLines,
  type StoreFault,
} from "./store_reader.ts";

/** What happens while a store is followed. */
export interface LiveStoreEvents {
  /** Something in the store cannot be used. */
  readonly onFault: (fault: StoreFault) => void;
  /** Keys are being added, until {@link onLoaded}. */
  readonly onLoading: () => void;
  readonly onLoaded: () => void;
  /** The server has these keys now; the first one is the present one. */
  readonly onServerKeys: (privateKeys: readonly PrivateKey[]) => void;
}

/** A registered key, and its slot for the server's present key. */
interface Entry {
  readonly text: string;
  readonly slot: Slot;
}

/** Up to so many files, each is looked at for changes in place; beyond, the folder is. */
const MAX_FILES_LOOKED_AT = 500;

/** Follows a key store. */
export class LiveStore {
  readonly #keyring: Keyring;
  readonly #paths: StorePaths;
  readonly #events: LiveStoreEvents;
  readonly #nowSeconds: () => number;
  readonly #entries = new Map<string, Entry>();
  /** Slots for the server's key before. */
  readonly #previousSlots = new Map<string, Slot>();
  #serverKey: PrivateKey;
  #previousKey: PrivateKey | undefined;
  /** When something in the store ends by itself, in Unix seconds. */
  #nextEnd = Infinity;
  /** Ends when no keys are being added. */
  #adding: Promise<void> = Promise.resolve();

  constructor(parts: {
    keyring: Keyring;
    paths: StorePaths;
    serverKey: PrivateKey;
    events: LiveStoreEvents;
    nowSeconds?: () => number;
  }) {
    this.#keyring = parts.keyring;
    this.#paths = parts.paths;
    this.#serverKey = parts.serverKey;
    this.#events = parts.events;
    this.#nowSeconds = parts.nowSeconds ?? (() => Math.floor(Date.now() / 1000));
  }

  /** How many clients are registered. */
  get clientCount(): number {
    return this.#entries.size;
  }

  /** What can be seen of the store without reading it. */
  async look(): Promise<string> {
    const { clientsFolder, register } = this.#paths;
    const paths = [
      clientsFolder,
      register,
      serverKeyPath(this.#paths),
      previousKeyPath(this.#paths),
    ];
    if (this.#entries.size <= MAX_FILES_LOOKED_AT) {
      for (const name of this.#entries.keys()) paths.push(join(clientsFolder, name));
    }
    const seen = [];
    for (const path of paths) seen.push(await lookAt(path));
    const isOver = this.#nowSeconds() >= this.#nextEnd;
    return `${seen.join("\n")}${isOver ? `\nover ${this.#nextEnd}` : ""}`;
  }

  /**
   * Reads the store for the first time; most keys are added in the background.
   *
   * @throws {StoreError} when it cannot be read.
   */
  async load(): Promise<void> {
    this.#nextEnd = Infinity;
    await this.#readPreviousKey();
    await this.#readSecrets(true);
    this.#events.onServerKeys(this.#serverKeys());
    this.#addNames(await listClientFiles(this.#paths.clientsFolder), false);
  }

  /** Takes up what changed. Faults are reported and leave that part as it was. */
  async follow(): Promise<void> {
    await this.#adding;
    this.#nextEnd = Infinity;
    for (
      const part of [
        () => this.#followServerKey(),
        () => this.#readSecrets(false),
        () => this.#followClients(),
      ]
    ) {
      try {
        await part();
      } catch (error) {
        if (!(error instanceof MspError)) throw error;
        const { message } = error;
        this.#events.onFault({
          path: this.#paths.clientsFolder,
          state: `${message}; kept as it was`,
        });
      }
    }
  }

  #serverKeys(): PrivateKey[] {
    return this.#previousKey === undefined
      ? [this.#serverKey]
      : [this.#serverKey, this.#previousKey];
  }

  async #readPreviousKey(): Promise<void> {
    const previous = await readPreviousKey(this.#paths, this.#nowSeconds());
    this.#previousKey = previous?.privateKey;
    this.#nextEnd = Math.min(this.#nextEnd, previous?.until ?? Infinity);
  }

  /** @param isFirst nothing is known yet: what is malformed is passed over */
  async #readSecrets(isFirst: boolean): Promise<void> {
    const { register } = this.#paths;
    const secrets = this.#keyring.newSecrets();
    const nowSeconds = this.#nowSeconds();
    let nextEnd = Infinity;
    const faults = await readRegisterLines(register, (line) => {
      if (line.until !== undefined && line.until <= nowSeconds) return;
      nextEnd = Math.min(nextEnd, line.until ?? Infinity);
      if (line.kind === "hashed") secrets.addDigest(line.digest);
      else secrets.add(Buffer.from(line.secret));
    });
    this.#nextEnd = Math.min(this.#nextEnd, nextEnd);
    faults.forEach(this.#events.onFault);
    if (isFirst || faults.length === 0) this.#keyring.replaceSecrets(secrets);
    else {
      this.#events.onFault({ path: register, state: "the secrets that were known stay valid" });
    }
  }

  async #followServerKey(): Promise<void> {
    const before = this.#serverKey;
    const { privateKey } = await readServerPair(this.#paths);
    const previousBefore = this.#previousKey;
    await this.#readPreviousKey();
    const isSame = (a: PrivateKey | undefined, b: PrivateKey | undefined): boolean =>
      a === b || a !== undefined && b !== undefined && formatKey(a) === formatKey(b);
    const isPreviousSame = isSame(previousBefore, this.#previousKey);
    if (!isPreviousSame) this.#dropPrevious();
    if (isSame(privateKey, before)) {
      if (!isPreviousSame) this.#events.onServerKeys(this.#serverKeys());
    } else {
      this.#serverKey = privateKey;
      const isKept = isSame(before, this.#previousKey);
      for (const [name, { slot }] of this.#entries) {
        if (isKept) this.#previousSlots.set(name, slot);
        else this.#keyring.removeKey(slot);
      }
      this.#entries.clear();
      this.#keyring.useServerKey(privateKey);
      this.#events.onServerKeys(this.#serverKeys());
    }
  }

  #dropPrevious(): void {
    for (const slot of this.#previousSlots.values()) this.#keyring.removeKey(slot);
    this.#previousSlots.clear();
  }

  async #followClients(): Promise<void> {
    const names = await listClientFiles(this.#paths.clientsFolder);
    const present = new Set(names);
    for (const name of this.#entries.keys()) {
      if (!present.has(name)) this.#remove(name);
    }
    for (const [name, slot] of this.#previousSlots) {
      if (present.has(name)) continue;
      this.#keyring.removeKey(slot);
      this.#previousSlots.delete(name);
    }
    const isSmall = names.length <= MAX_FILES_LOOKED_AT;
    this.#addNames(isSmall ? names : names.filter((name) => !this.#isComplete(name)), true);
  }

  #isComplete(name: string): boolean {
    return this.#entries.has(name) &&
      (this.#previousKey === undefined || this.#previousSlots.has(name));
  }

  #remove(name: string): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) this.#keyring.removeKey(entry.slot);
    this.#entries.delete(name);
    const previous = this.#previousSlots.get(name);
    if (previous !== undefined) this.#keyring.removeKey(previous);
    this.#previousSlots.delete(name);
  }

  #addNames(names: readonly string[], isAnybodyWaiting: boolean): void {
    this.#events.onLoading();
    this.#adding = new Promise((resolve) => {
      const onDone = (): void => {
        this.#events.onLoaded();
        resolve();
      };
      const step = (index: number): void => this.#add(names[index] ?? "");
      inSlices(names.length, { step, onDone, isAnybodyWaiting });
    });
  }

  #add(name: string): void {
    const path = join(this.#paths.clientsFolder, name);
    const known = this.#entries.get(name);
    const publicKey = readClientKey(path);
    if ("state" in publicKey) {
      const state = known === undefined
        ? publicKey.state
        : publicKey.state.replace(/skipped$/, "the key that was known stays valid");
      this.#events.onFault({ path, state });
      return;
    }
    const text = formatKey(publicKey);
    if (known?.text !== text) {
      if (known !== undefined) this.#remove(name);
      const slot = this.#keyring.addKey(publicKey);
      if (slot === undefined) {
        this.#events.onFault({ path, state: "a point of low order, no safe key, skipped" });
        return;
      }
      this.#entries.set(name, { text, slot });
    }
    if (this.#previousKey === undefined || this.#previousSlots.has(name)) return;
    const slot = this.#keyring.addKey(publicKey, this.#previousKey);
    if (slot !== undefined) this.#previousSlots.set(name, slot);
  }
}
