/**
 * @module
 * The clients that files of the key store make, in a keyring: one client a key, whatever the number of its
 * files, with a record for each key of the server. What a client may do is what all of its files allow; one
 * file whose rules are malformed shuts it out.
 */
import { formatKey, parsePublicKey, type PrivateKey } from "../crypto/keys.ts";
import { canonicalPublicKey } from "../crypto/public_key.ts";
import type { ClientAbout, ClientRecord, Keyring } from "./keyring.ts";
import { ClientPolicy, isOpen, NO_RULES } from "./policy.ts";
import type { ClientRules, ParsedRules } from "./rules.ts";
import { type ClientFile, clientNumber } from "./store_reader.ts";

/** The rules of one file; `undefined` when they are malformed. */
interface FileRules {
  readonly file: string;
  readonly rules: ClientRules | undefined;
}

/** A key, and everything that belongs to it. There may be 100,000: small arrays, no maps. */
class Client {
  about: ClientAbout = { file: "", policy: NO_RULES };
  /** The rules of {@link about}, to tell whether they changed. */
  rulesText = "";
  files: readonly FileRules[] = [];
  records: readonly ServerRecord[] = [];
}

/** Most files have no rules. */
const NO_FILE_RULES: ClientRules = {};

/** The record for one key of the server. */
interface ServerRecord {
  readonly serverKey: PrivateKey;
  readonly record: ClientRecord;
}

/** Keeps a keyring the same as the files that were read. */
export class RegisteredClients {
  readonly #keyring: Keyring;
  readonly #defaults: ClientRules;
  readonly #clients = new Map<string, Client>();
  /** Clients whose files changed since {@link apply}, by their keys. */
  readonly #due = new Set<string>();
  /** The present one first. */
  #serverKeys: readonly PrivateKey[] = [];

  /** @param defaults what counts where a file has no such rule */
  constructor(keyring: Keyring, defaults: ClientRules) {
    this.#keyring = keyring;
    this.#defaults = defaults;
  }

  /** How many clients may send requests, as far as they are applied. */
  get size(): number {
    let size = 0;
    for (const { records } of this.#clients.values()) if (records.length > 0) size++;
    return size;
  }

  /** Clients for which {@link apply} is due. */
  get due(): Iterable<string> {
    return this.#due;
  }

  /**
   * Uses these keys of the server, the present one first. Records for others are gone at once; those for
   * new ones come when they are applied.
   */
  useServerKeys(serverKeys: readonly PrivateKey[]): void {
    const before = new Map(this.#serverKeys.map((each) => [formatKey(each), each]));
    this.#serverKeys = serverKeys.map((each) => before.get(formatKey(each)) ?? each);
    const isSame = this.#serverKeys.length === before.size &&
      this.#serverKeys.every((each) => before.has(formatKey(each)));
    if (isSame) return;
    for (const [key, client] of this.#clients) {
      this.#unregister(client, ({ serverKey }) => !this.#serverKeys.includes(serverKey));
      this.#due.add(key);
    }
  }

  /** Notes what a file says now; takes effect when the client is applied. */
  put(file: string, { publicKey, rules }: ClientFile): string {
    // Every text of a key is one client, with the rules of all.
    const key = formatKey(canonicalPublicKey(publicKey));
    const client = this.#clients.get(key) ?? new Client();
    const others = client.files.filter((each) => each.file !== file);
    client.files = [...others, { file, rules: rulesOf(rules) }]
      .sort((a, b) => order(a.file) - order(b.file));
    this.#clients.set(key, client);
    this.#due.add(key);
    return key;
  }

  /** Forgets a file. A client without files is gone at once. */
  remove(file: string, key: string): void {
    const client = this.#clients.get(key);
    if (client === undefined) return;
    client.files = client.files.filter((each) => each.file !== file);
    if (client.files.length > 0) {
      this.#due.add(key);
      return;
    }
    this.#unregister(client);
    this.#clients.delete(key);
    this.#due.delete(key);
  }

  /**
   * Brings the records of a client in line with its files, about 0.1 ms for each new record.
   *
   * @returns its first file when the key is a point of low order, which is no safe key
   */
  apply(key: string): string | undefined {
    this.#due.delete(key);
    const client = this.#clients.get(key);
    if (client === undefined) return undefined;
    const { files, records } = client;
    const rules = files.map((each) => each.rules).filter((each) => each !== undefined);
    if (rules.length < files.length) {
      this.#unregister(client);
      return undefined;
    }
    const file = files[0]?.file ?? "";
    const name = rules.find((each) => each.name !== undefined)?.name;
    client.about = { file, name, policy: this.#policyFor(client, rules) };
    const publicKey = parsePublicKey(key);
    if (typeof publicKey === "string") return undefined;
    // The present key comes last: of several records of a client, the last one is found first.
    for (const serverKey of this.#serverKeys.toReversed()) {
      if (records.some((each) => each.serverKey === serverKey)) continue;
      const origin = { client, serverPrivateKey: serverKey };
      const record = this.#keyring.addKey(publicKey, origin);
      if (record === undefined) return file;
      client.records = [...client.records, { serverKey, record }];
    }
    return undefined;
  }

  /** Rates go on where the rules stayed as they were. */
  #policyFor(client: Client, rules: readonly ClientRules[]): ClientPolicy {
    const all = rules.map((each) => ({ ...this.#defaults, ...each }));
    if (all.every(isOpen)) {
      client.rulesText = "";
      return NO_RULES;
    }
    const text = JSON.stringify(all.map(({ name: _, added: __, ...each }) => each));
    if (text !== client.rulesText) {
      client.rulesText = text;
      return new ClientPolicy(all);
    }
    return client.about.policy;
  }

  #unregister(client: Client, isMeant: (each: ServerRecord) => boolean = () => true): void {
    for (const each of client.records) if (isMeant(each)) this.#keyring.removeKey(each.record);
    client.records = client.records.filter((each) => !isMeant(each));
  }
}

function rulesOf(parsed: ParsedRules): ClientRules | undefined {
  if (!parsed.ok) return undefined;
  return Object.keys(parsed.rules).length === 0 ? NO_FILE_RULES : parsed.rules;
}

/** Files with numbers come first, in their order. */
function order(file: string): number {
  return clientNumber(file) ?? Number.MAX_SAFE_INTEGER;
}
