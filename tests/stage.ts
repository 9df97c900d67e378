/**
 * @module
 * Runs stage 1 of a function host by itself, with a policy and a stage 2 of a test's choice.
 */
import { LIBC_PATHS } from "../lib/functions/wall/libc.ts";
import { STAGE_COMMAND } from "../lib/functions/entry.ts";
import {
  STAGE_2_ENV,
  stageInput,
  type StagePolicy,
  stagePolicy,
} from "../lib/functions/wall/policy.ts";
import { repositoryPath } from "../tasks/root.ts";

import { type Outcome, PROGRAM, RUNTIME } from "./program.ts";

const RUN = [
  "run",
  "--no-prompt",
  "--quiet",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
];

/** The command line of stage 1. */
export const STAGE_LINE: readonly string[] = RUNTIME.isExecutable ? [...PROGRAM, STAGE_COMMAND] : [
  Deno.execPath(),
  ...RUN,
  `--allow-ffi=${LIBC_PATHS}`,
  repositoryPath("host.ts"),
  STAGE_COMMAND,
];

/** The command line that becomes a program for which some system calls end at once (refuse_calls.ts). */
export function without(calls: string): string[] {
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-lock",
    "--config",
    repositoryPath("deno.json"),
    "--allow-all",
    repositoryPath("tests", "refuse_calls.ts"),
    calls,
  ];
}

/** Arguments of a stage 2 that runs a script with every permission: what is refused, the kernel refuses. */
export function scriptArgs(script: string): string[] {
  return [...RUN, "--allow-all", script];
}

/** The policy of a host without grants; stage 2 runs the given arguments, or stage 1 makes its check. */
export function emptyPolicy(args?: readonly string[]): StagePolicy {
  return stagePolicy({
    server: Deno.pid,
    abi: "latest",
    hasFilter: true,
    grants: { read: [], write: [], net: [] },
    program: [repositoryPath("host.ts"), repositoryPath("cli"), repositoryPath("lib")],
    workers: 1,
    maxFileBytes: 0,
    hasOwnUser: false,
    ...args === undefined ? {} : { next: { args, env: STAGE_2_ENV } },
  });
}

/** Starts stage 1 with a policy, what its stage 2 reads, and a program that starts it. */
export function startStage(
  policy: StagePolicy,
  input = "",
  wrap: readonly string[] = [],
): Deno.ChildProcess {
  const child = startWaitingStage(wrap);
  void giveInput(child, policy, input);
  return child;
}

/** Starts stage 1, which waits for its policy. */
export function startWaitingStage(wrap: readonly string[] = []): Deno.ChildProcess {
  const [program = "", ...args] = [...wrap, ...STAGE_LINE];
  return new Deno.Command(program, {
    args,
    clearEnv: true,
    env: { NO_COLOR: "1", HOME: Deno.env.get("HOME") ?? "/" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Gives stage 1 its policy, and its stage 2 what it reads. */
export async function giveInput(
  child: Deno.ChildProcess,
  policy: StagePolicy,
  input = "",
): Promise<void> {
  const writer = child.stdin.getWriter();
  const text = new TextEncoder().encode(stageInput(policy) + input);
  await writer.write(text).then(() => writer.close()).catch(() => {});
}

/** Runs stage 1, and what it becomes, to the end. */
export async function runStage(
  policy: StagePolicy,
  input = "",
  wrap: readonly string[] = [],
): Promise<Outcome> {
  const { code, stdout, stderr } = await startStage(policy, input, wrap).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}
