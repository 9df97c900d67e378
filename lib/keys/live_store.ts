/**
 * @module
 * Keeps a keyring the same as the key store on disk: at the start, and whenever the store changes. What
 * cannot be read, or is half written, never takes the place of what is known. Removals take effect at
 * once; what takes long (deriving a shared key takes 0.1 ms) goes on in the background.
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { setImmediate } from "node:timers";
import type { StorePaths } from "../config/settings.ts";
import { formatKey, type PrivateKey } from "../crypto/keys.ts";
import { MspError } from "../errors.ts";
import type { NonceMark } from "../crypto/nonce_mark.ts";
import type { Observer } from "../observer.ts";
import { lookAt } from "../watch.ts";
import type { ClientRecord, Keyring } from "./keyring.ts";
import { previousKeyPath, readPreviousKey, readServerPair, serverKeyPath } from "./server_keys.ts";
import {
  listClientFiles,
  readClientKey,
  readRegisterLines,
  type StoreFault,
} from "./store_reader.ts";

/** The parts of a {@link LiveStore}. */
export interface LiveStoreParts {
  readonly keyring: Keyring;
  readonly nonceMark: NonceMark;
  readonly paths: StorePaths;
  readonly serverKey: PrivateKey;
  readonly observer: Pick<Observer, "fault" | "storeLoaded">;
  readonly nowSeconds?: () => number;
}

/** The first keys are added at once: about 1,000 are there before the first request. */
const FIRST_SLICE_MS = 100;
/** For how long adding keys holds the event loop at a stretch after that. */
const SLICE_MS = 5;
/** Up to so many files, each is looked at for changes in place; beyond, the folder is. */
const MAX_FILES_LOOKED_AT = 500;

/** Follows a key store. */
export class LiveStore {
  readonly #keyring: Keyring;
  readonly #nonceMark: NonceMark;
  readonly #paths: StorePaths;
  readonly #observer: LiveStoreParts["observer"];
  readonly #nowSeconds: () => number;
  readonly #entries = new Map<string, ClientRecord>();
  /** The same clients, for the server's previous key. */
  readonly #previousEntries = new Map<string, ClientRecord>();
  #serverKey: PrivateKey;
  #previousKey: PrivateKey | undefined;
  /** When something in the store ends by itself, in Unix seconds. */
  #nextEnd = Infinity;
  /** Ends when no keys are being added. */
  #adding: Promise<void> = Promise.resolve();

  constructor(parts: LiveStoreParts) {
    this.#keyring = parts.keyring;
    this.#nonceMark = parts.nonceMark;
    this.#paths = parts.paths;
    this.#serverKey = parts.serverKey;
    this.#observer = parts.observer;
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
    this.#nonceMark.useServerKeys(this.#serverKeys());
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
        this.#observer.fault("key_store", `${error.message}; kept as it was`);
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
    for (const fault of faults) this.#report(fault);
    if (isFirst || faults.length === 0) this.#keyring.replaceSecrets(secrets);
    else {
      this.#report({ path: register, state: "the secrets that were known stay valid" });
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
      if (!isPreviousSame) this.#nonceMark.useServerKeys(this.#serverKeys());
    } else {
      this.#serverKey = privateKey;
      const isKept = isSame(before, this.#previousKey);
      // A rotation that was seen half-way had the same key as present and as previous one.
      if (isKept) this.#dropPrevious();
      for (const [name, record] of this.#entries) {
        if (isKept) this.#previousEntries.set(name, record);
        else this.#keyring.removeKey(record);
      }
      this.#entries.clear();
      this.#keyring.useServerKey(privateKey);
      this.#nonceMark.useServerKeys(this.#serverKeys());
    }
  }

  #dropPrevious(): void {
    for (const record of this.#previousEntries.values()) this.#keyring.removeKey(record);
    this.#previousEntries.clear();
  }

  async #followClients(): Promise<void> {
    const names = await listClientFiles(this.#paths.clientsFolder);
    const present = new Set(names);
    for (const name of this.#entries.keys()) {
      if (!present.has(name)) this.#remove(name);
    }
    for (const [name, record] of this.#previousEntries) {
      if (present.has(name)) continue;
      this.#keyring.removeKey(record);
      this.#previousEntries.delete(name);
    }
    const isSmall = names.length <= MAX_FILES_LOOKED_AT;
    this.#addNames(isSmall ? names : names.filter((name) => !this.#isComplete(name)), true);
  }

  #isComplete(name: string): boolean {
    return this.#entries.has(name) &&
      (this.#previousKey === undefined || this.#previousEntries.has(name));
  }

  #remove(name: string): void {
    for (const entries of [this.#entries, this.#previousEntries]) {
      const record = entries.get(name);
      if (record !== undefined) this.#keyring.removeKey(record);
      entries.delete(name);
    }
  }

  #report({ path, state }: StoreFault): void {
    this.#observer.fault("key_store", `${path}: ${state}`);
  }

  /** Adds keys, the first ones now and the others between requests. */
  #addNames(names: readonly string[], isServing: boolean): void {
    this.#keyring.isLoading = true;
    let next = 0;
    this.#adding = new Promise((resolve) => {
      const slice = (milliseconds: number): void => {
        const end = performance.now() + milliseconds;
        while (next < names.length && performance.now() < end) this.#add(names[next++] ?? "");
        if (next < names.length) {
          setImmediate(() => slice(SLICE_MS));
          return;
        }
        this.#keyring.isLoading = false;
        const { secretCount } = this.#keyring;
        this.#observer.storeLoaded({ keys: this.#entries.size, secrets: secretCount });
        resolve();
      };
      slice(isServing ? SLICE_MS : FIRST_SLICE_MS);
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
      this.#report({ path, state });
      return;
    }
    if (known?.publicKeyBase64 !== formatKey(publicKey)) {
      if (known !== undefined) this.#remove(name);
      const record = this.#keyring.addKey(publicKey, { file: name });
      if (record === undefined) {
        this.#report({ path, state: "a point of low order, no safe key, skipped" });
        return;
      }
      this.#entries.set(name, record);
    }
    const serverPrivateKey = this.#previousKey;
    if (serverPrivateKey === undefined || this.#previousEntries.has(name)) return;
    const record = this.#keyring.addKey(publicKey, { file: name, serverPrivateKey });
    if (record !== undefined) this.#previousEntries.set(name, record);
  }
}
