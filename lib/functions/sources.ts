/**
 * @module
 * Where the functions of an installation come from, and what about it is closed to them.
 */
import { dirname, resolve } from "node:path";
import { type IsHeld, readHeldEnv } from "../config/permissions.ts";
import type { Settings } from "../config/settings.ts";
import type { PlanSources } from "./plan/grants.ts";
import type { Wall } from "./wall/choice.ts";
import { stageEnv } from "./wall/command.ts";
import { type EarlyStage, HeadStart } from "./wall/head_start.ts";

/** Where the functions of an installation are. */
export interface FunctionSources {
  /** config.ini */
  readonly config: string;
  /** modules.ini */
  readonly modulesConfig: string;
  /** Folder of the modules. */
  readonly modules: string;
  /** Folder of the log. */
  readonly log: string;
  readonly settings: Settings;
  readonly isHeld: IsHeld;
}

/** Begins with what needs neither keys nor modules; a server does it first of all. */
export function startFunctions(
  { settings, isHeld, early }: Pick<FunctionSources, "settings" | "isHeld"> & {
    readonly early?: EarlyStage | undefined;
  },
): HeadStart {
  const readEnv = (variable: string): string | undefined => readHeldEnv(isHeld, variable);
  return new HeadStart({ env: stageEnv(readEnv), user: settings.functions.user, early });
}

/** What plans are made from. */
export function planSources(sources: FunctionSources, wall: Wall): PlanSources {
  const { config, modulesConfig, modules, log: logFolder, isHeld } = sources;
  const { store, stateFolder, listen: { tls } } = sources.settings;
  const isAmongModules = resolve(dirname(modulesConfig)) === resolve(modules);
  return {
    modules,
    modulesConfig,
    protectedPaths: [
      store.serverFolder,
      store.clientsFolder,
      store.register,
      stateFolder,
      dirname(config),
      config,
      ...isAmongModules ? [] : [dirname(modulesConfig)],
      modulesConfig,
      ...tls === undefined ? [] : [tls.keyFile],
    ],
    unwritablePaths: [logFolder],
    isHeld,
    wall,
  };
}
