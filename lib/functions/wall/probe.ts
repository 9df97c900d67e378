/**
 * @module
 * Finds out what the kernel holds back here, by trying: stage 1 starts as for a host without grants,
 * and becomes a check.
 */
import { permissionFlag } from "../../config/permissions.ts";
import type { SystemUser } from "../../config/settings.ts";
import { ConfigError, reasonOf } from "../../errors.ts";
import { CHECK_ARGUMENT, hiddenArgs, PROGRAM_FILES, STAGE_COMMAND } from "../entry.ts";
import type { WallCheck } from "./check.ts";
import { stageCommand, type StageOptions } from "./command.ts";
import { LIBC_PATHS } from "./libc.ts";
import { STAGE_2_ENV, stagePolicy } from "./policy.ts";

const TIMEOUT_MS = 10_000;

/**
 * Tries.
 *
 * @returns what the kernel refuses; or why stage 1 does not work here.
 * @throws {ConfigError} when hosts cannot run as the given user.
 */
export async function probeWall(options: StageOptions): Promise<WallCheck | string> {
  if (Deno.build.os !== "linux") return "only Linux has one";
  const policy = stagePolicy({
    server: Deno.pid,
    abi: "latest",
    hasFilter: true,
    grants: { read: [], write: [], net: [] },
    program: PROGRAM_FILES,
    workers: 1,
    maxFileBytes: 0,
    hasOwnUser: options.user !== undefined,
    args: hiddenArgs([permissionFlag("ffi", LIBC_PATHS)], STAGE_COMMAND, CHECK_ARGUMENT),
    env: STAGE_2_ENV,
  });
  const { program, args, env, input = "", ...user } = stageCommand(policy, options);
  const child = spawn(
    new Deno.Command(program, {
      args: [...args],
      env: { ...env },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...user,
    }),
    options.user,
  );
  if (typeof child === "string") return child;
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  const writer = child.stdin.getWriter();
  writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  if (success) return JSON.parse(decoder.decode(stdout));
  const [, message] = /^msp: error: (.*)$/m.exec(decoder.decode(stderr)) ?? [];
  return `the kernel's means cannot be used (${message ?? "stage 1 ended without a word"})`;
}

function spawn(command: Deno.Command, user: SystemUser | undefined): Deno.ChildProcess | string {
  try {
    return command.spawn();
  } catch (error) {
    if (user === undefined || error instanceof Deno.errors.NotCapable) {
      return `the program cannot start itself (${reasonOf(error)})`;
    }
    throw new ConfigError(
      `Cannot run functions as user ${user.uid}:${user.gid}: ${reasonOf(error)}`,
      {
        cause: error,
        hint: "only root can run them as another user: remove User from [Functions]",
      },
    );
  }
}
