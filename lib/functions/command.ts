/**
 * @module
 * How this program starts itself again as a function host: behind which wall, with what permissions and
 * environment, as whom.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type GrantName, permissionFlag, PERMISSIONS } from "../config/permissions.ts";
import { hiddenArgs, HOST_COMMAND, PROGRAM, PROGRAM_FILES } from "./entry.ts";
import type { FunctionPlan } from "./plan.ts";
import type { HostCommand } from "./process.ts";
import type { Wall } from "./wall/choice.ts";
import { stageCommand, stageEnv } from "./wall/command.ts";
import { STAGE_2_ENV, stageInput, stagePolicy } from "./wall/policy.ts";

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

/** The command line of a host for some functions. */
export function hostCommand(
  plans: readonly FunctionPlan[],
  options: HostCommandOptions,
): HostCommand {
  const { wall, readEnv, takeStage } = options;
  const args = hiddenArgs(hostFlags(plans, options), HOST_COMMAND);
  const env: Record<string, string> = { ...STAGE_2_ENV };
  for (const name of [...SHARED_ENV, ...plans.flatMap(({ config }) => config.grants.env)]) {
    const value = readEnv(name);
    if (value !== undefined) env[name] = value;
  }
  if (!wall.isStaged) return { program: PROGRAM, args, env, ...wall.user };
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
    next: { args, env },
  });
  return {
    ...stageCommand({ env: stageEnv(readEnv), user: wall.user }),
    input: stageInput(policy),
    started: takeStage(),
  };
}

function granted(plans: readonly FunctionPlan[], name: GrantName): readonly string[] | true {
  const lists = plans.map(({ permissions }) => permissions[name]);
  return lists.includes(true) || [...new Set(lists.flatMap((list) => list === true ? [] : list))];
}

/** The permissions of a host, from which its workers get theirs; an executable has them built in. */
function hostFlags(
  plans: readonly FunctionPlan[],
  { modules, maxHeapMegabytes }: HostCommandOptions,
): string[] {
  const own = plans.length === 1 ? plans[0]?.config.maxHeapMegabytes : undefined;
  return [
    ...PERMISSIONS.map((each) => {
      if (!each.isGrantable) return "";
      const values = granted(plans, each.name);
      const base = each.name === "read" ? readByAll(modules) : [];
      return permissionFlag(each.name, values === true || [...new Set([...base, ...values])]);
    }),
    `--v8-flags=--max-old-space-size=${own ?? maxHeapMegabytes}`,
  ].filter((each) => each !== "");
}

/** The modules, and the program itself. */
function readByAll(modules: string): string[] {
  return [resolve(modules), fileURLToPath(new URL("../", import.meta.url))];
}
