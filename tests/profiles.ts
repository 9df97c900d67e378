/**
 * @module
 * Profiles of a test's own user, made by the real command.
 */
import { mspOk, type RunOptions, type TempFolder } from "./program.ts";
import { registerClient } from "./registered.ts";
import { v2Url } from "./v2_client.ts";

/** Where commands run that use the profiles of a folder. */
export function profileOptions(folder: TempFolder, env: Record<string, string> = {}): RunOptions {
  return { cwd: folder.path, env: { XDG_CONFIG_HOME: folder.join("xdg"), ...env } };
}

/** Registers a client, unless that is done, and adds a profile of it for a server. */
export async function addProfile(
  folder: TempFolder,
  url: string,
  { name = "home", key = "client.key" }: { name?: string; key?: string } = {},
): Promise<void> {
  if (!(await folder.names()).includes(key)) {
    await registerClient(folder, key.replace(/\.key$/, ""));
  }
  const files = ["--server-key", "sec/server2.pub", "--key", key];
  const args = ["profile", "add", name, "--url", v2Url(url), ...files];
  await mspOk(args, profileOptions(folder));
}
