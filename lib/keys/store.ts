/**
 * @module
 * The clients in the key store on disk: made, listed, changed (store_reader.ts reads what is registered,
 * server_keys.ts has the server's own).
 *
 * Changes run under a lock and replace files whole. A killed command leaves every earlier client
 * valid: the secret is registered before its key, so that the worst that remains is a secret which
 * nobody was told.
 */
import { dirname, join } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import { fingerprintOf } from "../crypto/digest.ts";
import { PRIVATE_MODE, PUBLIC_MODE } from "../crypto/key_file.ts";
import { formatKey, generateSecret, type PublicKey, type SecretHex } from "../crypto/keys.ts";
import { MspError, reasonOf, StoreError } from "../errors.ts";
import {
  createFile,
  ensureFolder,
  exists,
  removeIfThere,
  replaceFile,
  withLock,
} from "../files.ts";
import { hashedLine, parseRegisterLine } from "./secrets.ts";
import { clientNumber, listClientFiles, readClientKey, readRegister } from "./store_reader.ts";

const FOLDER_MODE = 0o700;

/** A registered client, as far as the server knows it. */
export interface ClientEntry {
  /** What follows the underscore in the name of its file: a number, or whatever was put there by hand. */
  readonly number: string;
  /** Path of the file. */
  readonly path: string;
  readonly publicKey: PublicKey;
  readonly fingerprint: string;
  /** When the file was written. */
  readonly registeredAt: Date | null;
}

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
 * @param isPlain the register gets the secret itself, as the original needs it, not its SHA-256
 * @param show gets the secret, which is kept nowhere, before anything changes; when it throws, nothing does
 * @throws {StoreError} when the key is registered already or the store cannot be changed.
 */
export async function addClient(
  paths: StorePaths,
  publicKey: PublicKey,
  { isPlain, show }: {
    isPlain: boolean;
    show: (client: { path: string; secret: SecretHex }) => void;
  },
): Promise<void> {
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
    const after = `${before}${separator}${isPlain ? secret : hashedLine(secret)}\n`;
    show({ path, secret });
    await replaceFile(paths.register, after, { mode: PRIVATE_MODE });
    await createFile(path, wanted, { mode: PUBLIC_MODE });
  });
}

/**
 * The registered clients, in the order of their numbers; files that hold no key are left out.
 *
 * @throws {StoreError} when the folder cannot be read.
 */
export async function listClients({ clientsFolder }: StorePaths): Promise<ClientEntry[]> {
  const entries: ClientEntry[] = [];
  for (const name of await listClientFiles(clientsFolder)) {
    const path = join(clientsFolder, name);
    const publicKey = readClientKey(path);
    if ("state" in publicKey) continue;
    const registeredAt = (await Deno.stat(path).catch(() => undefined))?.mtime ?? null;
    const number = name.slice("client_".length, -".pub".length);
    entries.push({ number, path, publicKey, fingerprint: fingerprintOf(publicKey), registeredAt });
  }
  return entries;
}

/**
 * Removes one client's key: from then on it cannot be heard. Its secret stays: nothing says which it is.
 *
 * @throws {StoreError} when it is not registered (any more) or the store cannot be changed.
 */
export async function removeClient(paths: StorePaths, entry: ClientEntry): Promise<void> {
  await changeStore(paths, async () => {
    const key = readClientKey(entry.path);
    if ("state" in key || formatKey(key) !== formatKey(entry.publicKey)) {
      throw new StoreError(`Cannot remove ${entry.path}: it changed in the meantime`);
    }
    await removeIfThere(entry.path);
  });
}

/**
 * Replaces all secrets by fresh ones, as many as there are clients.
 *
 * @param graceSeconds for how long the secrets before stay valid
 * @param show gets the new secrets before anything changes; when it throws, nothing does
 * @returns the new secrets; any of them is valid with any registered key.
 * @throws {StoreError} when the store cannot be changed.
 */
export async function rotateSecrets(
  paths: StorePaths,
  { graceSeconds, nowSeconds, show }: {
    graceSeconds: number;
    nowSeconds: number;
    show: (secrets: readonly SecretHex[]) => void;
  },
): Promise<SecretHex[]> {
  return await changeStore(paths, async () => {
    const until = nowSeconds + graceSeconds;
    const kept = graceSeconds === 0
      ? []
      : (await registerLines(paths)).filter((each) => (each.until ?? Infinity) > nowSeconds)
        .map((each) => `${each.text} until=${Math.min(each.until ?? Infinity, until)}`);
    const count = (await listClientFiles(paths.clientsFolder)).length;
    const secrets = Array.from({ length: count }, generateSecret);
    const lines = [...kept, ...secrets.map(hashedLine)];
    const text = lines.map((line) => `${line}\n`).join("");
    show(secrets);
    await replaceFile(paths.register, text, { mode: PRIVATE_MODE });
    return secrets;
  });
}

/**
 * Puts the SHA-256 of each secret in its place.
 *
 * @returns how many secrets were replaced.
 * @throws {StoreError} when a line is malformed or the store cannot be changed.
 */
export async function migrateSecrets(paths: StorePaths): Promise<number> {
  return await changeStore(paths, async () => {
    const lines = await registerLines(paths);
    const count = lines.filter(({ isPlain }) => isPlain).length;
    if (count === 0) return 0;
    const text = lines.map(({ text, until }) =>
      until === undefined ? `${text}\n` : `${text} until=${until}\n`
    ).join("");
    await replaceFile(paths.register, text, { mode: PRIVATE_MODE });
    return count;
  });
}

/** The register as lines without secrets. */
async function registerLines(
  { register }: StorePaths,
): Promise<{ text: string; isPlain: boolean; until: number | undefined }[]> {
  const lines = (await readRegister(register)).split(/\r\n|\n|\r/);
  return lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    const parsed = parseRegisterLine(line);
    if (parsed === undefined) {
      throw new StoreError(`Cannot change ${register}: line ${index + 1} is not a secret`, {
        hint: "remove or repair that line; msp doctor lists such lines",
      });
    }
    const isPlain = parsed.kind === "plain";
    const text = isPlain ? hashedLine(parsed.secret) : line.trim().split(/\s/)[0] ?? "";
    return [{ text, isPlain, until: parsed.until }];
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

function nextNumber(names: readonly string[]): number {
  return names.reduce((highest, name) => Math.max(highest, clientNumber(name) ?? 0), 0) + 1;
}

/**
 * Runs a change of the clients under the lock of their folder.
 *
 * @throws {StoreError} when the file system refuses, or another command holds the lock.
 */
async function changeStore<T>(paths: StorePaths, action: () => Promise<T>): Promise<T> {
  return await guardStore(paths.clientsFolder, () => withLock(paths.clientsFolder, action));
}

/**
 * Tells which store an error of the file system is about.
 *
 * @throws {StoreError} for any error that is not ours.
 */
export async function guardStore<T>(folder: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof MspError) throw error;
    throw new StoreError(`Cannot use the key store in ${folder}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
