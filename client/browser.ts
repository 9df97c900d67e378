/**
 * @module
 * Profiles in a browser: in IndexedDB, the private key sealed under an AES-GCM key that cannot be
 * extracted. The key of the client itself stays bytes, because one browser loses X25519 keys that are kept
 * there. Protects a copy of the database, not against scripts of the same page.
 */
import { fromBase64, toBase64 } from "./bytes.ts";
import { checkName, ProfileError, profileFrom, type ProfileStore } from "./profile.ts";

/** What this file uses of IndexedDB; the types of browsers are not those of every platform. */
interface Request<T> {
  readonly result: T;
  readonly error: unknown;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
}
interface OpenRequest extends Request<Database> {
  onupgradeneeded: (() => void) | null;
}
interface Transaction {
  objectStore(name: string): ObjectStore;
  readonly error: unknown;
  oncomplete: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
}
interface ObjectStore {
  get(key: string): Request<unknown>;
  getAllKeys(): Request<string[]>;
  put(value: unknown, key: string): Request<unknown>;
  add(value: unknown, key: string): Request<unknown>;
  delete(key: string): Request<unknown>;
}
interface Database {
  createObjectStore(name: string): unknown;
  transaction(
    stores: string[],
    mode: "readonly" | "readwrite",
    options?: { durability: "strict" },
  ): Transaction;
  close(): void;
}
interface Factory {
  open(name: string, version: number): OpenRequest;
}

const PROFILES = "profiles", KEYS = "keys", WRAPPING_KEY = "wrapping";
const NONCE_BYTES = 12;

/** A profile as it is kept. */
interface KeptProfile {
  readonly url: string;
  readonly serverKey: string;
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly sealedKey: Uint8Array<ArrayBuffer>;
}

/**
 * The profiles of this page's origin.
 *
 * @param database its name
 * @throws {ProfileError} from each method, when a profile cannot be read or kept
 */
export function browserProfiles(database = "mini-share-point"): ProfileStore {
  const load: ProfileStore["load"] = async (name) => {
    checkName(name);
    const { kept, key } = await within(database, "readonly", async (transaction) => ({
      kept: await done(transaction.objectStore(PROFILES).get(name)),
      key: await done(transaction.objectStore(KEYS).get(WRAPPING_KEY)),
    }));
    if (!isKept(kept)) throw new ProfileError(`Cannot find profile ${name}`);
    if (!(key instanceof CryptoKey)) {
      throw new ProfileError(`Cannot open profile ${name}: its key is lost`);
    }
    const { url, serverKey, sealedKey } = kept;
    const opened = await crypto.subtle.decrypt(parameters(name, kept), key, sealedKey)
      .catch((cause) => {
        throw new ProfileError(`Cannot open profile ${name}: it was changed`, { cause });
      });
    return profileFrom({ url, serverKey, privateKey: toBase64(new Uint8Array(opened)), name });
  };
  return {
    load,

    async save(name, profile, { replace = false } = {}): Promise<void> {
      checkName(name);
      const { url, serverKey, privateKey } = profileFrom(profile);
      const key = await wrappingKey(database);
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const plain = fromBase64(privateKey) ?? new Uint8Array();
      const sealed = await crypto.subtle.encrypt(
        parameters(name, { url, serverKey, nonce }),
        key,
        plain,
      );
      const kept: KeptProfile = { url, serverKey, nonce, sealedKey: new Uint8Array(sealed) };
      await within(database, "readwrite", async (transaction) => {
        const profiles = transaction.objectStore(PROFILES);
        await done(replace ? profiles.put(kept, name) : profiles.add(kept, name));
      }).catch((cause) => {
        const isThere = cause instanceof DOMException && cause.name === "ConstraintError";
        const why = isThere ? "it exists already" : String(cause);
        throw new ProfileError(`Cannot keep profile ${name}: ${why}`, { cause });
      });
      // What one browser keeps, it cannot read again.
      const again = await load(name);
      if (again.privateKey === privateKey && again.serverKey === serverKey) return;
      throw new ProfileError(`Cannot keep profile ${name}: the browser does not give it back`);
    },

    list: () =>
      within(database, "readonly", async (transaction) => {
        const names = await done(transaction.objectStore(PROFILES).getAllKeys());
        return names.sort();
      }),

    remove: (name) =>
      within(database, "readwrite", async (transaction) => {
        await done(transaction.objectStore(PROFILES).delete(checkName(name)));
      }),
  };
}

/** The key under which private keys are sealed, made with the first profile. */
async function wrappingKey(database: string): Promise<CryptoKey> {
  const fresh = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
  return await within(database, "readwrite", async (transaction) => {
    const keys = transaction.objectStore(KEYS);
    const found = await done(keys.get(WRAPPING_KEY));
    if (found instanceof CryptoKey) return found;
    await done(keys.put(fresh, WRAPPING_KEY));
    return fresh;
  });
}

/** The sealed key belongs to this name, server and address. */
function parameters(
  name: string,
  { url, serverKey, nonce }: Pick<KeptProfile, "url" | "serverKey" | "nonce">,
): { name: "AES-GCM"; iv: Uint8Array<ArrayBuffer>; additionalData: Uint8Array<ArrayBuffer> } {
  const additionalData = new TextEncoder().encode(JSON.stringify([name, url, serverKey]));
  return { name: "AES-GCM", iv: nonce, additionalData };
}

function isKept(value: unknown): value is KeptProfile {
  return typeof value === "object" && value !== null && "sealedKey" in value;
}

/** Runs an action in one transaction, and waits until that is complete. */
async function within<T>(
  name: string,
  mode: "readonly" | "readwrite",
  action: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(name);
  try {
    const transaction = database.transaction([PROFILES, KEYS], mode, { durability: "strict" });
    const completed = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
    const [result] = await Promise.all([action(transaction), completed]);
    return result;
  } finally {
    database.close();
  }
}

async function openDatabase(name: string): Promise<Database> {
  const { indexedDB } = globalThis as unknown as { indexedDB?: Factory };
  if (indexedDB === undefined) throw new ProfileError("Cannot keep profiles: no IndexedDB here");
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(PROFILES);
    request.result.createObjectStore(KEYS);
  };
  return await done(request);
}

function done<T>(request: Request<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
