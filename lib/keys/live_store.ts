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
import type { HandshakeKeys } from "./handshake_keys.ts";
import {
  previousKeyPath,
  readPreviousKeys,
  readServerPair,
  SERVER_PAIRS,
  serverKeyPath,
  type ServerPairName,
} from "./server_keys.ts";
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
  /** Nothing when protocol v2 is off. */
  readonly handshakeKeys: HandshakeKeys | undefined;
  readonly paths: StorePaths;
  readonly serverKey: PrivateKey;
  readonly observer: Pick<Observer, "fault" | "storeLoaded">;
  readonly nowSeconds?: () => number;
}

/** Clients of a previous key of the server. */
interface PreviousClients {
  readonly privateKey: PrivateKey;
  /** By file name. */
  readonly clients: Map<string, ClientRecord>;
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
  readonly #handshakeKeys: HandshakeKeys | undefined;
  readonly #paths: StorePaths;
  readonly #observer: LiveStoreParts["observer"];
  readonly #nowSeconds: () => number;
  readonly #entries = new Map<string, ClientRecord>();
  #serverKey: PrivateKey;
  /** Previous keys of the server, by their text, and the same clients for each. */
  readonly #previous = new Map<string, PreviousClients>();
  /** When something in the store ends by itself, in Unix seconds. */
  #nextEnd = Infinity;
  /** Ends when no keys are being added. */
  #adding: Promise<void> = Promise.resolve();

  constructor(parts: LiveStoreParts) {
    this.#keyring = parts.keyring;
    this.#nonceMark = parts.nonceMark;
    this.#handshakeKeys = parts.handshakeKeys;
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
      ...SERVER_PAIRS.map((name) => serverKeyPath(this.#paths, name)),
      ...SERVER_PAIRS.map((name) => previousKeyPath(this.#paths, name)),
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
    this.#usePreviousKeys(await this.#previousKeys("server"));
    await this.#followHandshakeKeys();
    await this.#readSecrets(true);
    this.#addNames(await listClientFiles(this.#paths.clientsFolder), false);
  }

  /** Takes up what changed. Faults are reported and leave that part as it was. */
  async follow(): Promise<void> {
    await this.#adding;
    this.#nextEnd = Infinity;
    for (
      const part of [
        () => this.#followServerKey(),
        () => this.#followHandshakeKeys(),
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

  /** Keeps the clients of the previous keys whose time is not over, and forgets those of others. */
  #usePreviousKeys(previous: readonly PrivateKey[]): void {
    const texts = new Set(previous.map(formatKey));
    for (const [text, { clients }] of this.#previous) {
      if (texts.has(text)) continue;
      for (const record of clients.values()) this.#keyring.removeKey(record);
      this.#previous.delete(text);
    }
    for (const privateKey of previous) {
      const text = formatKey(privateKey);
      if (!this.#previous.has(text)) this.#previous.set(text, { privateKey, clients: new Map() });
    }
    this.#nonceMark.useServerKeys([this.#serverKey, ...previous]);
  }

  async #followHandshakeKeys(): Promise<void> {
    if (this.#handshakeKeys === undefined) return;
    const { privateKey } = await readServerPair(this.#paths, "server2");
    this.#handshakeKeys.use([privateKey, ...await this.#previousKeys("server2")]);
  }

  async #previousKeys(name: ServerPairName): Promise<PrivateKey[]> {
    const nowSeconds = this.#nowSeconds();
    const previous = await readPreviousKeys(this.#paths, { name, nowSeconds });
    this.#nextEnd = Math.min(this.#nextEnd, ...previous.map(({ until }) => until));
    return previous.map(({ privateKey }) => privateKey);
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
    const previous = await this.#previousKeys("server");
    this.#serverKey = privateKey;
    this.#usePreviousKeys(previous);
    if (formatKey(privateKey) === formatKey(before)) return;
    // Clients of a key that is still accepted keep their records.
    const kept = this.#previous.get(formatKey(before))?.clients;
    for (const [name, record] of this.#entries) {
      if (kept !== undefined && !kept.has(name)) kept.set(name, record);
      else this.#keyring.removeKey(record);
    }
    this.#entries.clear();
    this.#keyring.useServerKey(privateKey);
  }

  async #followClients(): Promise<void> {
    const names = await listClientFiles(this.#paths.clientsFolder);
    const present = new Set(names);
    for (const name of this.#entries.keys()) {
      if (!present.has(name)) this.#remove(name);
    }
    for (const { clients } of this.#previous.values()) {
      for (const [name, record] of clients) {
        if (present.has(name)) continue;
        this.#keyring.removeKey(record);
        clients.delete(name);
      }
    }
    const isSmall = names.length <= MAX_FILES_LOOKED_AT;
    this.#addNames(isSmall ? names : names.filter((name) => !this.#isComplete(name)), true);
  }

  #isComplete(name: string): boolean {
    return this.#entries.has(name) &&
      [...this.#previous.values()].every(({ clients }) => clients.has(name));
  }

  #remove(name: string): void {
    const previous = [...this.#previous.values()].map(({ clients }) => clients);
    for (const entries of [this.#entries, ...previous]) {
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
    for (const { privateKey: serverPrivateKey, clients } of this.#previous.values()) {
      if (clients.has(name)) continue;
      const record = this.#keyring.addKey(publicKey, { file: name, serverPrivateKey });
      if (record !== undefined) clients.set(name, record);
    }
  }
}
