/**
 * @module
 * The functions of an installation: modules.ini and the modules folder, as they are now and whenever they
 * change; for the server, and for commands that only report on them.
 */
import { dirname } from "node:path";
import type { GrantName, IsHeld } from "../config/permissions.ts";
import type { Settings } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";
import { logger } from "../log.ts";
import { lookAt, lookBelow, Watch } from "../watch.ts";
import type { FunctionAbout } from "./about.ts";
import { hostCommand, stageEnv } from "./command.ts";
import { planFunctions, type PlanSources } from "./plan.ts";
import { hasChanged } from "./reach.ts";
import { chooseWall, describeWall, type Wall } from "./wall/choice.ts";
import { probeWall } from "./wall/probe.ts";
import type { ServedFunction } from "./function.ts";
import type { FunctionObserver } from "./host_group.ts";
import { Supervisor } from "./supervisor.ts";

/** Where the functions of an installation are. */
export interface FunctionSources {
  /** config.ini */
  readonly config: string;
  /** modules.ini */
  readonly modulesConfig: string;
  /** Folder of the modules. */
  readonly modules: string;
  /** Folder of the log. */
  readonly log?: string;
  readonly settings: Settings;
  readonly isHeld: IsHeld;
}

/** Who is told, and who is asked before a call leaves. */
export interface ServiceParts {
  readonly observer?: FunctionObserver;
  /** Called before calls leave for a worker. */
  readonly beforeCalls?: () => void;
}

/** Files that a module can be or import. */
const CODE = /\.(?:[mc]?[jt]s|[jt]sx|json|wasm)$/;
const log = logger("functions");

/** For reports, which tell everything themselves. */
const SILENT: FunctionObserver = {
  processExited: () => {},
  reloaded: () => {},
  fault: () => {},
  recovered: () => {},
};

/** Serves the functions of modules.ini. */
export class FunctionService {
  readonly functions: Supervisor;
  readonly #sources: FunctionSources;
  /** Begins at once: the server has other things to do meanwhile. */
  readonly #choice: Promise<Wall>;
  #wall: Wall | undefined;
  /** What grants led to when modules.ini was read; see {@link PlanResult.objects}. */
  #objects: readonly string[] = [];
  /** How often one of them became another. */
  #changes = 0;
  #watch: Watch | undefined;
  #isLoaded = false;
  /** The last version of modules.ini could not be read. */
  #isFaulty = false;
  readonly #observer: FunctionObserver;

  constructor(sources: FunctionSources, { observer = SILENT, beforeCalls }: ServiceParts = {}) {
    const { modules, settings: { functions: { maxHeapMegabytes } } } = sources;
    this.#observer = observer;
    this.#sources = sources;
    this.#choice = this.#chooseWall();
    // load() reports it.
    this.#choice.catch(() => {});
    this.functions = new Supervisor({
      maxHeapMegabytes,
      observer,
      beforeCalls,
      commandFor: (plans) =>
        hostCommand(plans, { modules, maxHeapMegabytes, wall: this.wall, readEnv: this.#readEnv }),
    });
  }

  /** The wall around functions, once they were loaded. */
  get wall(): Wall {
    if (this.#wall === undefined) throw new Error("the wall has not been chosen");
    return this.#wall;
  }

  /**
   * Reads modules.ini and serves what it names; a change of it, or of a module, takes effect within
   * a second.
   *
   * @throws {ConfigError} when it cannot be read, or config.ini asks for a wall that cannot be had.
   */
  async start(): Promise<void> {
    const seen = await this.#look();
    this.#tellWall(await this.#choice);
    await this.load();
    this.#watch = new Watch({
      seen,
      look: () => this.#look(),
      onChange: () => this.#reload(),
    });
  }

  /** Reads modules.ini and loads modules anew, changed or not. */
  async takeUp(): Promise<void> {
    await this.#watch?.takeUp();
  }

  /** Ends every host. */
  close(): void {
    this.#watch?.close();
    this.functions.close();
  }

  /**
   * Reads modules.ini and serves what it names from now on.
   *
   * @returns what was odd about modules.ini.
   * @throws {ConfigError} when it cannot be read, or not every line of a later version; then everything
   * goes on as before. Also when config.ini asks for a wall that cannot be had.
   */
  async load(): Promise<readonly string[]> {
    this.#wall = await this.#choice;
    const { warnings, isWhole, objects, ...plans } = await planFunctions(
      this.#planSources(this.#wall),
    );
    for (const warning of warnings) log.warning("{warning}", { warning });
    // At the start there is nothing better than what can be read of it.
    if (!isWhole && this.#isLoaded) {
      throw new ConfigError(`Cannot read ${this.#sources.modulesConfig}: it may be half written`);
    }
    this.#isLoaded = true;
    this.#objects = objects;
    this.functions.apply(plans);
    return warnings;
  }

  async #reload(): Promise<void> {
    try {
      await this.load();
      this.#observer.reloaded("modules", this.#sources.modulesConfig);
      if (this.#isFaulty) this.#observer.recovered("modules", this.#sources.modulesConfig);
      this.#isFaulty = false;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#isFaulty = true;
      this.#observer.fault("modules", `${error.message}; everything goes on as before`);
    }
  }

  async #look(): Promise<string> {
    const { modules, modulesConfig } = this.#sources;
    const changed = await Promise.all(this.#objects.map(hasChanged));
    if (changed.includes(true)) this.#changes++;
    const files = `${await lookAt(modulesConfig)}\n${await lookBelow(modules, CODE)}`;
    return `${files}\n${this.#changes}`;
  }

  async #chooseWall(): Promise<Wall> {
    const { wall: setting, user } = this.#sources.settings.functions;
    const check = await probeWall({ env: stageEnv(this.#readEnv), user });
    return chooseWall({ setting, user, check });
  }

  #tellWall(wall: Wall): void {
    const { kind, isAccepted, reason } = wall;
    const sentence = describeWall(wall);
    const text = `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`;
    if (kind !== "none") log.info("{text}", { text });
    else if (isAccepted) log.warning("{text}", { text });
    else log.warning("{text}. Functions with Write or Env are refused: {reason}", { text, reason });
  }

  #planSources(wall: Wall): PlanSources {
    const { config, modulesConfig, modules, settings, isHeld } = this.#sources;
    const { store, listen: { tls } } = settings;
    return {
      modules,
      modulesConfig,
      protectedPaths: [
        store.serverFolder,
        store.clientsFolder,
        store.register,
        dirname(config),
        dirname(modulesConfig),
        config,
        modulesConfig,
        ...(tls === undefined ? [] : [tls.keyFile]),
      ],
      unwritablePaths: [modules, ...this.#sources.log === undefined ? [] : [this.#sources.log]],
      isHeld,
      wall,
    };
  }

  readonly #readEnv = (variable: string): string | undefined =>
    this.#sources.isHeld({ name: "env", variable }) ? Deno.env.get(variable) : undefined;
}

/** A function, for people and programs. */
export interface FunctionReport {
  readonly name: string;
  readonly state: "ready" | "broken";
  /** Set when it is broken. */
  readonly fault?: string;
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
 * Loads every function, and ends the hosts again.
 *
 * @throws {ConfigError} when modules.ini cannot be read.
 */
export async function describeFunctions(
  sources: FunctionSources,
): Promise<{ reports: FunctionReport[]; warnings: readonly string[]; wall: Wall }> {
  const service = new FunctionService(sources);
  try {
    const warnings = await service.load();
    await service.functions.whenSettled();
    return { reports: service.functions.functions.map(describe), warnings, wall: service.wall };
  } finally {
    service.close();
  }
}

function describe({ functionName, state, fault, plan, about }: ServedFunction): FunctionReport {
  const { params, ...texts } = about;
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
    ...(params === undefined ? {} : { params: JSON.parse(params) }),
  };
}
