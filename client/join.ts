/**
 * @module
 * Joining a server with the link of an invite: a key pair is made and kept first, then one hello registers
 * it (docs/protocol-v2.md §4). Nobody else ever has the private key.
 */
import { toBase64 } from "./bytes.ts";
import type { ConnectOptions } from "./connection.ts";
import { Deadline, PLATFORM_CLOCK } from "./deadline.ts";
import { CallError } from "./errors.ts";
import { parseLink } from "./link.ts";
import type { V1Access } from "./messages.ts";
import { pairOf, randomBytes } from "./primitives.ts";
import { type Profile, ProfileError, type ProfileStore, useProfile } from "./profile.ts";
import { Hello, type Session } from "./session.ts";
import { toCallError, Transport } from "./transport.ts";
import { endpointOf } from "./url.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
/** A welcome has some 500 bytes. */
const MAX_ANSWER_BYTES = 65_536;
/** How often the hello is said, where its answer is lost. */
const ATTEMPTS = 3;

/** How to join. */
export interface JoinOptions extends Pick<ConnectOptions, "timeoutMs" | "fetch" | "clock"> {
  /** Where the profile is kept: `fileProfiles()`, `browserProfiles()`. */
  readonly profiles: ProfileStore;
  /** Name of the profile. Without, {@link profileNameOf} the link. */
  readonly profile?: string | undefined;
  /** What the client calls itself at the server, where the invite has no name for it. */
  readonly name?: string | undefined;
  /** Also asks for what protocol v1 needs. */
  readonly v1?: boolean;
  readonly signal?: AbortSignal;
}

/** A client that is registered now. */
export interface Joined {
  readonly profile: Profile;
  /** Under which it is kept. */
  readonly profileName: string;
  /** Whether the profile was there already, from an earlier attempt. */
  readonly wasKept: boolean;
  /** Only where it was asked for and the server gave it. */
  readonly v1?: V1Access | undefined;
}

/**
 * Joins a server. An attempt that failed half-way can be repeated with the same link and profile: the key
 * that was kept is used again.
 *
 * @throws {LinkError} when the text is not a link, or of an unknown version
 * @throws {ProfileError} when the profile cannot be kept; then nothing was sent
 * @throws {CallError} when the server cannot be reached, or does not accept the invite (`refused`)
 */
export async function join(link: string, options: JoinOptions): Promise<Joined> {
  const { url, serverKey, token } = parseLink(link);
  const { profiles, name, v1 = false } = options;
  const profileName = options.profile ?? profileNameOf(link);
  const wanted: Profile = {
    url: endpointOf(url).href,
    serverKey: toBase64(serverKey),
    privateKey: toBase64(randomBytes(32)),
  };
  const { profile, wasKept, isMoved } = await keep(profiles, profileName, wanted);
  const payload = JSON.stringify({
    invite: toBase64(token).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, ""),
    ...name === undefined ? {} : { name },
    ...v1 ? { v1 } : {},
  });
  try {
    const session = await sayHello(profile, payload, options);
    // The server has moved since the profile was kept.
    if (isMoved) await profiles.save(profileName, profile, { replace: true });
    return { profile, profileName, wasKept, v1: session.info.v1 };
  } catch (error) {
    // The server itself says no: this key will never be registered with this invite.
    if (isRefusedInvite(error) && !wasKept) await profiles.remove(profileName);
    throw error;
  }
}

/**
 * Name of a profile for the server of a link: the first part of its host name, `home` for an address.
 *
 * @throws {LinkError} when the text is not a link
 */
export function profileNameOf(link: string): string {
  const [first = ""] = new URL(parseLink(link).url).hostname.split(".");
  return /^[a-z][a-z0-9-]*$/i.test(first) ? first : "home";
}

/** Keeps a profile; where there is one for the same server from before, that one. */
async function keep(
  profiles: ProfileStore,
  name: string,
  wanted: Profile,
): Promise<{ profile: Profile; wasKept: boolean; isMoved: boolean }> {
  const isThere = (await profiles.list()).includes(name);
  if (!isThere) {
    try {
      await profiles.save(name, wanted);
      return { profile: wanted, wasKept: false, isMoved: false };
    } catch (error) {
      // Another attempt may have kept it in this moment.
      if (!(await profiles.list()).includes(name)) throw error;
    }
  }
  const profile = await profiles.load(name);
  if (profile.serverKey === wanted.serverKey) {
    const isMoved = endpointOf(profile.url).href !== wanted.url;
    return { profile: { ...profile, url: wanted.url }, wasKept: true, isMoved };
  }
  throw new ProfileError(`Cannot join: profile ${name} exists already, for another server`, {
    hint: "choose another name for the profile, or remove that one",
  });
}

async function sayHello(
  profile: Profile,
  payload: string,
  options: JoinOptions,
): Promise<Session> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, clock = PLATFORM_CLOCK, signal } = options;
  const { url, serverKey, privateKey } = useProfile(profile);
  const transport = new Transport({
    url,
    fetch: options.fetch ?? ((target, init) => fetch(target, init)),
    maxAnswerBytes: MAX_ANSWER_BYTES,
    contentType: "application/octet-stream",
  });
  const deadline = new Deadline(clock, { timeoutMs, signal });
  try {
    for (let attempt = 1;; attempt++) {
      const hello = new Hello({ serverKey, staticPair: pairOf(privateKey), payload });
      const saidAtMs = clock.now();
      try {
        const answer = await deadline.race(transport.post(hello.body, deadline.signal));
        if (answer === "refused") throw refused(hello.ref);
        return hello.finish(answer, saidAtMs);
      } catch (thrown) {
        const error = toCallError(thrown, { what: "Cannot join", ref: hello.ref, isCall: true });
        const isLost = error instanceof CallError && error.code === "unreachable" &&
          error.executed !== "no";
        if (!isLost || attempt === ATTEMPTS) throw isRefusedInvite(error) ? closed(error) : error;
      }
    }
  } finally {
    deadline.end();
  }
}

function refused(ref: string): CallError {
  const message = "Cannot join: the server does not know this invite, or has another key";
  return new CallError("refused", message, { executed: "no", ref });
}

function isRefusedInvite(error: unknown): error is CallError {
  return error instanceof CallError && error.code === "refused" &&
    error.data === "invite not valid";
}

function closed({ ref, data }: CallError): CallError {
  const message =
    "Cannot join: this invite was used by another client, has expired, or was revoked";
  return new CallError("refused", message, { executed: "no", ref, data });
}
