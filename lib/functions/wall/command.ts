/**
 * @module
 * The command line of stage 1.
 */
import { permissionFlag } from "../../config/permissions.ts";
import type { SystemUser } from "../../config/settings.ts";
import { hiddenArgs, PROGRAM, STAGE_COMMAND } from "../entry.ts";
import type { ProgramCommand } from "../processes/process.ts";
import { LIBC_PATHS } from "./libc.ts";

/** What stage 1 runs with. */
export interface StageOptions {
  /** Its own environment; that of stage 2 is in the policy. */
  readonly env: Readonly<Record<string, string>>;
  readonly user: SystemUser | undefined;
}

/** The environment of stage 1: from the sources, it loads faster with the cache of the server. */
export function stageEnv(
  readEnv: (variable: string) => string | undefined,
): Record<string, string> {
  const cache = readEnv("DENO_DIR");
  return { NO_COLOR: "1", ...cache === undefined ? {} : { DENO_DIR: cache } };
}

/** Starts stage 1, which waits for its policy. */
export function stageCommand({ env, user }: StageOptions): ProgramCommand {
  const args = hiddenArgs([permissionFlag("ffi", LIBC_PATHS)], STAGE_COMMAND);
  return { program: PROGRAM, args, env, ...user };
}
