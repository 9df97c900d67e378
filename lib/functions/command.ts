/**
 * @module
 * How this program starts itself again as a function host: what permissions it gets, which environment,
 * as whom it runs.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { SystemUser } from "../config/settings.ts";
import type { HostCommand } from "./process.ts";
import type { ServedFunction } from "./served.ts";

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
  served: readonly ServedFunction[],
  { modules, maxHeapMegabytes, user, mayReadEnv, mayRun }: HostCommandOptions,
): HostCommand {
  const plans = served.flatMap(({ plan }) => plan ?? []);
  const own = plans.length === 1 ? plans[0]?.config.maxHeapMegabytes : undefined;
  const env: Record<string, string> = { NO_COLOR: "1" };
  for (const name of [...PLATFORM_ENV, ...plans.flatMap(({ permissions }) => permissions.env)]) {
    const value = mayReadEnv(name) ? Deno.env.get(name) : undefined;
    if (value !== undefined) env[name] = value;
  }
  const all = <T>(pick: (plan: (typeof plans)[number]) => readonly T[]): T[] => [
    ...new Set(plans.flatMap(pick)),
  ];
  const net = plans.some(({ permissions }) => permissions.net === true)
    ? true
    : all(({ permissions }) => permissions.net === true ? [] : permissions.net);
  const flags = [
    flag("read", [
      resolve(modules),
      fileURLToPath(new URL("../", import.meta.url)),
      ...all(({ permissions }) => permissions.read),
    ]),
    flag("write", all(({ permissions }) => permissions.write)),
    flag("net", net),
    flag("env", all(({ permissions }) => permissions.env)),
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

function flag(name: string, values: readonly string[] | true): string {
  // A list cannot hold a path with a comma. Workers get theirs in another way, and the host gives up its own.
  if (values === true || values.some((value) => value.includes(","))) return `--allow-${name}`;
  return values.length === 0 ? "" : `--allow-${name}=${values.join(",")}`;
}
