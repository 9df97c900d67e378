/**
 * @module
 * The server's keys: for each protocol NAME.key with NAME.pub, and for a time after a rotation
 * NAME.previous.key, the previous keys with the time until which clients may still use them.
 */
import { join } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import {
  generateKeyPairFiles,
  generatePublicKeyFile,
  readPrivateKey,
  readPublicKey,
} from "../crypto/key_file.ts";
import {
  formatKey,
  type KeyPair,
  parsePrivateKey,
  type PrivateKey,
  type PublicKey,
} from "../crypto/keys.ts";
import { generateKeyPair } from "../crypto/nacl.ts";
import { publicKeyOf } from "../crypto/x25519.ts";
import { KeyFileError, reasonOf } from "../errors.ts";
import {
  exists,
  PRIVATE_MODE,
  PUBLIC_MODE,
  removeIfThere,
  replaceFile,
  withLock,
} from "../files.ts";
import { guardStore, refuseForeignStore } from "./store_change.ts";
import type { StoreFault } from "./store_reader.ts";

/** The server's pairs: of protocol v1 and of protocol v2. A Noise key is used for nothing else. */
export const SERVER_PAIRS = ["server", "server2"] as const;
/** One of them. */
export type ServerPairName = typeof SERVER_PAIRS[number];
/** Something for each pair; that of protocol v2 is missing where v2 never was in use. */
export interface ForEachPair<T> {
  readonly server: T;
  readonly server2?: T;
}

/** A key of the server that was replaced. */
export interface PreviousKey {
  readonly privateKey: PrivateKey;
  /** Unix time in seconds from which it is not accepted any more. */
  readonly until: number;
}

/** Path of a private key of the server. */
export function serverKeyPath(
  { serverFolder }: StorePaths,
  name: ServerPairName = "server",
): string {
  return join(serverFolder, `${name}.key`);
}

/** Path of the previous keys. */
export function previousKeyPath(
  { serverFolder }: StorePaths,
  name: ServerPairName = "server",
): string {
  return join(serverFolder, `${name}.previous.key`);
}

/** The server's pairs, and the paths of files that were made for them. */
export interface ServerKeys {
  readonly pairs: ForEachPair<KeyPair>;
  readonly made: readonly string[];
}

/**
 * The server's pairs; made where absent, in folders that exist. NAME.key decides: a missing NAME.pub is
 * made from it.
 *
 * @param names those that are needed
 * @throws {KeyFileError} when NAME.key is unreadable or malformed, or is missing beside a NAME.pub that
 * clients may be using.
 */
export async function ensureServerKeys(
  paths: StorePaths,
  names: readonly ServerPairName[] = SERVER_PAIRS,
): Promise<ServerKeys> {
  const { serverFolder } = paths;
  return await guardStore(serverFolder, async () => {
    const made: string[] = [];
    // A complete store may be read-only; the lock is for making what is missing.
    if (!await isComplete(paths, names)) {
      await withLock(serverFolder, async () => {
        for (const name of names) made.push(...await completePair(paths, name));
      });
    }
    const server = await readServerPair(paths, "server");
    if (!names.includes("server2")) return { pairs: { server }, made };
    return { pairs: { server, server2: await readServerPair(paths, "server2") }, made };
  });
}

async function isComplete(
  { serverFolder }: StorePaths,
  names: readonly ServerPairName[],
): Promise<boolean> {
  for (const name of names) {
    const base = join(serverFolder, name);
    if (!await exists(`${base}.key`) || !await exists(`${base}.pub`)) return false;
  }
  return true;
}

/** Makes what is missing of a pair. */
async function completePair({ serverFolder }: StorePaths, name: ServerPairName): Promise<string[]> {
  const base = join(serverFolder, name);
  const hasPublicKey = await exists(`${base}.pub`);
  if (await exists(`${base}.key`)) {
    if (hasPublicKey) return [];
    await generatePublicKeyFile(base, { force: false });
    return [`${base}.pub`];
  }
  if (hasPublicKey) {
    throw new KeyFileError(
      `Cannot make ${base}.key: ${base}.pub is there, and clients may be using it`,
      { hint: `restore ${name}.key from a backup, or remove ${name}.pub to start a new pair` },
    );
  }
  await generateKeyPairFiles(base, { force: false });
  return [`${base}.key`, `${base}.pub`];
}

/**
 * A pair of the server, from NAME.key.
 *
 * @throws {KeyFileError} when it cannot be used.
 */
export async function readServerPair(
  paths: StorePaths,
  name: ServerPairName = "server",
): Promise<KeyPair> {
  const privateKey = await readPrivateKey(serverKeyPath(paths, name));
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

/**
 * The previous keys whose time is not over, the latest first.
 *
 * @throws {KeyFileError} when the file is there and cannot be used.
 */
export async function readPreviousKeys(
  paths: StorePaths,
  { name = "server", nowSeconds }: { readonly name?: ServerPairName; readonly nowSeconds: number },
): Promise<readonly PreviousKey[]> {
  const path = previousKeyPath(paths, name);
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new KeyFileError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  const keys: PreviousKey[] = [];
  const words = text.trim().split(/\s+/);
  for (let i = 0; i < words.length; i += 2) {
    const privateKey = parsePrivateKey(words[i] ?? "");
    const until = Number(/^until=(\d{1,12})$/.exec(words[i + 1] ?? "")?.[1] ?? NaN);
    if (typeof privateKey === "string" || Number.isNaN(until)) {
      throw new KeyFileError(
        `Cannot read ${path}: expected keys, each with until=UNIX TIME on the next line`,
      );
    }
    keys.push({ privateKey, until });
  }
  return keys.filter(({ until }) => until > nowSeconds);
}

/**
 * Replaces the server's pairs. A kill at any point leaves pairs that work: the previous keys are kept
 * first, then NAME.key decides.
 *
 * @param graceSeconds for how long clients may use the keys that are replaced; with 0 they are dropped at
 * once. Earlier ones keep their own time
 * @param show gets the new public keys before anything changes; when it throws, nothing does
 * @throws {KeyFileError} when a NAME.key cannot be used.
 * @throws {StoreError} when the files cannot be written.
 */
export async function rotateServerKeys(
  paths: StorePaths,
  { graceSeconds, nowSeconds, show }: {
    graceSeconds: number;
    nowSeconds: number;
    show: (publicKeys: ForEachPair<PublicKey>) => void;
  },
): Promise<void> {
  const { serverFolder } = paths;
  await refuseForeignStore(paths);
  // Without a key there is nothing to replace, and no lock to leave behind.
  await readServerPair(paths);
  await guardStore(serverFolder, () =>
    withLock(serverFolder, async () => {
      const names = await exists(serverKeyPath(paths, "server2"))
        ? SERVER_PAIRS
        : ["server"] as const;
      const rotations = [];
      for (const name of names) {
        const { privateKey } = await readServerPair(paths, name);
        const kept = await readPreviousKeys(paths, { name, nowSeconds });
        const until = nowSeconds + graceSeconds;
        const previous = graceSeconds > 0 ? [{ privateKey, until }, ...kept] : kept;
        rotations.push({ name, previous, next: generateKeyPair() });
      }
      const [server, server2] = rotations.map(({ next }) => next.publicKey);
      if (server !== undefined) show({ server, ...server2 === undefined ? {} : { server2 } });
      for (const { name, previous, next } of rotations) {
        await writePreviousKeys(previousKeyPath(paths, name), previous);
        const keyPath = serverKeyPath(paths, name);
        await replaceFile(keyPath, formatKey(next.privateKey), { mode: PRIVATE_MODE });
        const publicPath = join(serverFolder, `${name}.pub`);
        await replaceFile(publicPath, formatKey(next.publicKey), { mode: PUBLIC_MODE });
      }
    }));
}

async function writePreviousKeys(path: string, keys: readonly PreviousKey[]): Promise<void> {
  if (keys.length === 0) return await removeIfThere(path);
  const lines = keys.map(({ privateKey, until }) => `${formatKey(privateKey)}\nuntil=${until}\n`);
  await replaceFile(path, lines.join(""), { mode: PRIVATE_MODE });
}

/** A warning when NAME.pub is not the public half of NAME.key, which would mislead clients. */
export async function checkServerPublicKey(
  paths: StorePaths,
  publicKey: PublicKey,
  name: ServerPairName = "server",
): Promise<StoreFault | undefined> {
  const path = join(paths.serverFolder, `${name}.pub`);
  try {
    if (formatKey(await readPublicKey(path)) === formatKey(publicKey)) return undefined;
    return { path, state: `is not the public key of ${name}.key; clients need the right one` };
  } catch (error) {
    return { path, state: reasonOf(error) };
  }
}
