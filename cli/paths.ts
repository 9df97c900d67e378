/**
 * @module
 * Where the files are: an option of the command line overrides the environment, the environment overrides
 * the default.
 */
import { resolve } from "node:path";
import type { ServerPaths } from "../lib/first_start.ts";
import { type Io, type OptionForms, type OptionValues, textOption } from "./command.ts";

/** The flag of every command that works on the key store. */
export const CONFIG_OPTION: OptionForms = { config: { type: "string" } };
/** The flags of commands that work on all of a server. */
export const PATH_OPTIONS: OptionForms = {
  ...CONFIG_OPTION,
  "modules-config": { type: "string" },
  modules: { type: "string" },
  "log-dir": { type: "string" },
};

/** Help text of {@link CONFIG_OPTION}. */
export const CONFIG_DETAILS =
  "  --config FILE          config.ini (MSP_CONFIG_PATH; default config/config.ini)";
/** Help text of {@link PATH_OPTIONS}. */
export const PATH_DETAILS = `${CONFIG_DETAILS}
  --modules-config FILE  modules.ini (MSP_MODCONF_PATH; default config/modules.ini)
  --modules DIR          folder of the modules (default modules)
  --log-dir DIR          folder of the log (MSP_LOGFILE_PATH; default log)`;

/** Path of config.ini. */
export function configPath(values: OptionValues, env: Io["env"]): string {
  return resolve(textOption(values, "config") ?? env["MSP_CONFIG_PATH"] ?? "config/config.ini");
}

/** All paths of a server. */
export function serverPaths(values: OptionValues, env: Io["env"]): ServerPaths {
  return {
    config: configPath(values, env),
    modulesConfig: resolve(
      textOption(values, "modules-config") ?? env["MSP_MODCONF_PATH"] ?? "config/modules.ini",
    ),
    modules: resolve(textOption(values, "modules") ?? "modules"),
    log: resolve(textOption(values, "log-dir") ?? env["MSP_LOGFILE_PATH"] ?? "log"),
  };
}
