/**
 * @module
 * Registration of clients as the administration commands do it: opens the key store of the settings,
 * whether or not a server has ever run, checks, shows, changes.
 */
import type { Settings } from "./config/settings.ts";
import { Box } from "./crypto/box.ts";
import { formatKey, parsePublicKey, type PublicKey, type SecretHex } from "./crypto/keys.ts";
import { StoreError } from "./errors.ts";
import { ensureStore } from "./first_start.ts";
import { addClient } from "./keys/store.ts";

/** A client that is registered now. */
export interface RegisteredClient {
  /** The file of its public key. */
  readonly path: string;
  /** Told to the client, and kept nowhere. */
  readonly secret: SecretHex;
  readonly serverPublicKey: PublicKey;
}

/** How to register. */
export interface RegistrationOptions {
  /** The register gets the secret itself, for a return to the original. */
  readonly isPlain: boolean;
  /** Gets what the client needs before anything changes; when it throws, nothing does. */
  readonly show: (client: RegisteredClient) => void;
}

/**
 * Registers a public key, given as text.
 *
 * @returns the paths that had to be made for a new key store.
 * @throws {StoreError} when it is not a key, is unsafe, is the server's own, or registered already.
 * @throws {KeyFileError} when the server's key cannot be used.
 */
export async function registerClient(
  settings: Settings,
  publicKeyText: string,
  { isPlain, show }: RegistrationOptions,
): Promise<{ made: readonly string[] }> {
  const refuse = (state: string): never => {
    throw new StoreError(`Cannot register this key: ${state}`, {
      hint: "pass the content of the client's .pub file: 44 base64 characters",
    });
  };
  const publicKey = parsePublicKey(publicKeyText);
  if (typeof publicKey === "string") return refuse(`the text is ${publicKey}`);
  const { pair, made } = await ensureStore(settings);
  if (formatKey(publicKey) === formatKey(pair.publicKey)) {
    return refuse("it is the server's own public key");
  }
  const box = await Box.load();
  if (box.deriveSharedKey(publicKey, pair.privateKey) === undefined) {
    return refuse("it is a point of low order, under which everybody could read and write");
  }
  const serverPublicKey = pair.publicKey;
  await addClient(settings.store, publicKey, {
    isPlain,
    show: (client) => show({ ...client, serverPublicKey }),
  });
  return { made };
}
