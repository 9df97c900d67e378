/**
 * @module
 * How this program starts itself: the names of its hidden commands, and what stands before them on the
 * command line. From the sources that is `deno run` with an entry of its own, host.ts.
 */
import { fileURLToPath } from "node:url";

/** The hidden command that runs functions. */
export const HOST_COMMAND = "function-host";
/** The hidden command that has the kernel hold a host, and becomes it. */
export const STAGE_COMMAND = "function-wall";
/** The hidden command that registers a client that was invited. */
export const REGISTER_COMMAND = "register-client";

const IS_LINUX = Deno.build.os === "linux";

/** This program, whatever its name and place; on Linux also after it was replaced by a newer one. */
export const PROGRAM = IS_LINUX ? "/proc/self/exe" : Deno.execPath();

/** In an executable all files of the program are in one folder, but for those that are started by name. */
const ROOT = new URL(Deno.build.standalone ? "./" : "../../", import.meta.url);
const ENDING = Deno.build.standalone ? "js" : "ts";

/** What runs in a worker. */
export const WORKER = new URL(`lib/functions/host/worker.${ENDING}`, ROOT).href;

/** Files and folders that hidden commands load beyond the executable. */
export const PROGRAM_FILES: readonly string[] = Deno.build.standalone
  ? []
  : ["host.ts", "cli", "lib"].map((name) => fileURLToPath(new URL(name, ROOT)));

/** Folder of what is imported after a module; an executable imports its own files in any case. */
export const WORKER_FILES: readonly string[] = Deno.build.standalone
  ? []
  : [fileURLToPath(new URL("lib/functions/host", ROOT))];

/** Without our lock and names: modules resolve their imports on their own, and from nowhere else. */
const RUN = [
  "run",
  "--no-prompt",
  "--quiet",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--unstable-worker-options",
];

/** Arguments of {@link PROGRAM} that run a hidden command; flags are those of `deno run`. */
export function hiddenArgs(flags: readonly string[], ...command: readonly string[]): string[] {
  if (Deno.build.standalone) return [...command];
  return [...RUN, ...flags, new URL("host.ts", ROOT).href, ...command];
}
