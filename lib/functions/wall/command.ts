/**
 * @module
 * The command line of stage 1.
 */
import { permissionFlag } from "../../config/permissions.ts";
import type { SystemUser } from "../../config/settings.ts";
import { hiddenArgs, PROGRAM, STAGE_COMMAND } from "../entry.ts";
import type { HostCommand } from "../host_pipe.ts";
import { LIBC_PATHS } from "./libc.ts";
import { stageInput, type StagePolicy } from "./policy.ts";

/** What stage 1 runs with. */
export interface StageOptions {
  /** Its own environment; that of stage 2 is in the policy. */
  readonly env: Readonly<Record<string, string>>;
  readonly user: SystemUser | undefined;
}

/** Starts stage 1 with a policy, which it reads before anything else. */
export function stageCommand(policy: StagePolicy, { env, user }: StageOptions): HostCommand {
  return {
    program: PROGRAM,
    args: hiddenArgs([permissionFlag("ffi", LIBC_PATHS)], STAGE_COMMAND),
    env,
    input: stageInput(policy),
    ...user,
  };
}
