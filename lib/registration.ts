/**
 * @module
 * Registration of clients as the administration commands do it: opens the key store that config.ini
 * names, whether or not a server has ever run, checks, changes.
 */
import { Box } from "./crypto/box.ts";
import { formatKey, parsePublicKey, type PublicKey, type SecretHex } from "./crypto/keys.ts";
import { StoreError } from "./errors.ts";
import { openStore } from "./first_start.ts";
import { addClient } from "./keys/store.ts";

/** A client that was registered. */
export interface RegisteredClient {
  /** The file of its public key. */
  readonly path: string;
  /** Told to the client, and kept nowhere. */
  readonly secret: SecretHex;
  readonly serverPublicKey: PublicKey;
}

/**
 * Registers a public key, given as text.
 *
 * @param options isPlain: the register gets the secret itself, for a return to the original
 * @throws {StoreError} when it is not a key, is unsafe, is the server's own, or registered already.
 * @throws {ConfigError} or {KeyFileError} when config.ini or the key store cannot be used.
 */
export async function registerClient(
  configPath: string,
  publicKeyText: string,
  options: { isPlain: boolean } = { isPlain: false },
): Promise<RegisteredClient> {
  const refuse = (state: string): never => {
    throw new StoreError(`Cannot register this key: ${state}`, {
      hint: "pass the content of the client's .pub file: 44 base64 characters",
    });
  };
  const publicKey = parsePublicKey(publicKeyText);
  if (typeof publicKey === "string") return refuse(`the text is ${publicKey}`);
  const { settings: { store }, pair } = await openStore(configPath);
  if (formatKey(publicKey) === formatKey(pair.publicKey)) {
    return refuse("it is the server's own public key");
  }
  const box = await Box.load();
  if (box.deriveSharedKey(publicKey, pair.privateKey) === undefined) {
    return refuse("it is a point of low order, under which everybody could read and write");
  }
  return { ...await addClient(store, publicKey, options), serverPublicKey: pair.publicKey };
}
