/**
 * @module
 * Profiles of a user for the commands of a client: which one is meant, and errors of their files as errors
 * of this program.
 */
import { fileProfiles } from "../client/file.ts";
import { type Profile, ProfileError, type ProfileStore } from "../client/profile.ts";
import { KeyFileError } from "../lib/errors.ts";
import type { Io } from "./command.ts";

/** A profile with the name under which it is kept. */
export interface NamedProfile {
  readonly name: string;
  readonly profile: Profile;
}

/** How a profile comes to be. */
const HOW_TO_ADD = "msp join LINK takes an invite; msp profile add NAME adds a server by hand";

/**
 * The user's profiles.
 *
 * @throws {KeyFileError} from this and each of its methods, when a profile cannot be read or kept.
 */
export function userProfiles(): ProfileStore {
  const store = within(() => fileProfiles());
  return {
    load: (name) => withinAsync(() => store.load(name)),
    save: (name, profile, options) => withinAsync(() => store.save(name, profile, options)),
    list: () => withinAsync(() => store.list()),
    remove: (name) => withinAsync(() => store.remove(name)),
  };
}

/**
 * The profile that is meant: the one that was named, else that of MSP_PROFILE, else the only one.
 *
 * @throws {KeyFileError} when there is none, or several.
 */
export async function chooseProfile(
  named: string | undefined,
  { env }: Pick<Io, "env">,
): Promise<NamedProfile> {
  const store = userProfiles();
  const name = named ?? env["MSP_PROFILE"] ?? await onlyName(store);
  return { name, profile: await store.load(name) };
}

/**
 * The profile and what comes after it on a command line: with one word, it is a profile where there is one
 * of this name.
 */
export async function splitProfile(
  [first, second]: readonly string[],
): Promise<{ readonly named: string | undefined; readonly rest: string | undefined }> {
  if (first === undefined || second !== undefined) return { named: first, rest: second };
  const isProfile = (await userProfiles().list()).includes(first);
  return isProfile ? { named: first, rest: undefined } : { named: undefined, rest: first };
}

async function onlyName(store: ProfileStore): Promise<string> {
  const names = await store.list();
  const [name] = names;
  if (name === undefined) {
    throw new KeyFileError("Cannot find a profile: this user has none", { hint: HOW_TO_ADD });
  }
  if (names.length === 1) return name;
  throw new KeyFileError(`Cannot choose a profile: there are ${names.join(", ")}`, {
    hint: "name one in front of the function, or set MSP_PROFILE",
  });
}

function within<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw toKeyFileError(error);
  }
}

async function withinAsync<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw toKeyFileError(error);
  }
}

function toKeyFileError(error: unknown): unknown {
  // What a profile holds is checked by the library, with errors of its own.
  if (!(error instanceof ProfileError || error instanceof TypeError)) return error;
  const { message, cause } = error;
  const hint = error instanceof ProfileError ? error.hint : undefined;
  const isMissing = /^Cannot find profile/.test(message);
  const isTaken = /: it exists already$/.test(message);
  const help = hint ??
    (isMissing
      ? `msp profile list shows them; ${HOW_TO_ADD}`
      : isTaken
      ? "choose another name, or pass --replace; the key of that profile is then lost"
      : undefined);
  return new KeyFileError(message, { cause, ...help === undefined ? {} : { hint: help } });
}
