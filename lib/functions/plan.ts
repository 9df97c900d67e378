/**
 * @module
 * modules.ini → plans: finds the file of each function and checks what it asks for. Nothing that leads
 * to the key store or to the configuration can be granted, nor what the server itself was not given.
 */
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type FunctionConfig, readModules } from "../config/modules.ts";
import type { IsHeld } from "../config/permissions.ts";
import { FunctionError, reasonOf } from "../errors.ts";
import type { WorkerPermissions } from "./messages.ts";

/** A function that may be loaded: its file was found, its permissions can be granted. */
export interface FunctionPlan {
  readonly config: FunctionConfig;
  /** Path of the module. */
  readonly file: string;
  readonly moduleUrl: string;
  readonly permissions: WorkerPermissions;
}

/** A function that cannot be loaded for a reason that modules.ini or the file system gave. */
export interface PlanFault {
  readonly functionName: string;
  readonly message: string;
}

/** What modules.ini asks for, as far as it can be had. */
export interface FunctionPlans {
  readonly plans: readonly FunctionPlan[];
  readonly faults: readonly PlanFault[];
}

/** Where functions come from, and what they must not reach. */
export interface PlanSources {
  /** Folder of the modules. */
  readonly modules: string;
  /** modules.ini */
  readonly modulesConfig: string;
  /** Files and folders of the key store and the configuration. */
  readonly protectedPaths: readonly string[];
  readonly isHeld: IsHeld;
}

/** Endings of a module's file, in the order in which they are looked for. */
const ENDINGS = [".ts", ".js", ".mjs"] as const;
/** Entries of a granted folder that are looked at for links to what is protected. */
const MAX_ENTRIES = 10_000;

/**
 * Reads modules.ini and checks every function in it.
 *
 * @throws {ConfigError} when modules.ini cannot be read.
 */
export async function planFunctions(
  sources: PlanSources,
): Promise<FunctionPlans & { warnings: readonly string[]; isWhole: boolean }> {
  const { entries, faults: configFaults, warnings, isWhole } = await readModules(
    sources.modulesConfig,
  );
  const faults: PlanFault[] = configFaults.map(({ functionName, state }) => ({
    functionName,
    message: `Cannot load function ${functionName}: ${state}`,
  }));
  const plans: FunctionPlan[] = [];
  for (const config of entries) {
    try {
      plans.push(await planFunction(config, sources));
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error;
      const { message, hint } = error;
      faults.push({
        functionName: config.functionName,
        message: hint === undefined ? message : `${message} (${hint})`,
      });
    }
  }
  return { plans, faults, warnings, isWhole };
}

async function planFunction(config: FunctionConfig, sources: PlanSources): Promise<FunctionPlan> {
  const { functionName, grants } = config;
  const fail = (state: string, hint?: string): never => {
    throw new FunctionError(
      `Cannot load function ${functionName}: ${state}`,
      hint === undefined ? {} : { hint },
    );
  };
  const file = await moduleFile(sources.modules, config);
  const folder = resolve(sources.modules);
  const paths = [folder, ...grants.read, ...grants.write].map((path) => resolve(path));
  for (const wanted of descriptors(config)) {
    if (!sources.isHeld(wanted)) fail(`the server has no ${describe(wanted)}`, startHint(wanted));
  }
  for (const path of paths) {
    const found = await leadsToProtected(path, sources);
    if (found !== undefined) fail(`${path} leads to ${found}, which no function may reach`);
  }
  const write = grants.write.map((path) => resolve(path));
  const permissions: WorkerPermissions = {
    read: [...new Set([...paths])],
    write,
    net: grants.net.includes("*") ? true : grants.net,
    env: grants.env,
  };
  return { config, file, moduleUrl: pathToFileURL(resolve(file)).href, permissions };
}

function descriptors({ grants }: FunctionConfig): Deno.PermissionDescriptor[] {
  const { read, write, net, env } = grants;
  return [
    ...[...read, ...write].map((path) => ({ name: "read", path: resolve(path) } as const)),
    ...write.map((path) => ({ name: "write", path: resolve(path) } as const)),
    ...net.map((host) => host === "*" ? { name: "net" } as const : { name: "net", host } as const),
    ...env.map((variable) => ({ name: "env", variable } as const)),
  ];
}

function describe(wanted: Deno.PermissionDescriptor): string {
  return `${wanted.name} permission for ${targetOf(wanted)}`;
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

/** What is protected and can be reached through a path, links included; `undefined` when nothing is. */
async function leadsToProtected(
  path: string,
  { protectedPaths, modules }: PlanSources,
): Promise<string | undefined> {
  const places = [path, await realPath(path), ...await linkTargets(path)];
  const modulesFolder = await realPath(resolve(modules));
  for (const each of protectedPaths) {
    for (const kept of [resolve(each), await realPath(resolve(each))]) {
      // The modules themselves may be in a folder of the configuration.
      const isAround = isWithin(modulesFolder, kept);
      if (places.some((place) => isWithin(kept, place) || !isAround && isWithin(place, kept))) {
        return each;
      }
    }
  }
  return undefined;
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || way !== ".." && !way.startsWith("../") && !way.startsWith("/");
}

/** The path without links; of what does not exist, as far as it does. */
async function realPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realPath(parent), basename(path));
  }
}

/** Where the links in a folder lead. */
async function linkTargets(path: string): Promise<string[]> {
  const targets: string[] = [];
  const folders = [path];
  let count = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      for await (const entry of Deno.readDir(folder)) {
        if (++count > MAX_ENTRIES) return targets;
        const place = join(folder, entry.name);
        if (entry.isSymlink) targets.push(await realPath(place));
        else if (entry.isDirectory) folders.push(place);
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      if (error instanceof Deno.errors.NotADirectory) continue;
      if (folder !== path) continue;
      if (error instanceof Deno.errors.NotCapable) continue;
      throw new FunctionError(`Cannot read ${folder}: ${reasonOf(error)}`, { cause: error });
    }
  }
  return targets;
}

/** Whether a module of this name is in the folder, in whatever ending. */
export async function hasModule(folder: string, moduleName: string): Promise<boolean> {
  return (await findModule(folder, moduleName)) !== undefined;
}

/** The path of a module's file; throws when there is none that this program can load. */
async function moduleFile(
  folder: string,
  { functionName, moduleName }: { functionName: string; moduleName: string },
): Promise<string> {
  const fail = (state: string, hint?: string): never => {
    const detail = hint === undefined ? {} : { hint };
    throw new FunctionError(`Cannot load function ${functionName}: ${state}`, detail);
  };
  const path = await findModule(folder, moduleName) ??
    fail(await describeMissing(folder, moduleName));
  if (path.endsWith(".ts") && !canLoadTypeScript()) {
    return fail(
      `${path} is TypeScript, which this executable (Deno ${Deno.version.deno}) cannot load`,
      "write it as .js, or compile the server with Deno 2.8.2 or newer",
    );
  }
  return path;
}

async function findModule(folder: string, moduleName: string): Promise<string | undefined> {
  for (const ending of ENDINGS) {
    const path = `${folder}/${moduleName}${ending}`;
    try {
      if ((await Deno.stat(path)).isFile) return path;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      throw new FunctionError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
    }
  }
  return undefined;
}

async function describeMissing(folder: string, moduleName: string): Promise<string> {
  const missing = `there is no ${moduleName}${ENDINGS.join(", ")} in ${folder}`;
  const python = `${folder}/${moduleName}.py`;
  const isPython = await Deno.stat(python).then(() => true, () => false);
  return isPython
    ? `${missing} (${moduleName}.py is Python; write it anew in JavaScript)`
    : missing;
}

/** A compiled executable loads TypeScript from outside of itself since Deno 2.8.2. */
function canLoadTypeScript(): boolean {
  const [major = 0, minor = 0, patch = 0] = Deno.version.deno.split(".").map(Number);
  return !Deno.build.standalone || major > 2 ||
    (major === 2 && (minor > 8 || minor === 8 && patch >= 2));
}
