/**
 * @module
 * Where the files are: a flag overrides the environment, the environment overrides the default. A path
 * that was named must be there: another name than the one that was meant must not lead to another, or a
 * new, installation.
 */
import { dirname, resolve } from "node:path";
import { PATH, refusal } from "../lib/config/kinds.ts";
import { readSettings, type SettingsResult } from "../lib/config/settings.ts";
import { ConfigError, reasonOf, StoreError, UsageError } from "../lib/errors.ts";
import type { ServerPaths } from "../lib/first_start.ts";
import type { Io } from "./command.ts";

/** The flag of every command that works on the key store. */
export const CONFIG_FLAG = {
  config: {
    value: "FILE",
    meaning: "config.ini (MSP_CONFIG_PATH; default config/config.ini)",
  },
} as const;

/** The flags of commands that load functions. */
export const FUNCTION_FLAGS = {
  ...CONFIG_FLAG,
  "modules-config": {
    value: "FILE",
    meaning: "modules.ini (MSP_MODCONF_PATH; default config/modules.ini)",
  },
  modules: { value: "DIR", meaning: "folder of the modules (default modules)" },
} as const;

/** The flags of commands that work on all of a server. */
export const PATH_FLAGS = {
  ...FUNCTION_FLAGS,
  "log-dir": { value: "DIR", meaning: "folder of the log (MSP_LOGFILE_PATH; default log)" },
} as const;

/** Values of the flags above, as far as a command has them. */
type PathValues = { readonly [K in keyof typeof PATH_FLAGS]?: string | undefined };

/** How a path is named, if it is not. */
interface PathForm {
  readonly flag: keyof PathValues;
  readonly variable?: string;
  readonly fallback: string;
}

const FORMS: { readonly [K in keyof ServerPaths]: PathForm } = {
  config: { flag: "config", variable: "MSP_CONFIG_PATH", fallback: "config/config.ini" },
  modulesConfig: {
    flag: "modules-config",
    variable: "MSP_MODCONF_PATH",
    fallback: "config/modules.ini",
  },
  modules: { flag: "modules", fallback: "modules" },
  log: { flag: "log-dir", variable: "MSP_LOGFILE_PATH", fallback: "log" },
};

/**
 * The settings that a command of the key store works with.
 *
 * @throws {ConfigError} or {UsageError} when config.ini was named and is missing, or cannot be used.
 */
export async function openSettings(flags: PathValues, io: Io): Promise<SettingsResult> {
  const path = await existing(FORMS.config, flags, io.env);
  return await readSettings(path, { env: io.env });
}

/**
 * The same for commands that need a key store which is there.
 *
 * @throws {StoreError} when there is none.
 */
export async function openStore(flags: PathValues, io: Io): Promise<SettingsResult> {
  const result = await openSettings(flags, io);
  const { serverFolder, clientsFolder } = result.settings.store;
  for (const folder of [serverFolder, clientsFolder]) {
    if (await stateOf(folder) === undefined) continue;
    throw new StoreError(`Cannot find the key store: there is no folder ${folder}`, {
      hint: "run the command in the server's folder, or name its configuration with --config FILE",
    });
  }
  return result;
}

/**
 * All paths of an installation that is there.
 *
 * @throws {ConfigError} or {UsageError} when one of them was named and is missing.
 */
export async function existingPaths(flags: PathValues, io: Io): Promise<ServerPaths> {
  return await pathsBy((form) =>
    form === FORMS.log ? named(form, flags, io.env).path : existing(form, flags, io.env)
  );
}

/**
 * All paths of a server, which creates what is missing in folders that are there.
 *
 * @throws {ConfigError} or {UsageError} when the folder of one that was named is missing.
 */
export async function creatablePaths(flags: PathValues, io: Io): Promise<ServerPaths> {
  return await pathsBy(async (form) => {
    const { path, fail } = named(form, flags, io.env);
    const folder = dirname(path);
    if (fail !== undefined && await stateOf(folder) !== undefined) {
      throw fail(`there is no folder ${folder}`, "create the folder first, or correct the path");
    }
    return path;
  });
}

async function pathsBy(find: (form: PathForm) => string | Promise<string>): Promise<ServerPaths> {
  return {
    config: await find(FORMS.config),
    modulesConfig: await find(FORMS.modulesConfig),
    modules: await find(FORMS.modules),
    log: await find(FORMS.log),
  };
}

async function existing(form: PathForm, flags: PathValues, env: Io["env"]): Promise<string> {
  const { path, fail } = named(form, flags, env);
  const state = fail && await stateOf(path);
  if (fail !== undefined && state !== undefined) throw fail(state);
  return path;
}

/** Why nothing can be found at a path; `undefined` when something can. */
async function stateOf(path: string): Promise<string | undefined> {
  try {
    await Deno.stat(path);
    return undefined;
  } catch (error) {
    // What may not be read is reported by whatever reads it, with the remedy.
    return error instanceof Deno.errors.NotFound ? reasonOf(error) : undefined;
  }
}

/** An absolute path; with the error for a problem of it where it was named. */
interface NamedPath {
  readonly path: string;
  readonly fail?: (state: string, hint?: string) => Error;
}

function named(
  { flag, variable = "", fallback }: PathForm,
  flags: PathValues,
  env: Io["env"],
): NamedPath {
  const byFlag = flags[flag];
  const text = byFlag ?? env[variable];
  if (text === undefined) return { path: resolve(fallback) };
  const name = byFlag === undefined ? `${variable} =` : `--${flag}`;
  const parsed = PATH.parse(text);
  if (!("value" in parsed)) {
    const state = `Cannot use ${name} ${refusal(PATH, text, parsed)}`;
    throw byFlag === undefined ? new ConfigError(state) : new UsageError(state);
  }
  const path = parsed.value;
  const fail = (state: string, hint?: string): Error =>
    new ConfigError(`Cannot use ${name} ${path}: ${state}`, hint === undefined ? {} : { hint });
  return { path, fail };
}
