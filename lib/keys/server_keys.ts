/**
 * @module
 * The server's keys: server.key with server.pub, and for a time after a rotation server.previous.key, the
 * key before, with the time until which clients may still use it.
 */
import { join } from "node:path";
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
  type KeyPair,
  parsePrivateKey,
  type PrivateKey,
  type PublicKey,
} from "../crypto/keys.ts";
import { generateKeyPair, publicKeyOf } from "../crypto/nacl.ts";
import { KeyFileError, reasonOf } from "../errors.ts";
import { exists, removeIfThere, replaceFile, withLock } from "../files.ts";
import { guardStore } from "./store.ts";
import type { StoreFault } from "./store_reader.ts";

/** A key of the server that was replaced. */
export interface PreviousKey {
  readonly privateKey: PrivateKey;
  /** Unix time in seconds from which it is not accepted any more. */
  readonly until: number;
}

/** Path of the server's private key. */
export function serverKeyPath({ serverFolder }: StorePaths): string {
  return join(serverFolder, "server.key");
}

/** Path of the key before. */
export function previousKeyPath({ serverFolder }: StorePaths): string {
  return join(serverFolder, "server.previous.key");
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
  const read = (): Promise<KeyPair> => readServerPair(paths);
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

/**
 * The server's pair, from server.key.
 *
 * @throws {KeyFileError} when it cannot be used.
 */
export async function readServerPair(paths: StorePaths): Promise<KeyPair> {
  const privateKey = await readPrivateKey(serverKeyPath(paths));
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

/**
 * The key before, if its time is not over.
 *
 * @throws {KeyFileError} when the file is there and cannot be used.
 */
export async function readPreviousKey(
  paths: StorePaths,
  nowSeconds: number,
): Promise<PreviousKey | undefined> {
  const path = previousKeyPath(paths);
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new KeyFileError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  const [keyText = "", untilText = ""] = text.trim().split(/\s+/);
  const privateKey = parsePrivateKey(keyText);
  const until = Number(/^until=(\d{1,12})$/.exec(untilText)?.[1] ?? NaN);
  if (typeof privateKey === "string" || Number.isNaN(until)) {
    throw new KeyFileError(
      `Cannot read ${path}: expected a key, and until=UNIX TIME on the next line`,
    );
  }
  return until > nowSeconds ? { privateKey, until } : undefined;
}

/**
 * Replaces the server's pair. A kill at any point leaves a pair that works: the key before is kept first,
 * then server.key decides.
 *
 * @param graceSeconds for how long clients may use the key before; 0 ends its time at once
 * @throws {KeyFileError} when server.key cannot be used.
 * @throws {StoreError} when the files cannot be written.
 */
export async function rotateServerKey(
  paths: StorePaths,
  { graceSeconds, nowSeconds }: { graceSeconds: number; nowSeconds: number },
): Promise<PublicKey> {
  const { serverFolder } = paths;
  return await guardStore(serverFolder, () =>
    withLock(serverFolder, async () => {
      const before = await readServerPair(paths);
      const next = generateKeyPair();
      const previous = previousKeyPath(paths);
      if (graceSeconds > 0) {
        const text = `${formatKey(before.privateKey)}\nuntil=${nowSeconds + graceSeconds}\n`;
        await replaceFile(previous, text, { mode: PRIVATE_MODE });
      } else await removeIfThere(previous);
      await replaceFile(serverKeyPath(paths), formatKey(next.privateKey), { mode: PRIVATE_MODE });
      const publicPath = join(serverFolder, "server.pub");
      await replaceFile(publicPath, formatKey(next.publicKey), { mode: PUBLIC_MODE });
      return next.publicKey;
    }));
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
