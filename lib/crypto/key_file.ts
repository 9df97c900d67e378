/**
 * @module
 * Key files: NAME.key and NAME.pub, base64 without a line end as the original writes them; reading
 * forgives line ends and spaces. Messages name the file and what is wrong, never its content.
 */
import { dirname } from "node:path";
import { KeyFileError, reasonOf } from "../errors.ts";
import { describeSecretText } from "./key_text.ts";
import {
  createFile,
  exists,
  PRIVATE_MODE,
  PUBLIC_MODE,
  removeIfThere,
  replaceFile,
} from "../files.ts";
import {
  formatKey,
  type KeyPair,
  type KeyTextFault,
  parsePrivateKey,
  parsePublicKey,
  parseSecret,
  type PrivateKey,
  type PublicKey,
  type SecretHex,
} from "./keys.ts";
import { generateKeyPair } from "./nacl.ts";
import { publicKeyOf } from "./x25519.ts";

/**
 * Reads NAME.key.
 *
 * @throws {KeyFileError} when it is missing, unreadable or malformed.
 */
export async function readPrivateKey(path: string): Promise<PrivateKey> {
  return expectKey(path, parsePrivateKey(await readText(path)));
}

/**
 * Reads NAME.pub.
 *
 * @throws {KeyFileError} when it is missing, unreadable or malformed.
 */
export async function readPublicKey(path: string): Promise<PublicKey> {
  return expectKey(path, parsePublicKey(await readText(path)));
}

/**
 * Reads a client's secret file: 128 hex digits.
 *
 * @throws {KeyFileError} when it is missing, unreadable or malformed.
 */
export async function readSecret(path: string): Promise<SecretHex> {
  const text = await readText(path);
  const secret = parseSecret(text);
  if (secret !== undefined) return secret;
  throw new KeyFileError(
    `Cannot read ${path}: the text is ${describeSecretText(text)}, expected 128 hex digits`,
  );
}

/** Whether existing files are replaced. */
export interface GenerateOptions {
  readonly force: boolean;
}

/**
 * Makes NAME.key (mode 0600), durable on return.
 *
 * @throws {KeyFileError} when it exists and `force` is not set, or cannot be written.
 */
export async function generatePrivateKeyFile(
  name: string,
  options: GenerateOptions,
): Promise<PrivateKey> {
  const { privateKey } = generateKeyPair();
  await writeKey(`${name}.key`, privateKey, PRIVATE_MODE, options);
  return privateKey;
}

/**
 * Makes NAME.pub (mode 0644) from an existing NAME.key.
 *
 * @throws {KeyFileError} when NAME.key cannot be used, or NAME.pub exists and `force` is not set.
 */
export async function generatePublicKeyFile(name: string, options: GenerateOptions): Promise<void> {
  const privateKey = await readPrivateKey(`${name}.key`);
  await writeKey(`${name}.pub`, publicKeyOf(privateKey), PUBLIC_MODE, options);
}

/**
 * Makes NAME.key and NAME.pub, both or none.
 *
 * @throws {KeyFileError} when one of them exists and `force` is not set, or cannot be written.
 */
export async function generateKeyPairFiles(
  name: string,
  options: GenerateOptions,
): Promise<KeyPair> {
  if (!options.force) {
    for (const path of [`${name}.key`, `${name}.pub`]) {
      if (await exists(path).catch(() => false)) throw alreadyThere(path);
    }
  }
  const pair = generateKeyPair();
  await writeKey(`${name}.key`, pair.privateKey, PRIVATE_MODE, options);
  try {
    await writeKey(`${name}.pub`, pair.publicKey, PUBLIC_MODE, options);
  } catch (error) {
    if (!options.force) await removeIfThere(`${name}.key`);
    throw error;
  }
  return pair;
}

async function writeKey(
  path: string,
  key: PublicKey | PrivateKey,
  mode: number,
  { force }: GenerateOptions,
): Promise<void> {
  try {
    if (force) await replaceFile(path, formatKey(key), { mode });
    else await createFile(path, formatKey(key), { mode });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw alreadyThere(path);
    const state = error instanceof Deno.errors.NotFound
      ? `there is no folder ${dirname(path)}`
      : reasonOf(error);
    throw new KeyFileError(`Cannot write ${path}: ${state}`, { cause: error });
  }
}

function alreadyThere(path: string): KeyFileError {
  return new KeyFileError(`Cannot write ${path}: it exists already`, {
    hint: "choose another name, or pass --force to replace it; the old key is then lost",
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new KeyFileError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

function expectKey<T extends Uint8Array>(path: string, key: T | KeyTextFault): T {
  if (typeof key !== "string") return key;
  throw new KeyFileError(
    `Cannot read ${path}: the text is ${key}, expected a key of 32 bytes as 44 base64 characters`,
  );
}
