/**
 * @module
 * Registration of clients as the administration commands do it: opens the key store of the settings,
 * whether or not a server has ever run, checks, shows, changes.
 */
import type { Settings } from "./config/settings.ts";
import { Box } from "./crypto/box.ts";
import { formatKey, type PublicKey, type SecretHex } from "./crypto/keys.ts";
import { publicKeyFault } from "./crypto/public_key.ts";
import { StoreError } from "./errors.ts";
import { ensureStore } from "./first_start.ts";
import { PrivateKeyFiles } from "./keys/private_keys.ts";
import type { ClientRules } from "./keys/rules.ts";
import { addClient } from "./keys/store.ts";
import { refuseForeignStore } from "./keys/store_change.ts";
import { readRegisterLines, type StoreFault } from "./keys/store_reader.ts";

/** A client that is about to be registered. */
export interface RegisteredClient {
  /** The number of its file. */
  readonly number: string;
  /** The file of its public key. */
  readonly path: string;
  /** Told to the client, and kept nowhere. */
  readonly secret: SecretHex;
  readonly serverPublicKey: PublicKey;
}

/** How to register. */
export interface RegistrationOptions {
  /** What the client may do. */
  readonly rules: ClientRules;
  /** The register gets the secret itself, for a return to the original. */
  readonly isPlain: boolean;
  /** Gets what the client needs before anything changes; when it throws, nothing does. */
  readonly show: (client: RegisteredClient) => void | Promise<void>;
}

/** What else is to be told. */
export interface Registered {
  /** Paths that had to be created for a new key store. */
  readonly made: readonly string[];
  /** Lines of the register that are not secrets. */
  readonly faults: readonly StoreFault[];
}

/**
 * Registers a public key.
 *
 * @throws {StoreError} when it is not a public key, is a private one, is the server's own, or registered
 * already.
 * @throws {KeyFileError} when the server's key cannot be used.
 */
export async function registerClient(
  settings: Settings,
  publicKey: PublicKey,
  { rules, isPlain, show }: RegistrationOptions,
): Promise<Registered> {
  await refuseForeignStore(settings.store);
  await refuseUnsafeKey(settings, publicKey);
  const { pair, pair2, made } = await ensureStore(settings);
  const own = [pair, pair2].map((each) => each && formatKey(each.publicKey));
  if (own.includes(formatKey(publicKey))) {
    throw new StoreError("Cannot register this key: it is the server's own public key", {
      hint: "pass the public key of the client",
    });
  }
  const serverPublicKey = pair.publicKey;
  await addClient(settings.store, { publicKey, rules }, {
    isPlain,
    show: (client) => show({ ...client, serverPublicKey }),
  });
  return { made, faults: await readRegisterLines(settings.store.register, () => {}) };
}

/** @throws {StoreError} when it is a private key, or not the public key of any pair. */
async function refuseUnsafeKey({ store }: Settings, publicKey: PublicKey): Promise<void> {
  const privatePath = (await PrivateKeyFiles.read([".", store.serverFolder])).pathOf(publicKey);
  const fault = privatePath === undefined
    ? publicKeyFault(await Box.load(), publicKey)
    : `the private key in ${privatePath}`;
  if (fault === undefined) return;
  throw new StoreError(`Cannot register this key: it is ${fault}`, {
    hint: "pass the client's NAME.pub; if this was a private key, create a new pair for the client",
  });
}
