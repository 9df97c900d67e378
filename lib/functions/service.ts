/**
 * @module
 * The functions of an installation: modules.ini and the modules folder, as they are now and whenever they
 * change.
 */
import { dirname } from "node:path";
import type { IsHeld } from "../config/permissions.ts";
import type { Settings } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";
import { logger } from "../log.ts";
import { lookAt, lookBelow, Watch } from "../watch.ts";
import { hostCommand } from "./command.ts";
import { planFunctions, type PlanSources } from "./plan.ts";
import { FunctionRegistry } from "./registry.ts";

/** Where the functions of an installation are. */
export interface FunctionSources {
  /** config.ini */
  readonly config: string;
  /** modules.ini */
  readonly modulesConfig: string;
  /** Folder of the modules. */
  readonly modules: string;
  readonly settings: Settings;
  readonly isHeld: IsHeld;
  /** Called before calls leave for a worker. */
  readonly beforeCalls?: () => void;
  /** modules.ini was read anew. */
  readonly onReloaded?: () => void;
}

/** Files that a module can be or import. */
const CODE = /\.(?:[mc]?[jt]s|[jt]sx|json|wasm)$/;
const log = logger("functions");

/** Serves the functions of modules.ini. */
export class FunctionService {
  readonly registry: FunctionRegistry;
  readonly #sources: PlanSources;
  #watch: Watch | undefined;
  #isLoaded = false;
  readonly #onReloaded: () => void;

  constructor(sources: FunctionSources) {
    const { config, modulesConfig, modules, settings, isHeld } = sources;
    const { store, functions: { maxHeapMegabytes, user } } = settings;
    this.#onReloaded = sources.onReloaded ?? ((): void => {});
    this.#sources = {
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
        ...(settings.listen.tls === undefined ? [] : [settings.listen.tls.keyFile]),
      ],
      isHeld,
    };
    const mayRun = (command: string): boolean => isHeld({ name: "run", command });
    const mayReadEnv = (variable: string): boolean => isHeld({ name: "env", variable });
    this.registry = new FunctionRegistry({
      maxHeapMegabytes,
      beforeCalls: sources.beforeCalls,
      commandFor: (served) =>
        hostCommand(served, {
          modules,
          maxHeapMegabytes,
          user,
          mayReadEnv,
          mayRun,
        }),
    });
  }

  /**
   * Reads modules.ini and serves what it names; a change of it, or of a module, takes effect within
   * a second.
   *
   * @throws {ConfigError} when it cannot be read.
   */
  async start(): Promise<void> {
    const seen = await this.#look();
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
    this.registry.close();
  }

  /**
   * Reads modules.ini and serves what it names from now on.
   *
   * @returns what was odd about modules.ini.
   * @throws {ConfigError} when it cannot be read, or not every line of a later version; then everything
   * goes on as before.
   */
  async load(): Promise<readonly string[]> {
    const { warnings, isWhole, ...plans } = await planFunctions(this.#sources);
    for (const warning of warnings) log.warning("{warning}", { warning });
    // At the start there is nothing better than what can be read of it.
    if (!isWhole && this.#isLoaded) {
      throw new ConfigError(`Cannot read ${this.#sources.modulesConfig}: it may be half written`);
    }
    this.#isLoaded = true;
    this.registry.apply(plans);
    return warnings;
  }

  async #reload(): Promise<void> {
    try {
      log.info("Reading modules.ini");
      await this.load();
      this.#onReloaded();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      log.error("{message}; everything goes on as before", { message: error.message });
    }
  }

  async #look(): Promise<string> {
    const { modules, modulesConfig } = this.#sources;
    return `${await lookAt(modulesConfig)}\n${await lookBelow(modules, CODE)}`;
  }
}
