/**
 * @module
 * The key store on disk (docs/protocol.md §1): server.key and server.pub, one client_*.pub a
 * registered key, one line of the register a secret. Nothing says which secret belongs to which key.
 *
 * Changes run under a lock and replace files whole. A killed command leaves every earlier client
 * valid: the secret is registered before its key, so that the worst that remains is a secret which
 * nobody was told.
 */
import { dirname, join } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import {
  generateKeyPairFiles,
  generatePublicKeyFile,
  PRIVATE_MODE,
  PUBLIC_MODE,
  readPrivateKey,
  readPublicKey,
} from "../crypto/key_file.ts";
import {
  formatKey,
  generateSecret,
  type KeyPair,
  parsePublicKey,
  parseSecret,
  type PublicKey,
  type SecretHex,
} from "../crypto/keys.ts";
import { publicKeyOf } from "../crypto/nacl.ts";
import { KeyFileError, MspError, reasonOf, StoreError } from "../errors.ts";
import {
  createFile,
  ensureFolder,
  exists,
  removeIfThere,
  replaceFile,
  withLock,
} from "../files.ts";

/** A registered public key and the file it came from. */
export interface StoredClient {
  readonly path: string;
  readonly publicKey: PublicKey;
}

/** A file or line that was passed over, and why; never its content. */
export interface StoreFault {
  readonly path: string;
  readonly state: string;
}

/** What is registered, and what could not be used. */
export interface StoreContent {
  readonly clients: readonly StoredClient[];
  readonly secrets: readonly SecretHex[];
  readonly faults: readonly StoreFault[];
}

const CLIENT_FILE = /^client_(.*)\.pub$/s;
const FOLDER_MODE = 0o700;

/**
 * Makes the folders of the store where absent.
 *
 * @returns the paths that were made.
 * @throws {StoreError} when one cannot be made.
 */
export async function ensureFolders(paths: StorePaths): Promise<string[]> {
  const made: string[] = [];
  const folders = new Set([paths.serverFolder, paths.clientsFolder, dirname(paths.register)]);
  for (const folder of folders) {
    try {
      if (await ensureFolder(folder, FOLDER_MODE)) made.push(folder);
    } catch (error) {
      throw new StoreError(`Cannot make folder ${folder}: ${reasonOf(error)}`, { cause: error });
    }
  }
  return made;
}

/**
 * The server's pair; made where absent, in folders that exist. server.key decides: a missing
 * server.pub is made from it.
 *
 * @returns the pair and the paths that were made.
 * @throws {KeyFileError} when server.key is unreadable or malformed, or is missing beside a
 * server.pub that clients may be using.
 */
export async function ensureServerKeys(
  paths: StorePaths,
): Promise<{ pair: KeyPair; made: string[] }> {
  const name = join(paths.serverFolder, "server");
  const isComplete = async (): Promise<boolean> =>
    await exists(`${name}.key`) && await exists(`${name}.pub`);
  const read = async (): Promise<KeyPair> => {
    const privateKey = await readPrivateKey(`${name}.key`);
    return { privateKey, publicKey: publicKeyOf(privateKey) };
  };
  return await guardStore(paths.serverFolder, async () => {
    // A complete store may be read-only; the lock is for making what is missing.
    if (await isComplete()) return { pair: await read(), made: [] };
    return await withLock(paths.serverFolder, async () => {
      if (await isComplete()) return { pair: await read(), made: [] };
      if (await exists(`${name}.key`)) {
        await generatePublicKeyFile(name, { force: false });
        return { pair: await read(), made: [`${name}.pub`] };
      }
      if (await exists(`${name}.pub`)) {
        throw new KeyFileError(
          `Cannot make ${name}.key: ${name}.pub is there, and clients may be using it`,
          { hint: "restore server.key from a backup, or remove server.pub to start a new pair" },
        );
      }
      const pair = await generateKeyPairFiles(name, { force: false });
      return { pair, made: [`${name}.key`, `${name}.pub`] };
    });
  });
}

/** A warning when server.pub is not the public half of server.key, which would mislead clients. */
export async function checkServerPublicKey(
  paths: StorePaths,
  publicKey: PublicKey,
): Promise<StoreFault | undefined> {
  const path = join(paths.serverFolder, "server.pub");
  try {
    if (formatKey(await readPublicKey(path)) === formatKey(publicKey)) return undefined;
    return { path, state: "is not the public key of server.key; clients need the right one" };
  } catch (error) {
    return { path, state: reasonOf(error) };
  }
}

/**
 * Makes an empty register where absent.
 *
 * @returns whether it had to be made.
 * @throws {StoreError} when it cannot be written.
 */
export async function ensureRegister(paths: StorePaths): Promise<boolean> {
  try {
    if (await exists(paths.register)) return false;
    await createFile(paths.register, "", { mode: PRIVATE_MODE });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw new StoreError(`Cannot write ${paths.register}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Reads what is registered. Keys and lines that are malformed are passed over and reported.
 *
 * @throws {StoreError} when the folder or the register as a whole cannot be read.
 */
export async function readStore(paths: StorePaths): Promise<StoreContent> {
  const faults: StoreFault[] = [];
  const clients: StoredClient[] = [];
  for (const name of await clientFileNames(paths.clientsFolder)) {
    const path = join(paths.clientsFolder, name);
    try {
      // Not awaited: reading 10,000 small files so takes 0.09 s and not 0.6 s.
      const key = parsePublicKey(Deno.readTextFileSync(path));
      if (typeof key === "string") faults.push({ path, state: `${key}, skipped` });
      else clients.push({ path, publicKey: key });
    } catch (error) {
      faults.push({ path, state: `${reasonOf(error)}, skipped` });
    }
  }
  const secrets: SecretHex[] = [];
  const lines = (await readRegister(paths.register)).split(/\r\n|\n|\r/);
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const secret = parseSecret(line);
    if (secret !== undefined) secrets.push(secret);
    else {
      const state = `line ${index + 1} is not 128 hex digits, skipped`;
      faults.push({ path: paths.register, state });
    }
  }
  return { clients, secrets, faults };
}

/**
 * Registers a public key under the next free number, with a fresh secret.
 *
 * @returns the secret, which is told to the client and kept nowhere else beside the register.
 * @throws {StoreError} when the key is registered already or the store cannot be changed.
 */
export async function addClient(
  paths: StorePaths,
  publicKey: PublicKey,
): Promise<{ path: string; secret: SecretHex }> {
  return await changeStore(paths, async () => {
    const wanted = formatKey(publicKey);
    const { clients } = await readStore(paths);
    const twin = clients.find((client) => formatKey(client.publicKey) === wanted);
    if (twin !== undefined) {
      throw new StoreError(`Cannot register this key: it is registered already, in ${twin.path}`);
    }
    const number = nextNumber(await clientFileNames(paths.clientsFolder));
    const path = join(paths.clientsFolder, `client_${number}.pub`);
    const secret = generateSecret();
    const before = await readRegister(paths.register);
    const separator = before === "" || /[\r\n]$/.test(before) ? "" : "\n";
    const after = `${before}${separator}${secret}\n`;
    await replaceFile(paths.register, after, { mode: PRIVATE_MODE });
    await createFile(path, wanted, { mode: PUBLIC_MODE });
    return { path, secret };
  });
}

/**
 * Removes every client key and every secret. The register is emptied first: from then on nobody is
 * accepted, whatever happens to the rest.
 *
 * @returns how many keys were removed.
 * @throws {StoreError} when the store cannot be changed.
 */
export async function purgeClients(paths: StorePaths): Promise<number> {
  return await changeStore(paths, async () => {
    await replaceFile(paths.register, "", { mode: PRIVATE_MODE });
    const names = await clientFileNames(paths.clientsFolder);
    for (const name of names) await removeIfThere(join(paths.clientsFolder, name));
    return names.length;
  });
}

async function changeStore<T>(paths: StorePaths, action: () => Promise<T>): Promise<T> {
  return await guardStore(paths.clientsFolder, () => withLock(paths.clientsFolder, action));
}

/** Tells which store an error of the file system is about. */
async function guardStore<T>(folder: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof MspError) throw error;
    throw new StoreError(`Cannot use the key store in ${folder}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Names of the client files, numbers in numeric order, then the other names. */
async function clientFileNames(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      if (!entry.isDirectory && CLIENT_FILE.test(entry.name)) names.push(entry.name);
    }
  } catch (error) {
    throw new StoreError(`Cannot read ${folder}: ${reasonOf(error)}`, { cause: error });
  }
  return names.sort((a, b) =>
    (numberOf(a) ?? Infinity) - (numberOf(b) ?? Infinity) || (a < b ? -1 : 1)
  );
}

function nextNumber(names: readonly string[]): number {
  return names.reduce((highest, name) => Math.max(highest, numberOf(name) ?? 0), 0) + 1;
}

function numberOf(name: string): number | undefined {
  const rest = CLIENT_FILE.exec(name)?.[1] ?? "";
  return /^\d{1,15}$/.test(rest) ? Number(rest) : undefined;
}

async function readRegister(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw new StoreError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
