/**
 * @module
 * Keeps a keyring the same as the key store on disk: at the start, and whenever the store changes. What
 * cannot be read, or is half written, never takes the place of what is known. Removals take effect at
 * once; what takes long (deriving a shared key takes 0.1 ms) goes on in the background.
 */
import { Buffer } from "node:buffer";
import { isEqual } from "../../client/bytes.ts";
import type { StorePaths } from "../config/settings.ts";
import { formatKey, type PrivateKey } from "../crypto/keys.ts";
import { MspError } from "../errors.ts";
import type { NonceMark } from "../crypto/nonce_mark.ts";
import type { Observer } from "../observer.ts";
import { count } from "../prose.ts";
import { inSlices } from "../slices.ts";
import { isSameSight, lookCloselyAt } from "../watch.ts";
import { ClientFiles, type ReadOptions } from "./client_files.ts";
import type { Keyring } from "./keyring.ts";
import type { HandshakeKeys } from "./handshake_keys.ts";
import { RegisteredClients } from "./registered_clients.ts";
import type { ClientRules } from "./rules.ts";
import {
  previousKeyPath,
  readPreviousKeys,
  readServerPair,
  SERVER_PAIRS,
  serverKeyPath,
  type ServerPairName,
} from "./server_keys.ts";
import { readRegisterLines, type StoreFault } from "./store_reader.ts";

/** The parts of a {@link LiveStore}. */
export interface LiveStoreParts {
  readonly keyring: Keyring;
  readonly nonceMark: NonceMark;
  /** Nothing when protocol v2 is off. */
  readonly handshakeKeys: HandshakeKeys | undefined;
  readonly paths: StorePaths;
  readonly serverKey: PrivateKey;
  /** What counts for a client where its file has no such rule. */
  readonly defaults?: ClientRules;
  readonly observer: Pick<Observer, "fault" | "storeLoaded" | "reloaded">;
  readonly nowSeconds?: () => number;
}

/** The first keys are added at once: about 1,000 are there before the first request. */
const FIRST_SLICE_MS = 100;
/** For how long the last line of the register may be half written. */
const UNFINISHED_SECONDS = 5;
/** After this time, what could not be read is read again. */
const RETRY_SECONDS = 5;

/** Follows a key store. */
export class LiveStore {
  readonly #parts: LiveStoreParts;
  readonly #clients: RegisteredClients;
  readonly #files: ClientFiles;
  readonly #nowSeconds: () => number;
  #serverKey: PrivateKey;
  /** When something in the store must be read again, changed or not, in Unix seconds. */
  #nextEnd = Infinity;
  /** What is wrong with the store beside its client files, as it was reported. */
  #faults = new Set<string>();
  #isFailing = false;
  /** Whether the present reload has found something new. */
  #isChanged = false;
  /** What was seen beside the client files. */
  #seen = "";
  /** What was seen of a register whose last line had no end. */
  #unfinished = { seen: "", until: 0 };
  /** What was seen of the register when it was read. */
  #registerSeen = "";
  #mustReadAll = false;
  /** Ends when no keys are being added. */
  #adding: Promise<void> = Promise.resolve();

  constructor(parts: LiveStoreParts) {
    this.#parts = parts;
    this.#serverKey = parts.serverKey;
    this.#nowSeconds = parts.nowSeconds ?? (() => Math.floor(Date.now() / 1000));
    this.#clients = new RegisteredClients(parts.keyring, parts.defaults ?? {});
    this.#files = new ClientFiles({
      folder: parts.paths.clientsFolder,
      clients: this.#clients,
      report: (fault) => this.#report(fault),
    });
  }

  /** How many clients may send requests. */
  get clientCount(): number {
    return this.#clients.size;
  }

  /** Stops listening to the operating system. */
  close(): void {
    this.#files.close();
  }

  /** What can be seen of the store without reading it. */
  async look(): Promise<string> {
    const seen = this.#lookAround();
    const changed = await this.#files.look();
    const isOver = this.#nowSeconds() >= this.#nextEnd;
    return `${seen}\n${changed}${isOver ? `\nover ${this.#nextEnd}` : ""}`;
  }

  /** The next {@link follow} reads every file, also those that look unchanged. */
  readAllNext(): void {
    this.#mustReadAll = true;
  }

  /**
   * Reads the store for the first time; most keys are added in the background.
   *
   * @returns what was seen of it, for comparison with {@link look}
   * @throws {StoreError} when it cannot be read.
   */
  async load(): Promise<string> {
    const seen = this.#lookAround();
    this.#useServerKeys(await this.#previousKeys("server"));
    await this.#followHandshakeKeys();
    await this.#readSecrets(true);
    const { keyring } = this.#parts;
    keyring.isLoading = true;
    const firstMs = FIRST_SLICE_MS;
    const names = await this.#files.list();
    this.#adding = this.#readFiles(names, { isAll: false, firstMs })
      .then(() => this.#addKeys(firstMs)).then(() => this.#tellLoaded());
    this.#seen = seen;
    return `${seen}\n`;
  }

  /**
   * Takes up what changed. Faults are reported and leave that part as it was.
   *
   * @returns what was seen of it, for comparison with {@link look}
   */
  async follow(): Promise<string> {
    await this.#adding;
    const seen = this.#lookAround();
    const isDue = this.#nowSeconds() >= this.#nextEnd;
    const isRetry = this.#isFailing && isDue;
    const isAll = this.#mustReadAll;
    this.#mustReadAll = false;
    if (isAll) this.#registerSeen = "";
    this.#isChanged = isAll || isDue || !isSameSight(seen, this.#seen);
    this.#seen = seen;
    this.#nextEnd = Infinity;
    this.#isFailing = false;
    const faults = new Set<string>();
    for (
      const part of [
        () => this.#followServerKey(),
        () => this.#followHandshakeKeys(),
        () => this.#readSecrets(false),
        async () => this.#readFiles(await this.#files.list(), { isAll }),
      ]
    ) {
      try {
        await part();
      } catch (error) {
        if (!(error instanceof MspError)) throw error;
        faults.add(error.message);
        this.#retryIf(true);
      }
    }
    for (const fault of faults) {
      if (this.#faults.has(fault)) continue;
      this.#parts.observer.fault("key_store", `${fault}; kept as it was`);
    }
    this.#faults = faults;
    await this.#addKeys();
    if (this.#isChanged && !(isRetry && this.#isFailing)) {
      this.#tellLoaded();
      this.#parts.observer.reloaded("key_store", this.#summary());
    }
    return `${seen}\n`;
  }

  #summary(): string {
    const { faultCount } = this.#files;
    const skipped = faultCount === 0 ? "" : `, ${count(faultCount, "file")} that cannot be used`;
    return `${count(this.clientCount, "client key")}${skipped}`;
  }

  #lookAround(): string {
    const { paths } = this.#parts;
    return [
      paths.clientsFolder,
      paths.register,
      ...SERVER_PAIRS.map((name) => serverKeyPath(paths, name)),
      ...SERVER_PAIRS.map((name) => previousKeyPath(paths, name)),
    ].map(lookCloselyAt).join("\n");
  }

  async #readFiles(names: readonly string[], options: ReadOptions): Promise<void> {
    const { isFailing, isChanged } = await this.#files.read(names, options);
    if (isChanged) this.#isChanged = true;
    this.#retryIf(isFailing);
  }

  #retryIf(isFailing: boolean): void {
    if (!isFailing) return;
    this.#isFailing = true;
    this.#readAgainAt(this.#nowSeconds() + RETRY_SECONDS);
  }

  #readAgainAt(seconds: number): void {
    this.#nextEnd = Math.min(this.#nextEnd, seconds);
  }

  #useServerKeys(previous: readonly PrivateKey[]): void {
    const all = [this.#serverKey, ...previous];
    this.#clients.useServerKeys(all);
    this.#parts.nonceMark.useServerKeys(all);
  }

  async #followHandshakeKeys(): Promise<void> {
    const { handshakeKeys, paths } = this.#parts;
    if (handshakeKeys === undefined) return;
    const { privateKey } = await readServerPair(paths, "server2");
    handshakeKeys.use([privateKey, ...await this.#previousKeys("server2")]);
  }

  async #followServerKey(): Promise<void> {
    const { privateKey, publicKey } = await readServerPair(this.#parts.paths);
    const previous = await this.#previousKeys("server");
    const isNew = !isEqual(privateKey, this.#serverKey);
    this.#serverKey = privateKey;
    this.#useServerKeys(previous);
    if (isNew) {
      const accepted = count(previous.length, "earlier key");
      const text = `the public key is ${formatKey(publicKey)}; accepted besides: ${accepted}`;
      this.#parts.observer.reloaded("server_key", text);
    }
  }

  async #previousKeys(name: ServerPairName): Promise<PrivateKey[]> {
    const nowSeconds = this.#nowSeconds();
    const previous = await readPreviousKeys(this.#parts.paths, { name, nowSeconds });
    for (const { until } of previous) this.#readAgainAt(until);
    return previous.map(({ privateKey }) => privateKey);
  }

  /** @param isFirst nothing is known yet, so there is nothing to keep */
  async #readSecrets(isFirst: boolean): Promise<void> {
    const { keyring, paths: { register } } = this.#parts;
    const seen = lookCloselyAt(register);
    const secrets = keyring.newSecrets();
    const nowSeconds = this.#nowSeconds();
    let nextEnd = Infinity;
    const faults = await readRegisterLines(register, (line) => {
      if (line.until !== undefined && line.until <= nowSeconds) return;
      nextEnd = Math.min(nextEnd, line.until ?? Infinity);
      if (line.kind === "hashed") secrets.addDigest(line.digest);
      else secrets.add(Buffer.from(line.secret));
    });
    this.#readAgainAt(nextEnd);
    if (!isFirst && faults.some((fault) => fault.isUnfinished) && this.#mustWait(seen)) return;
    // Once for each version of the file.
    if (!isSameSight(this.#registerSeen, seen)) { for (const fault of faults) this.#report(fault); }
    this.#registerSeen = seen;
    keyring.replaceSecrets(secrets);
  }

  /** Whether the register, whose last line has no end, may still be half written. */
  #mustWait(seen: string): boolean {
    const nowSeconds = this.#nowSeconds();
    if (!isSameSight(this.#unfinished.seen, seen)) {
      this.#unfinished = { seen, until: nowSeconds + UNFINISHED_SECONDS };
      const state = "the last line is not complete; the secrets that were known stay valid for " +
        `${UNFINISHED_SECONDS} seconds`;
      this.#report({ path: this.#parts.paths.register, state });
    }
    if (nowSeconds >= this.#unfinished.until) return false;
    this.#readAgainAt(this.#unfinished.until);
    return true;
  }

  #report({ path, state }: StoreFault): void {
    this.#parts.observer.fault("key_store", `${path}: ${state}`);
  }

  /** Adds keys, the first ones now and the others between requests. */
  async #addKeys(firstMs?: number): Promise<void> {
    const { keyring, paths } = this.#parts;
    keyring.isLoading = true;
    await inSlices(this.#clients.due, (key) => {
      const file = this.#clients.apply(key);
      if (file === undefined) return;
      const path = `${paths.clientsFolder}/${file}`;
      this.#report({ path, state: "a point of low order, no safe key, skipped" });
    }, firstMs);
    keyring.isLoading = false;
  }

  #tellLoaded(): void {
    const { keyring, observer } = this.#parts;
    observer.storeLoaded({ keys: this.clientCount, secrets: keyring.secretCount });
  }
}
