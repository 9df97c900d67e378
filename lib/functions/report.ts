/**
 * @module
 * What can be said of the functions of an installation: loads each, as a server would, and tells.
 */
import type { WorkerPermissions } from "./messages.ts";
import type { ServedFunction } from "./served.ts";
import { FunctionService, type FunctionSources } from "./service.ts";

/** A function, for people and programs. */
export interface FunctionReport {
  readonly name: string;
  readonly state: "ready" | "broken";
  /** Set when it is broken. */
  readonly fault?: string;
  /** Path of the module's file; absent when there is none that can be used. */
  readonly module?: string;
  readonly permissions: Readonly<Record<keyof WorkerPermissions, readonly string[]>>;
  readonly limits?: Readonly<Record<string, number | string>>;
}

/**
 * Loads every function, and ends the hosts again.
 *
 * @throws {ConfigError} when modules.ini cannot be read.
 */
export async function describeFunctions(
  sources: FunctionSources,
): Promise<{ reports: FunctionReport[]; warnings: readonly string[] }> {
  const service = new FunctionService(sources);
  try {
    const warnings = await service.load();
    await service.registry.settled();
    return { reports: service.registry.functions.map(describe), warnings };
  } finally {
    service.close();
  }
}

function describe({ functionName, state, fault, plan }: ServedFunction): FunctionReport {
  const { read = [], write = [], net = [], env = [] } = plan?.permissions ?? {};
  const config = plan?.config;
  return {
    name: functionName,
    state: state === "ready" ? "ready" : "broken",
    ...(fault === "" ? {} : { fault }),
    ...(plan === undefined ? {} : { module: plan.file }),
    permissions: { read, write, net: net === true ? ["*"] : net, env },
    ...(config === undefined ? {} : {
      limits: {
        timeoutSeconds: config.timeoutSeconds,
        instances: config.instances,
        queue: config.queueLimit,
        maxResultBytes: config.maxResultBytes,
        process: config.hasOwnProcess ? "own" : "shared",
      },
    }),
  };
}
