/**
 * @module
 * A profile: what a client needs to call one server. Where profiles are kept is the matter of file.ts and
 * browser.ts.
 */
import { type Bytes, fromBase64 } from "./bytes.ts";
import { endpointOf } from "./url.ts";

/** How to reach a server, and with which key. */
export interface Profile {
  /** The server's endpoint, such as `https://home.example/v2`. */
  readonly url: string;
  /** The server's public key for protocol v2 (`server2.pub`), base64. */
  readonly serverKey: string;
  /** The client's private key, base64. */
  readonly privateKey: string;
  /** What the client calls this server. */
  readonly name?: string;
}

/** Bytes of a key. */
const KEY_BYTES = 32;

/** A profile whose values have the right form. */
export interface UsableProfile {
  readonly url: URL;
  readonly serverKey: Bytes;
  readonly privateKey: Bytes;
}

/**
 * The values of a profile.
 *
 * @throws {TypeError} naming the member that is malformed, and never its value, which may be a secret
 */
export function useProfile(profile: Profile): UsableProfile {
  return {
    url: endpointOf(profile.url),
    serverKey: keyOf(profile.serverKey, "serverKey"),
    privateKey: keyOf(profile.privateKey, "privateKey"),
  };
}

function keyOf(text: unknown, member: "serverKey" | "privateKey"): Bytes {
  const key = typeof text === "string" ? fromBase64(text.trim()) : undefined;
  if (key?.length === KEY_BYTES) return key;
  throw new TypeError(`Cannot use profile: ${member}, expected a key of 44 base64 characters`);
}

/** A place where profiles are kept, by name. */
export interface ProfileStore {
  /**
   * @throws {ProfileError} when it is not there or cannot be used
   */
  load(name: string): Promise<Profile>;
  /**
   * Keeps a profile, and reads it back before it says so.
   *
   * @param options `replace`: an existing profile of this name is replaced, and refused without
   * @throws {ProfileError} when it was not kept; what was there is untouched then
   */
  save(name: string, profile: Profile, options?: { readonly replace?: boolean }): Promise<void>;
  /** The names, sorted. */
  list(): Promise<string[]>;
  /** Removes a profile; that it is not there is fine. */
  remove(name: string): Promise<void>;
}

/** A profile cannot be read or kept. */
export class ProfileError extends Error {
  override readonly name = "ProfileError";
  /** What can be done about it. */
  readonly hint: string | undefined;

  constructor(message: string, detail: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, { cause: detail.cause });
    this.hint = detail.hint;
  }
}

/**
 * A name that can be the name of a file on every system.
 *
 * @throws {ProfileError} when it is not
 */
export function checkName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return name;
  throw new ProfileError(
    `Cannot use profile ${
      JSON.stringify(name)
    }: expected a name of letters, digits, ".", "_" and "-"`,
  );
}

/**
 * A profile from what was kept: all members as they should be, and no others.
 *
 * @throws {TypeError} naming the member that is malformed
 */
export function profileFrom(value: unknown): Profile {
  if (typeof value !== "object" || value === null) {
    throw new TypeError("Cannot use profile: no object");
  }
  const { url, serverKey, privateKey, name } = value as Partial<Record<keyof Profile, unknown>>;
  const profile = {
    url: String(url),
    serverKey: String(serverKey),
    privateKey: String(privateKey),
    ...typeof name === "string" ? { name } : {},
  };
  useProfile(profile);
  return profile;
}
