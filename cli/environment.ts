/**
 * @module
 * The variables of the environment that the program reads.
 */
import { ConfigError } from "../lib/errors.ts";

/** One variable; docs/configuration.md is written from the table. */
export interface VariableSpec {
  readonly name: string;
  readonly fallback: string;
  readonly meaning: string;
}

/** Every variable. */
export const ENVIRONMENT: readonly VariableSpec[] = [
  {
    name: "MSP_CONFIG_PATH",
    fallback: "config/config.ini",
    meaning: "config.ini; `--config` overrides it",
  },
  {
    name: "MSP_MODCONF_PATH",
    fallback: "config/modules.ini",
    meaning: "modules.ini; `--modules-config` overrides it",
  },
  {
    name: "MSP_LOGFILE_PATH",
    fallback: "log",
    meaning: "folder of the log; `--log-dir` overrides it",
  },
  {
    name: "MSP_LOGLEVEL",
    fallback: "INFO",
    meaning: "DEBUG, INFO, WARNING, ERROR or CRITICAL",
  },
  {
    name: "MSP_MAXLOGS",
    fallback: "5",
    meaning: "rotated files of 10 MiB that are kept beside `latest.log`",
  },
  {
    name: "MSP_PROFILE",
    fallback: "the only profile",
    meaning: "profile that `call`, `describe`, `types` and `mcp` use without a name",
  },
  {
    name: "MSP_FUNCTIONS_USER",
    fallback: "none",
    meaning:
      "user and group of function processes, UID:GID; `--functions-user` overrides it, and it overrides " +
      "`[Functions] User`",
  },
  {
    name: "MSP_STATEPATH",
    fallback: "auto",
    meaning: "folder of the server's state; it overrides `[Server] Statepath`",
  },
  {
    name: "MSP_REDIS_PASSWORD",
    fallback: "none",
    meaning: "password for `[Cluster] Redis`; it overrides `[Cluster] PasswordFile`",
  },
];

/**
 * The values of the variables; an empty one counts as absent.
 *
 * @throws {ConfigError} for a value that is not UTF-8 text.
 */
export function readEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(ENVIRONMENT.map(({ name }) => {
    try {
      return [name, Deno.env.get(name) || undefined];
    } catch (error) {
      throw new ConfigError(`Cannot use ${name}: its value is not UTF-8 text`, { cause: error });
    }
  }));
}
