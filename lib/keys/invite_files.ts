/**
 * @module
 * The files of invites, `invites/ID.json` in the folder of the server's keys: SHA-256 of the token, end,
 * uses, rules, and who used it. The token itself is kept nowhere. Imports no package: the process that
 * registers clients loads this.
 */
import { join } from "node:path";
import { toHex } from "../../client/bytes.ts";
import type { StorePaths } from "../config/settings.ts";
import { sha256 } from "../crypto/digest.ts";
import { formatKey } from "../crypto/keys.ts";
import { reasonOf, StoreError } from "../errors.ts";
import { PRIVATE_MODE, removeIfThere, replaceFile } from "../files.ts";
import { type ClientRules, formatRules, parseRules } from "./rules.ts";
import { readClientKey, type StoreFault } from "./store_reader.ts";

/** Random bytes of a token. */
export const TOKEN_BYTES = 16;

/** A key that was registered with an invite. */
export interface Redemption {
  readonly publicKeyBase64: string;
  /** Name of its file in the key store. */
  readonly file: string;
  /** IP address, without a port. */
  readonly address: string;
  readonly at: Date;
  /** Whether a secret for protocol v1 was registered with it. */
  readonly hasSecret: boolean;
}

/** An invite, as it is kept. */
export interface Invite {
  /** The first 8 hex digits of {@link Invite.tokenSha256}. */
  readonly id: string;
  /** 64 hex digits. */
  readonly tokenSha256: string;
  readonly created: Date;
  readonly expires: Date;
  /** How many keys may be registered with it. */
  readonly uses: number;
  /** For how long a key is valid once it is registered; without, it does not expire. */
  readonly keySeconds?: number;
  /** What a key that is registered with it may do. */
  readonly rules: ClientRules;
  readonly isRevoked: boolean;
  readonly redeemed: readonly Redemption[];
  /** A registration that is under way, or was when its process was killed. */
  readonly pending?: Redemption;
}

/** What an invite is good for. */
export type InviteState = "open" | "used" | "expired" | "revoked";

/** The state of an invite. */
export function stateOf({ isRevoked, redeemed, uses, expires }: Invite, now: Date): InviteState {
  if (redeemed.length >= uses) return "used";
  if (isRevoked) return "revoked";
  return now < expires ? "open" : "expired";
}

/** Folder of the invites. */
export function invitesFolder({ serverFolder }: StorePaths): string {
  return join(serverFolder, "invites");
}

/** Path of an invite. */
export function invitePath(paths: StorePaths, id: string): string {
  return join(invitesFolder(paths), `${id}.json`);
}

/** SHA-256 of a token, 64 hex digits; its first 8 are the invite's id. */
export function hashToken(
  token: Uint8Array,
): { readonly id: string; readonly tokenSha256: string } {
  const tokenSha256 = toHex(sha256(token));
  return { id: tokenSha256.slice(0, 8), tokenSha256 };
}

/**
 * The invite with an id; `undefined` when there is none.
 *
 * @throws {StoreError} when its file cannot be read, or holds something else.
 */
export async function readInvite(paths: StorePaths, id: string): Promise<Invite | undefined> {
  const path = invitePath(paths, id);
  try {
    return parseInvite(await Deno.readTextFile(path), id);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    const state = error instanceof InviteFault ? error.message : reasonOf(error);
    throw new StoreError(`Cannot read ${path}: ${state}`, { cause: error });
  }
}

/**
 * All invites, the oldest first, and the files that hold something else.
 *
 * @throws {StoreError} when the folder cannot be read.
 */
export async function listInvites(
  paths: StorePaths,
): Promise<{ readonly invites: readonly Invite[]; readonly faults: readonly StoreFault[] }> {
  const invites: Invite[] = [];
  const faults: StoreFault[] = [];
  for (const id of await listIds(paths)) {
    try {
      const invite = await readInvite(paths, id);
      if (invite !== undefined) invites.push(invite);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const state = error.message.replace(/^.*?: /, "");
      faults.push({ path: invitePath(paths, id), state });
    }
  }
  invites.sort((a, b) => a.created.getTime() - b.created.getTime());
  return { invites, faults };
}

async function listIds(paths: StorePaths): Promise<string[]> {
  const folder = invitesFolder(paths);
  const ids: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const [, id] = /^([0-9a-f]{8})\.json$/.exec(name) ?? [];
      if (id !== undefined) ids.push(id);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new StoreError(`Cannot read ${folder}: ${reasonOf(error)}`, { cause: error });
  }
  return ids.sort();
}

/** Writes an invite. @throws {Deno.errors} what the file system says. */
export async function writeInvite(paths: StorePaths, invite: Invite): Promise<void> {
  await replaceFile(invitePath(paths, invite.id), formatInvite(invite), { mode: PRIVATE_MODE });
}

/** Removes an invite. @throws {Deno.errors} what the file system says. */
export async function removeInvite(paths: StorePaths, { id }: Invite): Promise<void> {
  await removeIfThere(invitePath(paths, id));
}

/** Revokes every invite. @throws {Deno.errors} what the file system says. */
export async function revokeInvites(paths: StorePaths): Promise<void> {
  const { invites } = await listInvites(paths);
  for (const invite of invites) {
    if (!invite.isRevoked) await writeInvite(paths, { ...invite, isRevoked: true });
  }
}

/**
 * Decides about registrations whose process was killed, while nothing else changes the store: a key that
 * has its file is registered, and counts; one without was never there.
 */
export async function settleInvites(paths: StorePaths): Promise<void> {
  const { invites } = await listInvites(paths);
  for (const invite of invites) await settleInvite(paths, invite);
}

/** The same for one invite, which is returned as it is then. */
export async function settleInvite(paths: StorePaths, invite: Invite): Promise<Invite> {
  const { pending, ...rest } = invite;
  if (pending === undefined) return invite;
  const key = readClientKey(join(paths.clientsFolder, pending.file));
  const isRegistered = !("state" in key) && formatKey(key) === pending.publicKeyBase64;
  const settled = isRegistered ? { ...rest, redeemed: [...rest.redeemed, pending] } : rest;
  await writeInvite(paths, settled);
  return settled;
}

/** What a file holds instead of an invite; never with its content. */
class InviteFault extends Error {}

function formatInvite({ id: _, rules, ...invite }: Invite): string {
  return `${JSON.stringify({ ...invite, rules: formatRules(rules) }, null, 2)}\n`;
}

/** @throws {InviteFault} for everything that was not written by {@link formatInvite} */
function parseInvite(text: string, id: string): Invite {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InviteFault("it is not JSON");
  }
  const members = new Members(value);
  const tokenSha256 = members.text("tokenSha256", /^[0-9a-f]{64}$/);
  if (!tokenSha256.startsWith(id)) throw new InviteFault("it has the name of another invite");
  const rules = parseRules(`\n${members.text("rules", /^/)}`);
  if (!rules.ok) throw new InviteFault("rules cannot be used");
  const { keySeconds, pending } = members.optional(["keySeconds", "pending"]);
  return {
    id,
    tokenSha256,
    created: members.time("created"),
    expires: members.time("expires"),
    uses: members.number("uses"),
    ...keySeconds === undefined ? {} : { keySeconds: members.number("keySeconds") },
    rules: rules.rules,
    isRevoked: members.flag("isRevoked"),
    redeemed: members.list("redeemed").map(parseRedemption),
    ...pending === undefined ? {} : { pending: parseRedemption(pending) },
  };
}

function parseRedemption(value: unknown): Redemption {
  const members = new Members(value);
  return {
    publicKeyBase64: members.text("publicKeyBase64", /^[A-Za-z0-9+/]{43}=$/),
    file: members.text("file", /^client_\d{1,15}\.pub$/),
    address: members.text("address", /^[^\p{Cc}]{1,100}$/u),
    at: members.time("at"),
    hasSecret: members.flag("hasSecret"),
  };
}

/** The members of an object, each of the expected kind. */
class Members {
  readonly #members: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    if (typeof value !== "object" || value === null) throw new InviteFault("expected an object");
    this.#members = value as Record<string, unknown>;
  }

  optional<Name extends string>(names: readonly Name[]): { readonly [K in Name]?: unknown } {
    return Object.fromEntries(names.map((name) => [name, this.#members[name]])) as {
      [K in Name]?: unknown;
    };
  }

  text(name: string, form: RegExp): string {
    const value = this.#members[name];
    return typeof value === "string" && form.test(value) ? value : this.#fail(name, "a text");
  }

  time(name: string): Date {
    const time = new Date(this.text(name, /^\d{4}-\d\d-\d\dT/));
    return Number.isNaN(time.getTime()) ? this.#fail(name, "a time") : time;
  }

  number(name: string): number {
    const value = this.#members[name];
    const isCount = typeof value === "number" && Number.isSafeInteger(value) && value > 0;
    return isCount ? value : this.#fail(name, "a number");
  }

  flag(name: string): boolean {
    const value = this.#members[name];
    return typeof value === "boolean" ? value : this.#fail(name, "true or false");
  }

  list(name: string): readonly unknown[] {
    const value = this.#members[name];
    return Array.isArray(value) ? value : this.#fail(name, "a list");
  }

  #fail(name: string, expected: string): never {
    throw new InviteFault(`${name} cannot be used: expected ${expected}`);
  }
}
