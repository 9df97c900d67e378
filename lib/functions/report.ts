/**
 * @module
 * The functions of an installation for people and programs that do not serve them: what each is, whether
 * it works, and what it answers.
 */
import type { GrantName } from "../config/permissions.ts";
import type { FunctionAbout } from "./wire/about.ts";
import type { ServedFunction } from "./function.ts";
import { FunctionService } from "./service.ts";
import type { FunctionSources } from "./sources.ts";
import type { CallResult } from "./types.ts";
import type { Wall } from "./wall/choice.ts";

/** A function, for people and programs. */
export interface FunctionReport {
  readonly name: string;
  readonly state: "ready" | "broken";
  /** Set when it is broken. */
  readonly fault?: string;
  /** Sentences about granted paths that it cannot use; absent when there are none. */
  readonly unusable?: readonly string[];
  /** Variables that it was granted, and that have no value here; absent when there are none. */
  readonly unset?: readonly string[];
  /** Path of the module's file; absent when there is none that can be used. */
  readonly module?: string;
  readonly permissions: Readonly<Record<GrantName, readonly string[]>>;
  readonly limits?: Readonly<Record<string, number | string>>;
  readonly title?: string;
  readonly description?: string;
  /** JSON Schema of its arguments. */
  readonly params?: unknown;
  readonly annotations?: FunctionAbout["annotations"];
}

/**
 * Loads every function, has it try the paths that it was granted, and ends the hosts again.
 *
 * @throws {ConfigError} when modules.ini cannot be read.
 */
export async function describeFunctions(
  sources: FunctionSources,
): Promise<{ reports: FunctionReport[]; warnings: readonly string[]; wall: Wall }> {
  const service = new FunctionService(sources, { checksGrants: true });
  try {
    const { warnings } = await service.load();
    await service.functions.whenSettled();
    const reports = service.functions.functions.map((served) => describe(served, service));
    return { reports, warnings, wall: service.wall };
  } finally {
    void service.close();
  }
}

/** A call that was made without a server, or the names of the functions that there are instead. */
export type RunResult =
  | { readonly result: CallResult }
  | { readonly names: readonly string[] };

/**
 * Loads one function, calls it, and ends its host again.
 *
 * @param params JSON text of an object
 * @throws {ConfigError} when modules.ini cannot be read.
 */
export async function runFunction(
  sources: FunctionSources,
  { name, params }: { readonly name: string; readonly params: string | undefined },
): Promise<RunResult> {
  const only = name.toLowerCase();
  const service = new FunctionService(sources, { only });
  try {
    const { names } = await service.load();
    if (!names.includes(only)) return { names };
    await service.functions.whenSettled();
    return { result: await service.functions.call(only, { params }) };
  } finally {
    void service.close();
  }
}

function describe(
  { functionName, state, fault, plan, about }: ServedFunction,
  service: FunctionService,
): FunctionReport {
  const { params, unusable, ...texts } = about;
  const unset = plan === undefined ? [] : service.unsetVariables(plan);
  const granted = (name: GrantName): readonly string[] => {
    const values = plan?.permissions[name] ?? [];
    return values === true ? ["*"] : values;
  };
  const config = plan?.config;
  return {
    name: functionName,
    state: state === "ready" ? "ready" : "broken",
    ...(fault === "" ? {} : { fault }),
    ...(plan === undefined ? {} : { module: plan.file }),
    permissions: {
      read: granted("read"),
      write: granted("write"),
      net: granted("net"),
      env: granted("env"),
    },
    ...(config === undefined ? {} : {
      limits: {
        timeoutSeconds: config.timeoutSeconds,
        instances: config.instances,
        queue: config.queueLimit,
        maxResultBytes: config.maxResultBytes,
        maxParamsBytes: config.maxParamsBytes,
        process: config.hasOwnProcess ? "own" : "shared",
      },
    }),
    ...texts,
    ...(unset.length === 0 ? {} : { unset }),
    ...(unusable === undefined ? {} : {
      unusable: unusable.map((what) => `${what}${describeUser(service.wall)}`),
    }),
    ...(params === undefined ? {} : { params: JSON.parse(params) }),
  };
}

function describeUser({ user }: Wall): string {
  return user === undefined ? "" : ` (functions run as user ${user.uid}:${user.gid})`;
}
