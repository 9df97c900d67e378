/**
 * @module
 * What is done with invites: made, revoked, and used to register a key (docs/clients.md). Every change
 * happens under the lock of the store. Imports no package: the process that registers clients loads this.
 */
import { join } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import { formatKey, parsePublicKey, type PublicKey } from "../crypto/keys.ts";
import { StoreError } from "../errors.ts";
import { createFile, ensureFolder, PUBLIC_MODE } from "../files.ts";
import {
  hashToken,
  type Invite,
  invitesFolder,
  listInvites,
  readInvite,
  type Redemption,
  removeInvite,
  settleInvite,
  stateOf,
  TOKEN_BYTES,
  writeInvite,
} from "./invite_files.ts";
import { type ClientRules, formatRules, isClientName, parseRule, parseRules } from "./rules.ts";
import { addSecretLine, changeStore, nextNumber } from "./store_change.ts";
import { listClientFiles } from "./store_reader.ts";

const FOLDER_MODE = 0o700;
/** Invites that are kept at most, with those that are over. */
const MAX_INVITES = 1000;
/** Characters of an address that are kept. */
const MAX_ADDRESS = 100;
/** For how long an invite is still listed after its end. */
const KEPT_MS = 30 * 24 * 3600 * 1000;

/** What makes an invite. */
export interface InviteSpec {
  readonly expires: Date;
  readonly uses: number;
  readonly keySeconds?: number | undefined;
  readonly rules: ClientRules;
  readonly now: Date;
}

/**
 * Makes an invite.
 *
 * @param show gets it with its token, which is kept nowhere, before it is there; when it throws, nothing
 * changes
 * @throws {StoreError} when the store cannot be changed, or has {@link MAX_INVITES}.
 */
export async function createInvite(
  paths: StorePaths,
  { expires, uses, keySeconds, rules, now }: InviteSpec,
  show: (invite: Invite, token: Uint8Array<ArrayBuffer>) => void | Promise<void>,
): Promise<void> {
  await changeStore(paths, async () => {
    await ensureFolder(invitesFolder(paths), FOLDER_MODE);
    await dropOldInvites(paths, now);
    const token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
    const invite: Invite = {
      ...hashToken(token),
      created: now,
      expires,
      uses,
      ...keySeconds === undefined ? {} : { keySeconds },
      rules,
      isRevoked: false,
      redeemed: [],
    };
    // Two tokens with one id: the chance is 1 to 4 thousand million.
    if (await readInvite(paths, invite.id) !== undefined) {
      throw new StoreError("Cannot create an invite: its id is taken", { hint: "try again" });
    }
    await show(invite, token);
    await writeInvite(paths, invite);
  });
}

async function dropOldInvites(paths: StorePaths, now: Date): Promise<void> {
  const { invites } = await listInvites(paths);
  const kept = invites.filter(({ expires }) => now.getTime() - expires.getTime() < KEPT_MS);
  for (const invite of invites) if (!kept.includes(invite)) await removeInvite(paths, invite);
  if (kept.length < MAX_INVITES) return;
  throw new StoreError(
    `Cannot create an invite: there are ${kept.length} in ${invitesFolder(paths)}`,
    {
      hint: "msp invites lists them; remove files of those that are over",
    },
  );
}

/**
 * Revokes an invite: from then on it registers nobody. Clients that joined with it stay.
 *
 * @param id its id, or the beginning of it that no other has
 * @throws {StoreError} when there is none, it is not open, or the store cannot be changed.
 */
export async function revokeInvite(paths: StorePaths, id: string, now: Date): Promise<Invite> {
  return await changeStore(paths, async () => {
    const { invites } = await listInvites(paths);
    const found = invites.filter((each) => /^[0-9a-f]+$/.test(id) && each.id.startsWith(id));
    const [invite, another] = found;
    if (invite === undefined || another !== undefined) {
      const state = invite === undefined ? "there is none" : `${found.length} begin with it`;
      throw new StoreError(`Cannot revoke invite ${JSON.stringify(id.slice(0, 80))}: ${state}`, {
        hint: "msp invites lists them",
      });
    }
    const state = stateOf(invite, now);
    if (state !== "open") {
      throw new StoreError(`Cannot revoke invite ${invite.id}: it is ${state} already`);
    }
    await writeInvite(paths, { ...invite, isRevoked: true });
    return invite;
  });
}

/** A key to be registered with an invite. */
export interface RedemptionRequest {
  /** SHA-256 of the token, 64 hex digits. */
  readonly tokenSha256: string;
  /** Which the handshake proved. */
  readonly publicKey: PublicKey;
  /** Name for the client, where the invite has none. */
  readonly name?: string | undefined;
  /** Line of the register for its secret, where it wants one for protocol v1. */
  readonly secretLine?: string | undefined;
  readonly address: string;
  readonly now: Date;
}

/** What came of it: the client's file, or why the invite cannot be used. */
export type RedemptionOutcome =
  | { readonly status: "registered"; readonly file: string }
  | { readonly status: "invalid" };

/**
 * Registers a key with an invite. The file of the client is the one step that counts: whatever is killed
 * before it, nothing is registered and the invite is unused; after it, both are settled by the next change.
 *
 * @throws {StoreError} when the store cannot be changed.
 */
export async function redeemInvite(
  paths: StorePaths,
  request: RedemptionRequest,
): Promise<RedemptionOutcome> {
  const { tokenSha256, publicKey, secretLine, now } = request;
  // What a proxy forwards can be any text.
  const address = request.address.replace(/\p{Cc}/gu, "?").slice(0, MAX_ADDRESS) || "unknown";
  return await changeStore(paths, async () => {
    const found = await readInvite(paths, tokenSha256.slice(0, 8));
    if (found?.tokenSha256 !== tokenSha256) return { status: "invalid" };
    const invite = await settleInvite(paths, found);
    const publicKeyBase64 = formatKey(publicKey);
    const { twin, names, usedNames } = await readClients(paths, publicKeyBase64);
    if (twin !== undefined) return { status: "registered", file: twin };
    // Who was removed since does not come back with a copy of its first message.
    const isRemoved = invite.redeemed.some((each) => each.publicKeyBase64 === publicKeyBase64);
    if (isRemoved || stateOf(invite, now) !== "open") return { status: "invalid" };
    const file = `client_${nextNumber(names)}.pub`;
    const hasSecret = secretLine !== undefined;
    const redemption: Redemption = { publicKeyBase64, file, address, at: now, hasSecret };
    const rules = rulesOf(invite, request, usedNames);
    if (hasSecret) await addSecretLine(paths, secretLine);
    await writeInvite(paths, { ...invite, pending: redemption });
    const text = `${publicKeyBase64}\n${formatRules(rules)}`;
    await createFile(join(paths.clientsFolder, file), text, { mode: PUBLIC_MODE });
    await writeInvite(paths, { ...invite, redeemed: [...invite.redeemed, redemption] });
    return { status: "registered", file };
  });
}

function rulesOf(
  { id, rules, keySeconds }: Invite,
  { name, now }: RedemptionRequest,
  usedNames: ReadonlySet<string>,
): ClientRules {
  const isUsable = name !== undefined && typeof parseRule("name", name) !== "string" &&
    lookOf(name) !== "";
  const wanted = rules.name ?? (isUsable ? name : undefined);
  return {
    ...rules,
    ...wanted === undefined ? {} : { name: freeName(wanted, usedNames) },
    ...keySeconds === undefined
      ? {}
      : { expiresAtSeconds: Math.floor(now.getTime() / 1000) + keySeconds },
    added: `${now.toISOString().slice(0, 10)} by invite ${id}`,
  };
}

/** What people see of a name: two that differ in invisible characters, spaces or case look the same. */
function lookOf(name: string): string {
  return name.normalize("NFKC").replace(/[\p{Default_Ignorable_Code_Point}\s]/gu, "").toLowerCase();
}

/** A name that no other client has: two that look the same could not be told apart. */
function freeName(name: string, used: ReadonlySet<string>): string {
  for (let number = 2, free = name;; number++) {
    if (!used.has(lookOf(free))) return free;
    const ending = ` ${number}`;
    for (let length = name.length;; length--) {
      free = `${name.slice(0, length)}${ending}`;
      if (isClientName(free)) break;
    }
  }
}

interface Clients {
  /** The file that holds the key. */
  readonly twin: string | undefined;
  readonly names: readonly string[];
  /** See {@link lookOf}. */
  readonly usedNames: ReadonlySet<string>;
}

async function readClients(
  { clientsFolder }: StorePaths,
  publicKeyBase64: string,
): Promise<Clients> {
  const names = await listClientFiles(clientsFolder);
  const usedNames = new Set<string>();
  let twin: string | undefined;
  for (const file of names) {
    let text: string;
    try {
      text = Deno.readTextFileSync(join(clientsFolder, file));
    } catch {
      continue;
    }
    const [line = ""] = text.trimStart().split(/[\r\n]/, 1);
    const key = parsePublicKey(line);
    if (typeof key !== "string" && formatKey(key) === publicKeyBase64) twin ??= file;
    const rules = parseRules(text);
    if (rules.ok && rules.rules.name !== undefined) usedNames.add(lookOf(rules.rules.name));
  }
  return { twin, names, usedNames };
}
