/**
 * @module
 * How this program starts itself again as a function host: behind which wall, with what permissions and
 * environment, as whom.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type GrantName, permissionFlag, PERMISSIONS } from "../../config/permissions.ts";
import { hiddenArgs, HOST_COMMAND, PROGRAM, PROGRAM_FILES, WORKER_FILES } from "../entry.ts";
import type { FunctionPlan } from "../plan/plan.ts";
import type { HostCommand } from "./process.ts";
import type { Wall } from "../wall/choice.ts";
import { stageCommand, stageEnv } from "../wall/command.ts";
import { STAGE_2_ENV, stageInput, stagePolicy } from "../wall/policy.ts";

/** What all hosts have in common. */
export interface HostCommandOptions {
  readonly modules: string;
  readonly maxHeapMegabytes: number;
  readonly wall: Wall;
  /** The value of a variable that the program may read. */
  readonly readEnv: (variable: string) => string | undefined;
  /** A stage 1 that was started already, if there is one. */
  readonly takeStage: () => Deno.ChildProcess | undefined;
}

/** The time zone is the server's. */
const SHARED_ENV = ["TZ"];
const MEGABYTE = 1_000_000;
const MEBIBYTE = 1024 * 1024;

/** The command line of a host for some functions. */
export function hostCommand(
  plans: readonly FunctionPlan[],
  options: HostCommandOptions,
): HostCommand {
  const { wall, readEnv, takeStage } = options;
  const isLone = wall.isStaged && isAlone(plans);
  const maxGrowthBytes = maxHeapOf(plans, options) * MEBIBYTE;
  const args = hiddenArgs(hostFlags(plans, { ...options, isLone }), HOST_COMMAND);
  const env: Record<string, string> = { ...STAGE_2_ENV };
  for (const name of [...SHARED_ENV, ...plans.flatMap(({ config }) => config.grants.env)]) {
    const value = readEnv(name);
    if (value !== undefined) env[name] = value;
  }
  if (!wall.isStaged) return { program: PROGRAM, args, env, isLone, maxGrowthBytes, ...wall.user };
  const policy = stagePolicy({
    server: Deno.pid,
    abi: wall.abi,
    hasFilter: wall.hasFilter,
    hasOwnUser: wall.user !== undefined,
    grants: {
      read: plans.flatMap(({ reach }) => reach.read),
      write: plans.flatMap(({ reach }) => reach.write),
      net: granted(plans, "net"),
    },
    program: PROGRAM_FILES,
    workers: plans.reduce((count, { config }) => count + config.instances, 0),
    maxFileBytes: MEGABYTE * Math.max(...plans.map(({ config }) => config.maxFileMegabytes)),
    ...isLone ? { maxGrowthBytes } : {},
    next: { args, env },
  });
  return {
    isLone,
    maxGrowthBytes,
    ...stageCommand({ env: stageEnv(readEnv), user: wall.user }),
    input: stageInput(policy),
    started: takeStage(),
  };
}

/**
 * Whether one function can run in the main thread of its host. Deno cannot narrow a grant of the whole
 * network there, and a worker of the function's own would need more memory than the kernel would give.
 */
function isAlone(plans: readonly FunctionPlan[]): boolean {
  const [plan] = plans;
  if (plan === undefined || plans.length > 1 || plan.config.instances > 1) return false;
  const { permissions: { net }, mayStartWorkers } = plan;
  return !mayStartWorkers && (net === true || net.length === 0);
}

function granted(plans: readonly FunctionPlan[], name: GrantName): readonly string[] | true {
  const lists = plans.map(({ permissions }) => permissions[name]);
  return lists.includes(true) || [...new Set(lists.flatMap((list) => list === true ? [] : list))];
}

/** The permissions of a host, from which workers get theirs; an executable has them built in. */
function hostFlags(
  plans: readonly FunctionPlan[],
  options: HostCommandOptions & { readonly isLone: boolean },
): string[] {
  const program = options.isLone ? WORKER_FILES : readByAll(options.modules);
  return [
    ...PERMISSIONS.map((each) => {
      if (!each.isGrantable) return "";
      const values = granted(plans, each.name);
      const base = each.name === "read" ? program : [];
      return permissionFlag(each.name, values === true || [...new Set([...base, ...values])]);
    }),
    `--v8-flags=--max-old-space-size=${maxHeapOf(plans, options)}`,
  ].filter((each) => each !== "");
}

/** Only a process that is one function's may have a limit of its own. */
function maxHeapOf(
  plans: readonly FunctionPlan[],
  { maxHeapMegabytes }: HostCommandOptions,
): number {
  return (plans.length === 1 ? plans[0]?.config.maxHeapMegabytes : undefined) ?? maxHeapMegabytes;
}

/** The modules, and the program itself. */
function readByAll(modules: string): string[] {
  return [resolve(modules), fileURLToPath(new URL("../../", import.meta.url))];
}
