/**
 * @module
 * Profiles that are kept in memory, for tests that run where there are no files.
 */
import type { Profile, ProfileStore } from "../client/profile.ts";

/** Profiles in memory. */
export function memoryProfiles(): ProfileStore {
  const kept = new Map<string, Profile>();
  return {
    load: (name) => {
      const found = kept.get(name);
      return found === undefined ? Promise.reject(new Error("not there")) : Promise.resolve(found);
    },
    save: (name, profile) => Promise.resolve(void kept.set(name, profile)),
    list: () => Promise.resolve([...kept.keys()]),
    remove: (name) => Promise.resolve(void kept.delete(name)),
  };
}
