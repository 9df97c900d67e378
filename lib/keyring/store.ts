/**
 * @module
 * The key store on disk, made and changed (store_reader.ts reads what is registered).
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
  type PublicKey,
  type SecretHex,
} from "../crypto/keys.ts";
import { publicKeyOf } from "../crypto/nacl.ts";
import { KeyFileError, MspError, reasonOf, StoreError } from "../errors.ts";
import {
  clientNumber,
  listClientFiles,
  readClientKey,
  readRegister,
  type StoreFault,
} from "./store_reader.ts";
import {
  createFile,
  ensureFolder,
  exists,
  removeIfThere,
  replaceFile,
  withLock,
} from "../files.ts";

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
    const names = await listClientFiles(paths.clientsFolder);
    const twin = names.map((name) => join(paths.clientsFolder, name))
      .find((path) => {
        const key = readClientKey(path);
        return !("state" in key) && formatKey(key) === wanted;
      });
    if (twin !== undefined) {
      throw new StoreError(`Cannot register this key: it is registered already, in ${twin}`);
    }
    const number = nextNumber(names);
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
    const names = await listClientFiles(paths.clientsFolder);
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

function nextNumber(names: readonly string[]): number {
  return names.reduce((highest, name) => Math.max(highest, clientNumber(name) ?? 0), 0) + 1;
}
