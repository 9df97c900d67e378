/**
 * @module
 * Clients of protocol v2 for tests with a real server: the library, with keys that the real commands made.
 */
import { Connection, type ConnectOptions, type Profile } from "../client/mod.ts";
import { registerClient } from "./registered.ts";
import type { TempFolder } from "./program.ts";

/** Registers a client by the real commands, and gives its profile for a server that runs later. */
export async function registerProfile(
  folder: TempFolder,
  name = "client",
): Promise<Omit<Profile, "url">> {
  await registerClient(folder, name);
  return {
    serverKey: (await folder.read("sec/server2.pub")).trim(),
    privateKey: (await folder.read(`${name}.key`)).trim(),
    name,
  };
}

/** The endpoint of v2 beside that of v1. */
export function v2Url(url: string): string {
  return url.replace(/\/v1$/, "/v2");
}

/** The library, for a server at the URL of its ready line. */
export function connectTo(
  url: string,
  profile: Omit<Profile, "url">,
  options: ConnectOptions = {},
): Connection {
  return new Connection({ ...profile, url: v2Url(url) }, options);
}
