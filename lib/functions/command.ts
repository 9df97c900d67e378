/**
 * @module
 * How this program starts itself again as a function host: what permissions it gets, which environment,
 * as whom it runs.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type GrantName, permissionFlag, PERMISSIONS } from "../config/permissions.ts";
import type { SystemUser } from "../config/settings.ts";
import type { HostCommand } from "./host_process.ts";
import type { FunctionPlan } from "./plan.ts";

/** The hidden subcommand. */
export const HOST_COMMAND = "function-host";

/** What all hosts have in common. */
export interface HostCommandOptions {
  readonly modules: string;
  readonly maxHeapMegabytes: number;
  readonly user: SystemUser | undefined;
  /** Whether the program may read a variable. */
  readonly mayReadEnv: (variable: string) => boolean;
  /** Whether it may run another program; without, none. */
  readonly mayRun?: (command: string) => boolean;
}

/**
 * Changes the user for a server that may do so without being root (its right must not pass on to
 * functions). From util-linux; a server may only run it when it was built so, as in our container.
 */
const SETPRIV = "/usr/bin/setpriv";

/** What the platform itself needs: where its cache is, which registry, the time zone. */
const PLATFORM_ENV = ["TZ", "DENO_DIR", "NPM_CONFIG_REGISTRY"];

/** The command line of a host for some functions. */
export function hostCommand(
  plans: readonly FunctionPlan[],
  { modules, maxHeapMegabytes, user, mayReadEnv, mayRun }: HostCommandOptions,
): HostCommand {
  const granted = (name: GrantName): readonly string[] | true => {
    const lists = plans.map(({ permissions }) => permissions[name]);
    return lists.includes(true) || [...new Set(lists.flatMap((list) => list === true ? [] : list))];
  };
  const env: Record<string, string> = { NO_COLOR: "1" };
  const variables = granted("env");
  for (const name of [...PLATFORM_ENV, ...variables === true ? [] : variables]) {
    const value = mayReadEnv(name) ? Deno.env.get(name) : undefined;
    if (value !== undefined) env[name] = value;
  }
  const own = plans.length === 1 ? plans[0]?.config.maxHeapMegabytes : undefined;
  const flags = [
    ...PERMISSIONS.map((each) => {
      if (!each.isGrantable) return "";
      const values = granted(each.name);
      const base = each.name === "read" ? readByAll(modules) : [];
      return permissionFlag(each.name, values === true || [...new Set([...base, ...values])]);
    }),
    `--v8-flags=--max-old-space-size=${own ?? maxHeapMegabytes}`,
  ].filter((each) => each !== "");
  const args = Deno.build.standalone ? [HOST_COMMAND] : [...RUN, ...flags, MAIN, HOST_COMMAND];
  if (user !== undefined && mayRun?.(SETPRIV) === true) {
    return { program: SETPRIV, args: [...dropTo(user), Deno.execPath(), ...args], env };
  }
  return {
    // This program, whatever its name and place, also after it was replaced by a newer one.
    program: Deno.build.os === "linux" ? "/proc/self/exe" : Deno.execPath(),
    args,
    env,
    ...user,
  };
}

function dropTo({ uid, gid }: SystemUser): string[] {
  const ids = ["--reuid", String(uid), "--regid", String(gid), "--clear-groups"];
  return [...ids, "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"];
}

/** Without our lock and names: modules resolve their imports on their own. */
const RUN = [
  "run",
  "--no-prompt",
  "--quiet",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--unstable-worker-options",
];
const MAIN = new URL("../../main.ts", import.meta.url).href;

/** The modules, and the program itself. */
function readByAll(modules: string): string[] {
  return [resolve(modules), fileURLToPath(new URL("../", import.meta.url))];
}
