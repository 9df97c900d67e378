/**
 * @module
 * The clients in the key store on disk: added, listed, changed, removed (store_reader.ts reads what is
 * registered for the server, server_keys.ts has the server's own keys, register.ts all secrets).
 *
 * Changes run under a lock and replace files whole. A killed command leaves every earlier client
 * valid: the secret is registered before its key, so that the worst that remains is a secret which
 * nobody was told.
 */
import { join } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import { fingerprintOf } from "../crypto/digest.ts";
import { generateSecret, type PublicKey, type SecretHex } from "../crypto/keys.ts";
import { canonicalPublicKey } from "../crypto/public_key.ts";
import { StoreError } from "../errors.ts";
import { createFile, PRIVATE_MODE, PUBLIC_MODE, removeIfThere, replaceFile } from "../files.ts";
import { changeRules, formatClientFile, type RulesFound, rulesFound } from "./client_text.ts";
import type { ClientRules, RuleFault } from "./rules.ts";
import { hashedLine } from "./secrets.ts";
import { revokeInvites } from "./invite_files.ts";
import { addSecretLine, changeStore, nextNumber } from "./store_change.ts";
import { listClientFiles, parseClientFile } from "./store_reader.ts";

/** A file of a registered client. */
export interface ClientEntry extends RulesFound {
  /** What follows the underscore in the name of its file: a number, or whatever was put there by hand. */
  readonly number: string;
  /** Path of the file. */
  readonly path: string;
  readonly publicKey: PublicKey;
  readonly fingerprint: string;
  /** When the file was written. */
  readonly registeredAt: Date | null;
}

/** A client that is to be registered. */
export interface NewClient {
  readonly publicKey: PublicKey;
  readonly rules: ClientRules;
}

/** How to register. */
export interface AddOptions {
  /** The register gets the secret itself, as the original needs it, not its SHA-256. */
  readonly isPlain: boolean;
  /** Gets the secret, which is kept nowhere, before anything changes; when it throws, nothing does. */
  readonly show: (
    client: { number: string; path: string; secret: SecretHex },
  ) => void | Promise<void>;
}

/**
 * Registers a public key under the next free number, with a fresh secret.
 *
 * @throws {StoreError} when the key is registered already, another client has its name, or the store
 * cannot be changed.
 */
export async function addClient(
  paths: StorePaths,
  { publicKey, rules }: NewClient,
  { isPlain, show }: AddOptions,
): Promise<void> {
  await changeStore(paths, async () => {
    const names = await listClientFiles(paths.clientsFolder);
    const clients = readEntries(paths, names);
    const twin = clients.find((each) => isSameKey(each.publicKey, publicKey));
    if (twin !== undefined) {
      throw new StoreError(`Cannot register this key: it is registered already, in ${twin.path}`);
    }
    refuseTakenName(clients, rules.name);
    const number = String(nextNumber(names));
    const path = join(paths.clientsFolder, `client_${number}.pub`);
    const secret = generateSecret();
    await show({ number, path, secret });
    await addSecretLine(paths, isPlain ? secret : hashedLine(secret));
    await createFile(path, formatClientFile(publicKey, rules), { mode: PUBLIC_MODE });
  });
}

/**
 * The registered clients, in the order of their numbers; files that hold no key are left out.
 *
 * @throws {StoreError} when the folder cannot be read.
 */
export async function listClients(paths: StorePaths): Promise<ClientEntry[]> {
  return readEntries(paths, await listClientFiles(paths.clientsFolder));
}

/** Not a promise, as readClientFile(): it would take four times as long. */
function readEntries({ clientsFolder }: StorePaths, names: readonly string[]): ClientEntry[] {
  return names.flatMap((name) => {
    const path = join(clientsFolder, name);
    const text = readText(path);
    const file = parseClientFile(text);
    if (typeof file === "string") return [];
    const { publicKey } = file;
    return [{
      number: name.slice("client_".length, -".pub".length),
      path,
      publicKey,
      fingerprint: fingerprintOf(publicKey),
      registeredAt: writtenAt(path),
      ...rulesFound(text, file),
    }];
  });
}

function writtenAt(path: string): Date | null {
  try {
    return Deno.statSync(path).mtime;
  } catch {
    return null;
  }
}

/** The text of a file; empty when it cannot be read. */
function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/**
 * Removes a client: every file that holds its key. From then on it is refused. Its secret stays: nothing
 * says which one it is.
 *
 * @param show gets what will be removed before anything changes; when it throws, nothing does
 * @returns what was removed.
 * @throws {StoreError} when it is not registered (any more) or the store cannot be changed.
 */
export async function removeClient(
  paths: StorePaths,
  { publicKey }: Pick<ClientEntry, "publicKey">,
  show: (files: readonly ClientEntry[]) => void = () => {},
): Promise<readonly ClientEntry[]> {
  return await changeStore(paths, async () => {
    const files = (await listClients(paths)).filter((each) => isSameKey(each.publicKey, publicKey));
    if (files.length === 0) {
      throw new StoreError("Cannot remove the client: it was removed in the meantime");
    }
    show(files);
    for (const { path } of files) await removeIfThere(path);
    return files;
  });
}

/**
 * Changes the rules in one client's file.
 *
 * @returns the client as it is now.
 * @throws {StoreError} when the file cannot be read or holds a malformed rule, another client has the
 * name, or the store cannot be changed.
 */
export async function changeClient(
  paths: StorePaths,
  { number, path, publicKey }: ClientEntry,
  change: Parameters<typeof changeRules>[1],
): Promise<ClientEntry> {
  return await changeStore(paths, async () => {
    const clients = await listClients(paths);
    const found = clients.find((each) => each.path === path);
    if (found === undefined || !isSameKey(found.publicKey, publicKey)) {
      throw new StoreError(`Cannot change ${path}: it changed in the meantime`);
    }
    const others = clients.filter((each) => !isSameKey(each.publicKey, publicKey));
    refuseTakenName(others, change.change.get("name"));
    const text = changeRules(await Deno.readTextFile(path), change);
    const file = parseClientFile(text);
    const rules = typeof file === "string" ? undefined : file.rules;
    if (rules?.ok !== true) {
      const state = rules === undefined ? String(file) : ruleFaultText(rules.fault);
      throw new StoreError(`Cannot change ${path}: ${state}`, {
        hint: `correct that line, or remove all rules: msp client ${number} --clear`,
      });
    }
    await replaceFile(path, text, { mode: PUBLIC_MODE });
    const registeredAt = (await Deno.stat(path)).mtime;
    const { fault: _, ...rest } = found;
    return { ...rest, registeredAt, rules: rules.rules };
  });
}

/** A fault in a file's rules, for a message. */
export function ruleFaultText({ line, state }: RuleFault): string {
  return `line ${line}${state.startsWith(":") ? "" : " "}${state}`;
}

/** @throws {StoreError} when a client has the name: commands could not tell which one is meant. */
function refuseTakenName(clients: readonly ClientEntry[], name: string | undefined): void {
  if (name === undefined) return;
  const other = clients.find(({ rules }) => rules.name?.toLowerCase() === name.toLowerCase());
  if (other === undefined) return;
  throw new StoreError(`Cannot use the name ${JSON.stringify(name)}: ${other.path} has it`, {
    hint: "choose another name; msp listclients shows them",
  });
}

/**
 * Removes every client key and every secret, and revokes open invites: nobody joins with a link that was
 * given away before. The register is emptied first: from then on nobody calls by protocol v1, whatever
 * happens to the rest.
 *
 * @param show gets the clients before anything changes; when it throws, nothing does
 * @returns how many files were removed.
 * @throws {StoreError} when the store cannot be changed.
 */
export async function purgeClients(
  paths: StorePaths,
  show: (clients: readonly ClientEntry[]) => void,
): Promise<number> {
  return await changeStore(paths, async () => {
    show(await listClients(paths));
    await replaceFile(paths.register, "", { mode: PRIVATE_MODE });
    const names = await listClientFiles(paths.clientsFolder);
    for (const name of names) await removeIfThere(join(paths.clientsFolder, name));
    await revokeInvites(paths);
    return names.length;
  });
}

/** Whether two keys are one, in whatever form. */
function isSameKey(a: PublicKey, b: PublicKey): boolean {
  const other = canonicalPublicKey(b);
  return canonicalPublicKey(a).every((byte, index) => byte === other[index]);
}
