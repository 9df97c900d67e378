/**
 * @module
 * Clients that join a running server with an invite. The server only reads: a process of the program
 * itself registers the key, and the key store is reloaded before the client is welcomed. One client at a
 * time: they wait for one lock anyway.
 */
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { isEqual } from "../client/bytes.ts";
import type { StorePaths } from "./config/settings.ts";
import { formatKey, type PrivateKey, type PublicKey, type SecretHex } from "./crypto/keys.ts";
import { canonicalPublicKey } from "./crypto/public_key.ts";
import { MspError, reasonOf } from "./errors.ts";
import type { InviteDesk, JoinOutcome, JoinRequest, V1Values } from "./keys/invite_desk.ts";
import {
  hashToken,
  type Invite,
  invitesFolder,
  listInvites,
  readInvite,
  type Redemption,
  stateOf,
} from "./keys/invite_files.ts";
import type { ClientRecord, Keyring } from "./keys/keyring.ts";
import type { UseCounter } from "./keys/shared_uses.ts";
import { hashedLine } from "./keys/secrets.ts";
import { readServerPair } from "./keys/server_keys.ts";
import { readClientKey } from "./keys/store_reader.ts";
import type { Observer } from "./observer.ts";
import type { RegistrationAnswer, RegistrationRequest } from "./registration_process.ts";
import { startRegistration } from "./registration_start.ts";

/** Clients that wait for their registration at most. */
const MAX_WAITING = 64;
/** For how long the holder of an invite is told that it is over. */
const ANSWERED_MS = 24 * 3600 * 1000;
/** Two changes of a folder within this time may leave the same time on it. */
const MTIME_STEP_MS = 2000;
/**
 * For so long those that ask for invites are collected, so that one look at the folder answers all of them:
 * unknown senders can make many ask, and the error where there is no folder takes 12 µs. Refusals take
 * longer than this in any case.
 */
const COLLECT_MS = 5;

/** The parts of a registrar. */
export interface RegistrarParts {
  readonly paths: StorePaths;
  readonly keyring: Pick<Keyring, "recordOf" | "isRegisteredSecret" | "whenLoaded">;
  readonly observer: Pick<Observer, "inviteUsed">;
  /** Counts uses for all replicas; without, the files of invites alone. */
  readonly uses?: UseCounter | undefined;
  /** Reloads the key store. */
  readonly reload: () => Promise<void>;
  readonly readEnv: (variable: string) => string | undefined;
}

/** Registers clients that were invited. */
export class Registrar implements InviteDesk {
  readonly #parts: RegistrarParts;
  /** Ends when those that wait have had their turn. */
  #turns: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #looking: Promise<boolean> | undefined;
  #reading: Promise<boolean> | undefined;
  /** When the folder of invites was read, and until when there are any. */
  #seen = { mtimeMs: NaN, readAtMs: NaN, untilMs: 0 };

  constructor(parts: RegistrarParts) {
    this.#parts = parts;
  }

  hasInvites(): Promise<boolean> {
    return this.#looking ??= new Promise((resolve) => {
      setTimeout(() => {
        // Whoever asks after the look gets another one.
        this.#looking = undefined;
        resolve(this.#look());
      }, COLLECT_MS);
    });
  }

  #look(): boolean | Promise<boolean> {
    let mtimeMs: number;
    try {
      mtimeMs = Deno.statSync(invitesFolder(this.#parts.paths)).mtime?.getTime() ?? NaN;
    } catch {
      return false;
    }
    const { mtimeMs: seenMs, readAtMs, untilMs } = this.#seen;
    const isSettled = readAtMs - mtimeMs > MTIME_STEP_MS;
    if (mtimeMs === seenMs && isSettled) return Date.now() < untilMs;
    // It may take longer than until the next look.
    this.#reading ??= this.#readInvites(mtimeMs).finally(() => this.#reading = undefined);
    return this.#reading;
  }

  async #readInvites(mtimeMs: number): Promise<boolean> {
    const readAtMs = Date.now();
    const { invites } = await listInvites(this.#parts.paths).catch(() => ({ invites: [] }));
    const untilMs = ANSWERED_MS + Math.max(0, ...invites.map(({ expires }) => expires.getTime()));
    this.#seen = { mtimeMs, readAtMs, untilMs };
    return Date.now() < untilMs;
  }

  async join(request: JoinRequest): Promise<JoinOutcome> {
    const { publicKey } = request;
    const invite = await this.#find(request.token);
    // A key in another form is the same key, and would be a second client.
    const isOneForm = isEqual(canonicalPublicKey(publicKey), publicKey);
    if (invite === undefined || !isOneForm) return { status: "unknown" };
    if (redemptionOf(invite, publicKey) === undefined) {
      const state = stateOf(invite, new Date());
      if (state !== "open") return this.#refuse("closed", invite, request, `it is ${state}`);
    }
    if (this.#waiting >= MAX_WAITING) return { status: "busy" };
    this.#waiting++;
    const turn = this.#turns.then(() => this.#register(request));
    this.#turns = turn.finally(() => this.#waiting--).catch(() => {});
    return await turn;
  }

  async v1Of({ token, publicKey }: JoinRequest): Promise<V1Values | undefined> {
    const invite = await this.#find(token);
    const redemption = invite && redemptionOf(invite, publicKey);
    if (!redemption?.hasSecret) return undefined;
    const v1 = await this.#v1Values(token, publicKey);
    const isValid = this.#parts.keyring.isRegisteredSecret(new TextEncoder().encode(v1.secret));
    return isValid ? v1 : undefined;
  }

  async #find(token: Uint8Array): Promise<Invite | undefined> {
    const { id, tokenSha256 } = hashToken(token);
    const invite = await readInvite(this.#parts.paths, id).catch(() => undefined);
    return invite?.tokenSha256 === tokenSha256 ? invite : undefined;
  }

  async #register(request: JoinRequest): Promise<JoinOutcome> {
    const { token, publicKey, wantsV1 } = request;
    // Others had their turn since.
    const invite = await this.#find(token);
    if (invite === undefined) return { status: "unknown" };
    const known = await this.#findRegistered(invite, publicKey);
    if (known !== undefined) {
      const v1 = wantsV1 ? await this.v1Of(request) : undefined;
      return { status: "joined", client: known, v1, isNew: false };
    }
    const state = stateOf(invite, new Date());
    // One that was registered with it and removed since does not come back.
    if (state !== "open" || redemptionOf(invite, publicKey, "settled") !== undefined) {
      return this.#refuse("closed", invite, request, `it is ${state === "open" ? "used" : state}`);
    }
    const { uses } = this.#parts;
    const publicKeyBase64 = formatKey(publicKey);
    const use = await uses?.take(invite, publicKeyBase64);
    if (use === "closed") return this.#refuse("closed", invite, request, "it is used");
    if (use === "unavailable") {
      return this.#refuse("failed", invite, request, "Redis cannot be asked");
    }
    const v1 = wantsV1 ? await this.#v1Values(token, publicKey) : undefined;
    const answer = await this.#ask(request, v1);
    if (answer.status !== "registered") await uses?.giveBack(invite, publicKeyBase64);
    if (answer.status === "invalid") {
      return this.#refuse("closed", invite, request, "it is not open any more");
    }
    if (answer.status === "failed") {
      return this.#refuse("failed", invite, request, answer.message);
    }
    const client = await this.#reload(publicKey);
    if (client === undefined) {
      const why = `the key store does not give ${answer.file} back`;
      return this.#refuse("failed", invite, request, why);
    }
    const { address, reference } = request;
    this.#parts.observer.inviteUsed({ invite: invite.id, client, address, reference });
    return { status: "joined", client, v1, isNew: true };
  }

  /** The client of a key; also one that was registered a moment ago, for a server that was killed since. */
  async #findRegistered(invite: Invite, publicKey: PublicKey): Promise<ClientRecord | undefined> {
    const { keyring, paths } = this.#parts;
    const known = keyring.recordOf(publicKey);
    const redemption = redemptionOf(invite, publicKey);
    if (known !== undefined || redemption === undefined) return known;
    const key = readClientKey(join(paths.clientsFolder, redemption.file));
    if ("state" in key || formatKey(key) !== formatKey(publicKey)) return undefined;
    return await this.#reload(publicKey);
  }

  async #reload(publicKey: PublicKey): Promise<ClientRecord | undefined> {
    const { keyring, reload } = this.#parts;
    await reload();
    await keyring.whenLoaded();
    return keyring.recordOf(publicKey);
  }

  #refuse(
    status: "closed" | "failed",
    { id: invite }: Invite,
    { address, reference }: JoinRequest,
    refusal: string,
  ): JoinOutcome {
    this.#parts.observer.inviteUsed({ invite, refusal, address, reference });
    return { status };
  }

  /**
   * The same for the same token and key, so that a lost answer can be given again; nothing that leaves
   * this machine gives it away without the server's key.
   */
  async #v1Values(token: Uint8Array, publicKey: Uint8Array): Promise<V1Values> {
    const { privateKey, publicKey: serverKey } = await readServerPair(this.#parts.paths);
    return { secret: deriveSecret(privateKey, token, publicKey), serverKey: formatKey(serverKey) };
  }

  async #ask(
    { token, publicKey, name, address }: JoinRequest,
    v1: V1Values | undefined,
  ): Promise<RegistrationAnswer> {
    const { paths, readEnv } = this.#parts;
    const { serverFolder, clientsFolder, register } = paths;
    const request: RegistrationRequest = {
      paths: { serverFolder, clientsFolder, register },
      tokenSha256: hashToken(token).tokenSha256,
      publicKeyBase64: formatKey(publicKey),
      ...name === undefined ? {} : { name },
      ...v1 === undefined ? {} : { secretLine: hashedLine(v1.secret as SecretHex) },
      address,
    };
    try {
      return await startRegistration(request, readEnv);
    } catch (error) {
      const why = error instanceof MspError ? error.message : reasonOf(error);
      return { status: "failed", message: why };
    }
  }
}

/** The registration of a key with an invite; `settled`: only one that is complete for certain. */
function redemptionOf(
  { redeemed, pending }: Invite,
  publicKey: PublicKey,
  which: "settled" | "any" = "any",
): Redemption | undefined {
  const wanted = formatKey(publicKey);
  const all = pending === undefined || which === "settled" ? redeemed : [...redeemed, pending];
  return all.find(({ publicKeyBase64 }) => publicKeyBase64 === wanted);
}

function deriveSecret(key: PrivateKey, token: Uint8Array, publicKey: Uint8Array): SecretHex {
  const mac = createHmac("sha512", key);
  return mac.update("msp invite secret").update(token).update(publicKey).digest("hex") as SecretHex;
}
