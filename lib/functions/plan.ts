/**
 * @module
 * modules.ini → plans: finds the file of each function and checks what it asks for. Nothing that leads
 * to the key store or to the configuration can be granted, nor what the server itself was not given.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type FunctionConfig, type Grants, readModules } from "../config/modules.ts";
import { type IsHeld, RESOLVER_FILES } from "../config/permissions.ts";
import { FunctionError, reasonOf } from "../errors.ts";
import type { WorkerPermissions } from "./messages.ts";
import { isWithin, leadsToProtected, lookAtObject, outsideTargets, realPath } from "./reach.ts";
import { refusal, type Wall } from "./wall/choice.ts";

/** A function that may be loaded: its file was found, its permissions can be granted. */
export interface FunctionPlan {
  readonly config: FunctionConfig;
  /** Path of the module. */
  readonly file: string;
  readonly moduleUrl: string;
  readonly permissions: WorkerPermissions;
  /** Where the modules folder and the grants lead: real paths, at the time of the plan. */
  readonly reach: { readonly read: readonly string[]; readonly write: readonly string[] };
  /** The files and folders at those paths: a rule of the kernel holds for them, whatever replaces them. */
  readonly identity: readonly string[];
}

/** A function that cannot be loaded for a reason that modules.ini or the file system gave. */
export interface PlanFault {
  readonly functionName: string;
  readonly message: string;
  /** What it was granted may not be granted, or not any more: no earlier version may go on. */
  readonly isForbidden: boolean;
}

/** What modules.ini asks for, as far as it can be had. */
export interface FunctionPlans {
  readonly plans: readonly FunctionPlan[];
  readonly faults: readonly PlanFault[];
}

/** Everything that modules.ini says. */
export interface PlanResult extends FunctionPlans {
  readonly warnings: readonly string[];
  /** Whether every line could be read: the file is not half written. */
  readonly isWhole: boolean;
  /** What grants lead to, and where they led to nothing; see {@link FunctionPlan.identity}. */
  readonly objects: readonly string[];
}

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

/** Endings of a module's file, in the order in which they are looked for. */
const ENDINGS = [".ts", ".js", ".mjs"] as const;
/** Versions in which functions can write to any file, without a permission of theirs being asked for. */
const UNSAFE_VERSIONS = ["2.9.0", "2.9.1", "2.9.2"];

/** A grant that cannot be had. */
class GrantError extends FunctionError {}

/**
 * Reads modules.ini and checks every function in it.
 *
 * @throws {ConfigError} when modules.ini cannot be read.
 */
export async function planFunctions(sources: PlanSources): Promise<PlanResult> {
  const { entries, faults: configFaults, warnings, isWhole } = await readModules(
    sources.modulesConfig,
  );
  const faults: PlanFault[] = configFaults.map(({ functionName, state }) => ({
    functionName,
    message: `Cannot load function ${functionName}: ${state}`,
    isForbidden: false,
  }));
  const plans: FunctionPlan[] = [];
  const objects: string[] = [];
  for (const config of entries) {
    try {
      const plan = await planFunction(config, sources);
      plans.push(plan);
      objects.push(...plan.identity);
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error;
      const { message, hint } = error;
      const { read, write } = config.grants;
      objects.push(...await Promise.all([...read, ...write].map(lookAtObject)));
      faults.push({
        functionName: config.functionName,
        message: hint === undefined ? message : `${message} (${hint})`,
        isForbidden: error instanceof GrantError,
      });
    }
  }
  return { plans, faults, warnings, isWhole, objects };
}

async function planFunction(config: FunctionConfig, sources: PlanSources): Promise<FunctionPlan> {
  const { functionName, grants } = config;
  checkRuntime(functionName);
  await checkGrants(config, sources);
  const file = await moduleFile(sources.modules, config);
  const reach = await reachOf(config, sources);
  const paths = [sources.modules, ...grants.read, ...grants.write].map((path) => resolve(path));
  const permissions: WorkerPermissions = {
    read: [...new Set(paths)],
    write: grants.write.map((path) => resolve(path)),
    net: grants.net.includes("*") ? true : grants.net,
    env: grants.env,
  };
  const moduleUrl = pathToFileURL(resolve(file)).href;
  const objects = [...reach.read, ...reach.write, ...resolverFiles(grants)];
  const identity = await Promise.all(objects.map(lookAtObject));
  return { config, file, moduleUrl, permissions, reach, identity };
}

function checkRuntime(functionName: string): void {
  if (!UNSAFE_VERSIONS.includes(Deno.version.deno)) return;
  throw new GrantError(
    `Cannot load function ${functionName}: with Deno ${Deno.version.deno}, a function can write to any file`,
    { hint: "use Deno 2.9.3 or newer" },
  );
}

/** Throws when a grant is not to be had. */
async function checkGrants(config: FunctionConfig, sources: PlanSources): Promise<void> {
  const { functionName, grants } = config;
  const { isHeld, unwritablePaths, wall } = sources;
  const fail = (state: string, hint?: string): never => {
    const message = `Cannot load function ${functionName}: ${state}`;
    throw new GrantError(message, hint === undefined ? {} : { hint });
  };
  const refused = refusal(wall, grants);
  if (refused !== undefined) fail(refused.state, refused.hint);
  for (const wanted of descriptors(config)) {
    if (!isHeld(wanted)) fail(`the server has no ${describe(wanted)}`, startHint(wanted));
  }
  for (const path of [sources.modules, ...grants.read, ...grants.write]) {
    // A link in a granted folder leads nowhere behind the kernel's wall; one in the modules is granted.
    const hasLinks = wall.kind !== "landlock" || path === sources.modules;
    const found = await leadsToProtected(resolve(path), { ...sources, hasLinks });
    if (found !== undefined) fail(`${path} leads to ${found}, which no function may reach`);
  }
  for (const path of grants.write) {
    const real = await realPath(resolve(path));
    for (const kept of unwritablePaths) {
      const keptPath = await realPath(resolve(kept));
      if (isWithin(real, keptPath) || isWithin(keptPath, real)) {
        fail(`${path} leads to ${kept}, which no function may write to`);
      }
    }
  }
}

/** Real paths of the modules and the grants. */
async function reachOf(
  { functionName, grants }: FunctionConfig,
  { modules }: PlanSources,
): Promise<FunctionPlan["reach"]> {
  const real = async (path: string): Promise<string> => {
    try {
      return await Deno.realPath(resolve(path));
    } catch (error) {
      const isMissing = error instanceof Deno.errors.NotFound;
      const state = isMissing ? `${path} does not exist` : `${path}: ${reasonOf(error)}`;
      throw new GrantError(`Cannot load function ${functionName}: ${state}`, {
        cause: error,
        ...isMissing ? { hint: `create it: mkdir -p ${path}` } : {},
      });
    }
  };
  return {
    read: [
      await real(modules),
      ...await outsideTargets(resolve(modules)),
      ...await Promise.all(grants.read.map(real)),
    ],
    write: await Promise.all(grants.write.map(real)),
  };
}

/** What a function with network reads to resolve names; programs that change networks replace them. */
function resolverFiles({ net }: Grants): readonly string[] {
  return net.length > 0 ? RESOLVER_FILES : [];
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
    ? `${missing} (${moduleName}.py is Python; write it again in JavaScript)`
    : missing;
}

/** A compiled executable loads TypeScript from outside of itself since Deno 2.8.2. */
function canLoadTypeScript(): boolean {
  const [major = 0, minor = 0, patch = 0] = Deno.version.deno.split(".").map(Number);
  return !Deno.build.standalone || major > 2 ||
    (major === 2 && (minor > 8 || minor === 8 && patch >= 2));
}
