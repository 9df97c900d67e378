/**
 * @module
 * Which grants of modules.ini can be had: nothing that leads to the key store or to the configuration, nor
 * what the server itself was not given.
 */
import { resolve } from "node:path";
import type { FunctionConfig, Grants } from "../../config/modules.ts";
import { type IsHeld, RESOLVER_FILES } from "../../config/permissions.ts";
import { FunctionError, reasonOf } from "../../errors.ts";
import { isWithin, leadsToProtected, realPath } from "./reach.ts";
import { refusal, type Wall } from "../wall/choice.ts";

/** Where functions come from, and what they must not reach. */
export interface PlanSources {
  /** Folder of the modules. */
  readonly modules: string;
  /** modules.ini */
  readonly modulesConfig: string;
  /** Files and folders of the key store and the configuration. */
  readonly protectedPaths: readonly string[];
  /** Files and folders of the server that may be read, but not written. */
  readonly unwritablePaths: readonly string[];
  readonly isHeld: IsHeld;
  readonly wall: Wall;
}

/** A grant that cannot be had. */
export class GrantError extends FunctionError {}

/**
 * Checks that every grant of a function can be had.
 *
 * @throws {GrantError} when one cannot.
 */
export async function checkGrants({ grants }: FunctionConfig, sources: PlanSources): Promise<void> {
  const { isHeld, unwritablePaths, wall } = sources;
  const fail = (state: string, hint?: string): never => {
    throw new GrantError(state, hint === undefined ? {} : { hint });
  };
  const refused = refusal(wall, grants);
  if (refused !== undefined) fail(refused.state, refused.hint);
  for (const wanted of descriptors(grants)) {
    if (!isHeld(wanted)) fail(...notHeld(wanted));
  }
  for (const path of [sources.modules, ...grants.read, ...grants.write]) {
    // A link in a granted folder leads nowhere behind the kernel's wall; one in the modules is granted.
    const hasLinks = wall.kind !== "landlock" || path === sources.modules;
    const found = await leadsToProtected(resolve(path), { ...sources, hasLinks });
    if (found !== undefined) fail(`${leading(path, found)} no function may reach`);
  }
  for (const path of grants.write) {
    const real = await realPath(resolve(path));
    for (const kept of [sources.modules, ...unwritablePaths]) {
      const keptPath = await realPath(resolve(kept));
      // A folder among the modules may be written, as long as no code is in it.
      const isInside = kept !== sources.modules && isWithin(real, keptPath);
      if (isInside || isWithin(keptPath, real)) {
        fail(`${leading(path, kept)} no function may write to`);
      }
    }
  }
}

/** Begin of a sentence on a grant and what it gives access to, which may be the same. */
function leading(path: string, found: string): string {
  return path === found ? `${path} is a path that` : `${path} leads to ${found}, which`;
}

/**
 * The real path of a grant.
 *
 * @throws {GrantError} when there is nothing.
 */
export async function grantedPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(resolve(path));
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    throw new GrantError(isMissing ? `${path} does not exist` : `${path}: ${reasonOf(error)}`, {
      cause: error,
      ...isMissing ? { hint: `create it: mkdir -p ${path}` } : {},
    });
  }
}

/** What a function with network reads to resolve names; programs that change networks replace them. */
export function resolverFiles({ net }: Grants): readonly string[] {
  return net.length > 0 ? RESOLVER_FILES : [];
}

function descriptors(grants: Grants): Deno.PermissionDescriptor[] {
  const { read, write, net, env } = grants;
  return [
    ...[...read, ...write].map((path) => ({ name: "read", path: resolve(path) } as const)),
    ...write.map((path) => ({ name: "write", path: resolve(path) } as const)),
    ...net.map((host) => host === "*" ? { name: "net" } as const : { name: "net", host } as const),
    ...env.map((variable) => ({ name: "env", variable } as const)),
  ];
}

/** Why a grant cannot be had, and what the user can do. */
function notHeld(wanted: Deno.PermissionDescriptor): [state: string, hint: string] {
  const target = targetOf(wanted);
  if (wanted.name !== "env") {
    return [`the server has no ${wanted.name} permission for ${target}`, startHint(wanted)];
  }
  return [
    `Env = ${target}: functions get only variables that begin with MSP_, and TZ`,
    `name it MSP_${target}, or ${startHint(wanted)}`,
  ];
}

function targetOf(wanted: Deno.PermissionDescriptor): string {
  if (wanted.name === "net") return wanted.host ?? "every host";
  if (wanted.name === "env") return wanted.variable ?? "";
  return "path" in wanted ? String(wanted.path) : "";
}

function startHint(wanted: Deno.PermissionDescriptor): string {
  const target = wanted.name === "net" && wanted.host === undefined ? "" : `=${targetOf(wanted)}`;
  const flags = wanted.name === "write"
    ? `--allow-read${target} --allow-write${target}`
    : `--allow-${wanted.name}${target}`;
  return Deno.build.standalone
    ? `build it with deno task compile ${flags}, and start that`
    : `start it with deno run ${flags} … main.ts`;
}
