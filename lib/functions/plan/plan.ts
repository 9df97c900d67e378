/**
 * @module
 * modules.ini → plans: finds the files of each function and checks what it asks for. Nothing that leads
 * to the key store or to the configuration can be granted, nor what the server itself was not given.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type FunctionConfig,
  type Grants,
  type ModulesResult,
  readModules,
} from "../../config/modules.ts";
import { FunctionError } from "../../errors.ts";
import { lookAt, lookBelow } from "../../watch.ts";
import { checkGrants, grantedPath, GrantError, type PlanSources, resolverFiles } from "./grants.ts";
import type { WorkerPermissions } from "../wire/messages.ts";
import { ENDINGS, moduleFile } from "./module_file.ts";
import { type ModuleGraph, readModuleGraph } from "./module_graph.ts";
import { isWithin, lookAtObject, outsideTargets, realPath } from "./reach.ts";

/** A function that may be loaded: its file was found, its permissions can be granted. */
export interface FunctionPlan {
  readonly config: FunctionConfig;
  /** Path of the module. */
  readonly file: string;
  readonly moduleUrl: string;
  readonly permissions: WorkerPermissions;
  /** See {@link ModuleGraph.mayStartWorkers}. */
  readonly mayStartWorkers: boolean;
  /** Where the modules folder and the grants lead: real paths, at the time of the plan. */
  readonly reach: { readonly read: readonly string[]; readonly write: readonly string[] };
  /**
   * The files and folders at those paths: a rule of the kernel holds for them, whatever replaces them. A
   * process that was started for others cannot load this version.
   */
  readonly hostKey: string;
  /** Changes whenever its code, its section or what it may reach does. */
  readonly version: string;
}

/** A function that cannot be loaded for a reason that modules.ini or the file system gave. */
export interface PlanFault {
  readonly functionName: string;
  /** Completes "Cannot load function NAME: …". */
  readonly state: string;
  /** What it was granted may not be granted, or not any more: no earlier version may go on. */
  readonly isForbidden: boolean;
}

/** What modules.ini asks for, as far as it can be had. */
export interface FunctionPlans {
  readonly plans: readonly FunctionPlan[];
  readonly faults: readonly PlanFault[];
}

/** Plans, and what they were made from. */
export interface PlansResult extends FunctionPlans {
  readonly warnings: readonly string[];
  /** Names of all functions in modules.ini. */
  readonly names: readonly string[];
  /** Whether every line of modules.ini could be read: it is not half written. */
  readonly isWhole: boolean;
  readonly seen: Seen;
}

/** What plans depend on, and how it looked before it was read. */
export interface Seen {
  /** By path; see {@link lookAt}. */
  readonly files: ReadonlyMap<string, string>;
  /** What grants lead to, by path; see {@link lookAtObject}. */
  readonly objects: ReadonlyMap<string, string>;
  /** All code in the modules folder, for functions whose imports cannot be named. */
  readonly folder: string | undefined;
  /** Paths that functions write. */
  readonly written: readonly string[];
}

/** Files that a module can be or import; the names of hidden files begin with a dot. */
const CODE = /^[^.].*\.(?:[mc]?[jt]s|[jt]sx|json|wasm)$/;
/** Versions in which functions can write to any file, without a permission of theirs being asked for. */
const UNSAFE_VERSIONS = ["2.9.0", "2.9.1", "2.9.2"];

/**
 * Reads modules.ini and checks every function in it.
 *
 * @throws {ConfigError} when modules.ini cannot be read.
 */
export async function planFunctions(sources: PlanSources): Promise<PlansResult> {
  const planning = new Planning(sources, await lookAt(sources.modulesConfig));
  return await planning.run(await readModules(sources.modulesConfig));
}

/** How what plans depend on looks now; compare it with {@link seenText}. */
export async function lookAgain(
  { files, objects, folder, written }: Seen,
  modules: string,
): Promise<string> {
  const looks: string[] = [];
  for (const path of files.keys()) looks.push(await lookAt(path));
  for (const path of objects.keys()) looks.push(await lookAtObject(path));
  if (folder !== undefined) looks.push(await lookAtCode(modules, written));
  return looks.join("\n");
}

/** How it looked before the plans were made. */
export function seenText({ files, objects, folder }: Seen): string {
  const code = folder === undefined ? [] : [folder];
  return [...files.values(), ...objects.values(), ...code].join("\n");
}

function lookAtCode(modules: string, written: readonly string[]): Promise<string> {
  const isLeftOut = (path: string): boolean => written.some((each) => isWithin(path, each));
  return lookBelow(resolve(modules), CODE, isLeftOut);
}

/** A function whose file was found. */
interface FoundFunction {
  readonly config: FunctionConfig;
  readonly file: string;
  readonly graph: ModuleGraph;
}

/** One pass over modules.ini. What is looked up for one function is remembered for the others. */
class Planning {
  readonly #sources: PlanSources;
  readonly #files: Map<string, string>;
  readonly #objects = new Map<string, string>();
  readonly #graphs = new Map<string, ModuleGraph>();
  readonly #faults: PlanFault[] = [];
  /** Where the modules folder leads. */
  #modulesReach: Promise<readonly string[]> | undefined;
  #folder: string | undefined;
  /** Paths that functions may write. */
  #written: readonly string[] = [];

  constructor(sources: PlanSources, modulesConfigLook: string) {
    this.#sources = sources;
    this.#files = new Map([[sources.modulesConfig, modulesConfigLook]]);
  }

  async run({ entries, faults, warnings, isWhole }: ModulesResult): Promise<PlansResult> {
    for (const fault of faults) this.#faults.push({ ...fault, isForbidden: false });
    this.#written = entries.flatMap(({ grants }) => grants.write.map((path) => resolve(path)));
    const found: FoundFunction[] = [];
    for (const config of entries) {
      await this.#collect(config, async () => {
        found.push(await this.#find(config));
      });
    }
    if (found.some(({ graph }) => graph.isOpen)) {
      this.#folder = await lookAtCode(this.#sources.modules, this.#written);
    }
    const plans: FunctionPlan[] = [];
    for (const each of found) {
      await this.#collect(each.config, async () => {
        plans.push(await this.#plan(each));
      });
    }
    const seen = {
      files: this.#files,
      objects: this.#objects,
      folder: this.#folder,
      written: this.#written,
    };
    const names = [...entries, ...faults].map(({ functionName }) => functionName);
    return { plans, faults: this.#faults, warnings, names, isWhole, seen };
  }

  async #collect(
    { functionName, grants }: FunctionConfig,
    step: () => Promise<void>,
  ): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error;
      const { message, hint } = error;
      await this.#lookAtObjects([...grants.read, ...grants.write]);
      this.#faults.push({
        functionName,
        state: hint === undefined ? message : `${message} (${hint})`,
        isForbidden: error instanceof GrantError,
      });
    }
  }

  async #find(config: FunctionConfig): Promise<FoundFunction> {
    const { modules } = this.#sources;
    for (const ending of ENDINGS) {
      const path = resolve(modules, `${config.moduleName}${ending}`);
      if (!this.#files.has(path)) this.#files.set(path, await lookAt(path));
    }
    checkRuntime();
    const file = await moduleFile(modules, config);
    return { config, file, graph: await this.#readGraph(resolve(file)) };
  }

  async #readGraph(path: string): Promise<ModuleGraph> {
    const known = this.#graphs.get(path);
    if (known !== undefined) return known;
    const graph = await readModuleGraph(path);
    this.#graphs.set(path, graph);
    for (const [file, look] of [...graph.files, ...this.#dataOf(graph)]) {
      this.#files.set(file, look);
    }
    return graph;
  }

  /** What it reads beside its code, unless functions write it. */
  #dataOf({ data }: ModuleGraph): [path: string, look: string][] {
    return [...data].filter(([path]) => !this.#written.some((each) => isWithin(path, each)));
  }

  async #plan({ config, file, graph }: FoundFunction): Promise<FunctionPlan> {
    const { grants } = config;
    await checkGrants(config, this.#sources);
    await this.#checkWritten(grants);
    const reach = await this.#reachOf(grants);
    const hostKey = await this.#lookAtObjects([
      ...reach.read,
      ...reach.write,
      ...resolverFiles(grants),
    ]);
    const paths = [this.#sources.modules, ...grants.read, ...grants.write];
    const looks = [
      ...graph.files.values(),
      ...this.#dataOf(graph).map(([, look]) => look),
      ...graph.isOpen ? [this.#folder] : [],
    ];
    return {
      config,
      file,
      moduleUrl: pathToFileURL(resolve(file)).href,
      permissions: {
        read: [...new Set(paths.map((path) => resolve(path)))],
        write: grants.write.map((path) => resolve(path)),
        net: grants.net.includes("*") ? true : grants.net,
        env: grants.env,
      },
      mayStartWorkers: graph.mayStartWorkers,
      reach,
      hostKey,
      version: JSON.stringify([config, file, looks, hostKey]),
    };
  }

  /** What a function may write must be no code: not its own, not that of another one. */
  async #checkWritten({ write }: Grants): Promise<void> {
    const code = this.#graphs.values().flatMap(({ files }) => files.keys());
    const codePaths = write.length === 0 ? [] : [...new Set(code)];
    for (const path of write) {
      const places = [resolve(path), await realPath(resolve(path))];
      for (const each of codePaths) {
        const files = [each, await realPath(each)];
        if (files.some((file) => places.some((place) => isWithin(file, place)))) {
          throw new GrantError(
            `${path} leads to ${each}, which is code: no function may write to it`,
          );
        }
      }
    }
  }

  /** Real paths of the modules and the grants. */
  async #reachOf(grants: Grants): Promise<FunctionPlan["reach"]> {
    const folder = resolve(this.#sources.modules);
    this.#modulesReach ??= Promise.all([grantedPath(folder), outsideTargets(folder)])
      .then(([real, targets]) => [real, ...targets]);
    return {
      read: [...await this.#modulesReach, ...await Promise.all(grants.read.map(grantedPath))],
      write: await Promise.all(grants.write.map(grantedPath)),
    };
  }

  /** Which files and folders are at these paths, as a text. */
  async #lookAtObjects(paths: readonly string[]): Promise<string> {
    for (const path of paths) {
      if (!this.#objects.has(path)) this.#objects.set(path, await lookAtObject(path));
    }
    return paths.map((path) => this.#objects.get(path)).join("\n");
  }
}

function checkRuntime(): void {
  if (!UNSAFE_VERSIONS.includes(Deno.version.deno)) return;
  throw new GrantError(`with Deno ${Deno.version.deno}, a function can write to any file`, {
    hint: "use Deno 2.9.3 or newer",
  });
}
