/**
 * @module
 * The functions of an installation: modules.ini and the modules, as they are now and whenever they
 * change; for the server, and for commands that only report on them.
 */
import { readHeldEnv } from "../config/permissions.ts";
import { ConfigError } from "../errors.ts";
import { logger } from "../log.ts";
import { SILENT } from "../observer.ts";
import { type PauseOptions, Pauses } from "../retry.ts";
import { Watch } from "../watch.ts";
import { hostCommand } from "./processes/command.ts";
import type { FunctionObserver } from "./processes/host_group.ts";
import type { HostTimes } from "./processes/host_parts.ts";
import {
  type FunctionPlan,
  lookAgain,
  planFunctions,
  type PlansResult,
  seenText,
} from "./plan/plan.ts";
import { type FunctionSources, planSources, startFunctions } from "./sources.ts";
import { Supervisor } from "./supervisor.ts";
import type {
  CallRequest,
  CallResult,
  DescribedFunction,
  FunctionCaller,
  FunctionDirectory,
} from "./types.ts";
import { chooseWall, describeWall, type Wall } from "./wall/choice.ts";
import type { HeadStart } from "./wall/head_start.ts";

/** Who is told, and times that tests shorten. */
export interface ServiceOptions extends Partial<HostTimes> {
  readonly observer?: FunctionObserver;
  /** What began earlier. */
  readonly head?: HeadStart;
  /** CPU time without a call, after which a host is replaced. */
  readonly maxIdleCpuMs?: number;
  /** Between attempts to load what failed, and to read modules.ini. */
  readonly retryPauses?: PauseOptions;
  /** Whether functions try to use the paths that they were granted, before they load. */
  readonly checksGrants?: boolean;
  /** Serves this function alone. */
  readonly only?: string;
}

const log = logger("functions");

/** Serves the functions of modules.ini. */
export class FunctionService implements FunctionCaller, FunctionDirectory {
  readonly functions: Supervisor;
  readonly #sources: FunctionSources;
  readonly #only: string | undefined;
  readonly #head: HeadStart;
  readonly #choice: Promise<Wall>;
  #wall: Wall | undefined;
  readonly #observer: FunctionObserver;
  readonly #pauses: Pauses;
  #watch: Watch | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #latest: PlansResult | undefined;
  /** Those of {@link #latest}, which were logged. */
  #warnings: readonly string[] = [];
  /** Resolves when modules.ini was read for the first time. */
  readonly #firstLoad = Promise.withResolvers<void>();
  /** modules.ini cannot be read. */
  #isUnreadable = false;

  constructor(sources: FunctionSources, options: ServiceOptions = {}) {
    const { observer = SILENT, retryPauses = {} } = options;
    this.#observer = observer;
    this.#pauses = new Pauses(retryPauses);
    this.#sources = sources;
    this.#only = options.only;
    this.#head = options.head ?? startFunctions(sources);
    this.#choice = this.#chooseWall();
    // load() reports it.
    this.#choice.catch(() => {});
    const { modules, settings: { functions: { maxHeapMegabytes } } } = sources;
    this.functions = new Supervisor({
      observer,
      retryPauses,
      restartPauses: { firstPauseMs: 100, longestPauseMs: 10_000 },
      maxIdleCpuMs: options.maxIdleCpuMs ?? 10_000,
      loadTimeoutMs: options.loadTimeoutMs ?? 10_000,
      silenceTimeoutMs: options.silenceTimeoutMs ?? 60_000,
      checksGrants: options.checksGrants ?? false,
      commandFor: (plans) =>
        hostCommand(plans, {
          modules,
          maxHeapMegabytes,
          wall: this.wall,
          readEnv: this.#readEnv,
          takeStage: () => this.#head.takeStage(),
        }),
    });
  }

  /** The wall around functions, once they were loaded. */
  get wall(): Wall {
    if (this.#wall === undefined) throw new Error("the wall has not been chosen");
    return this.#wall;
  }

  /**
   * Reads modules.ini and serves the functions in it; a change of it, or of a file that a module
   * consists of, takes effect within a second.
   *
   * @throws {ConfigError} when it cannot be read, or config.ini asks for a wall that cannot be had.
   */
  async start(): Promise<void> {
    this.#tellWall(await this.#choice);
    const { seen } = await this.load();
    this.#watch = new Watch({
      seen: seenText(seen),
      look: () => this.#look(),
      onChange: () => this.#reload(),
    });
    this.#planAgainLater();
    void this.#announce();
  }

  /** Says once which functions can be called. */
  async #announce(): Promise<void> {
    await this.functions.whenSettled();
    const ready = this.functions.functions.filter(({ state }) => state === "ready");
    const names = ready.map(({ functionName }) => functionName).join(", ") || "none";
    log.info("Functions: {names}", { names });
  }

  /**
   * Calls a function; see {@link FunctionCaller.call}. The server listens before it reads modules.ini:
   * calls that come earlier wait for that.
   */
  call(functionName: string, request: CallRequest): CallResult | Promise<CallResult> {
    if (this.#latest !== undefined) return this.functions.call(functionName, request);
    return this.#firstLoad.promise.then(() => this.functions.call(functionName, request));
  }

  /** See {@link FunctionCaller.isRegistered}. */
  isRegistered(functionName: string): boolean {
    return this.functions.isRegistered(functionName);
  }

  /** The functions that can be called; see {@link FunctionDirectory.describe}. */
  describe(): readonly DescribedFunction[] {
    return this.functions.describe();
  }

  /** Looks for changes at once, and tries again to load what failed. */
  async takeUp(): Promise<void> {
    await this.#watch?.takeUp();
    this.functions.retryAll();
  }

  /** Ends every host; resolves when files are not looked at any more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.functions.close();
    await Promise.all([this.#watch?.close(), this.#head.close()]);
  }

  /**
   * Reads modules.ini and serves the functions in it from now on; only those that changed are loaded.
   *
   * @throws {ConfigError} when it cannot be read, or not every line of a later version; then everything
   * goes on as before. Also when config.ini asks for a wall that cannot be had.
   */
  async load(): Promise<PlansResult & { readonly changed: readonly string[] }> {
    this.#wall = await this.#choice;
    const all = await planFunctions(planSources(this.#sources, this.#wall));
    const result = this.#only === undefined ? all : onlyOf(all, this.#only);
    // At the start there is nothing better than the part of it that can be read.
    if (!result.isWhole && this.#latest !== undefined) {
      throw new ConfigError(`Cannot read ${this.#sources.modulesConfig}: it may be half written`);
    }
    const unset = result.plans.flatMap((plan) => {
      const { functionName } = plan.config;
      return this.unsetVariables(plan)
        .map((name) => `Function ${functionName}: the variable ${name} has no value`);
    });
    const warnings = [...result.warnings, ...unset];
    for (const warning of warnings.filter((each) => !this.#warnings.includes(each))) {
      log.warning("{warning}", { warning });
    }
    this.#warnings = warnings;
    this.#latest = result;
    const changed = this.functions.apply(result);
    // Where no host was needed.
    void this.#head.close();
    this.#firstLoad.resolve();
    return { ...result, changed };
  }

  /** Variables that a function was granted, and that have no value here. */
  unsetVariables({ config: { grants } }: FunctionPlan): string[] {
    return grants.env.filter((name) => !this.#readEnv(name));
  }

  async #reload(): Promise<string | undefined> {
    try {
      const { changed } = await this.load();
      if (this.#isUnreadable) {
        this.#isUnreadable = false;
        this.#observer.recovered("modules", `${this.#sources.modulesConfig} can be read again`);
      }
      if (changed.length > 0) this.#reportReload(changed);
      return this.#latest && seenText(this.#latest.seen);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      if (!this.#isUnreadable) {
        this.#observer.fault("modules", `${error.message}; everything goes on as before`);
      }
      this.#isUnreadable = true;
      return undefined;
    } finally {
      this.#planAgainLater();
    }
  }

  /** Once the functions that changed have loaded, or failed. */
  async #reportReload(changed: readonly string[]): Promise<void> {
    await this.functions.whenSettled();
    this.#observer.reloaded("modules", changed.join(", "));
  }

  /** What a check of paths or files refused can become possible without a change that is looked at. */
  #planAgainLater(): void {
    clearTimeout(this.#timer);
    const isFaulty = this.#isUnreadable || (this.#latest?.faults.length ?? 0) > 0;
    if (!isFaulty) this.#pauses.reset();
    else this.#timer = setTimeout(() => void this.#watch?.takeUp(), this.#pauses.next());
  }

  async #chooseWall(): Promise<Wall> {
    const { wall: setting, user } = this.#sources.settings.functions;
    return chooseWall({ setting, user, check: await this.#head.check });
  }

  #tellWall(wall: Wall): void {
    const { kind, isAccepted, reason } = wall;
    const sentence = describeWall(wall);
    const text = `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`;
    if (kind !== "none") log.info("{text}", { text });
    else if (isAccepted) log.warning("{text}", { text });
    else log.warning("{text}. Functions with Write or Env are refused: {reason}", { text, reason });
  }

  readonly #readEnv = (variable: string): string | undefined =>
    readHeldEnv(this.#sources.isHeld, variable);

  async #look(): Promise<string> {
    return this.#latest === undefined
      ? ""
      : await lookAgain(this.#latest.seen, this.#sources.modules);
  }
}

/** Of some plans, those of one function. */
function onlyOf(result: PlansResult, name: string): PlansResult {
  return {
    ...result,
    plans: result.plans.filter(({ config }) => config.functionName === name),
    faults: result.faults.filter(({ functionName }) => functionName === name),
  };
}
