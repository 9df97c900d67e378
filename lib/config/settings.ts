/**
 * @module
 * config.ini → typed settings with defaults. One table holds every option: what it is called, what
 * it takes, its default. Paths that do not begin with a slash are relative to the working folder, as in the
 * original.
 */
import { isIP } from "node:net";
import { ConfigError } from "../errors.ts";
import { INI_HINT, type IniFile, type IniOption, readIni } from "./ini.ts";

/** Where the parts of the key store are. */
export interface StorePaths {
  /** Folder of server.key and server.pub. */
  readonly serverFolder: string;
  /** Folder of the client_*.pub files. */
  readonly clientsFolder: string;
  /** File of the secrets, one a line. */
  readonly register: string;
}

/** How many values of each X-Forwarded-* header trusted proxies set; 0 ignores the header. */
export interface ProxySettings {
  readonly forwardedFor: number;
  readonly forwardedHost: number;
  readonly forwardedPort: number;
  readonly forwardedPrefix: number;
  readonly forwardedProto: number;
}

/** What strangers may cost. */
export interface LimitSettings {
  /** Percent of one core for looking for senders among all keys. */
  readonly searchPercent: number;
  /** Strangers' requests a minute for which an address gets a search. */
  readonly failuresPerMinute: number;
}

/** What config.ini says, complete and in range. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly ipAddressTtlSeconds: number;
  readonly requestTtlSeconds: number;
  readonly store: StorePaths;
  readonly proxy: ProxySettings;
  readonly limits: LimitSettings;
}

/** Settings and what was odd about the file but does not stop the start. */
export interface SettingsResult {
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

/** A kind of value: how it is read, and what to tell who got it wrong. */
interface Kind<T> {
  readonly expected: string;
  readonly parse: (text: string) => T | undefined;
}

/** One option of config.ini. */
export interface OptionSpec<T> {
  readonly section: string;
  readonly name: string;
  readonly fallback: T;
  readonly kind: Kind<T>;
}

function wholeNumber(what: string, least: number, most: number): Kind<number> {
  return {
    expected: `a whole number${what} from ${least} to ${most}`,
    parse(text): number | undefined {
      const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
      return value >= least && value <= most ? value : undefined;
    },
  };
}

const PATH: Kind<string> = {
  expected: "a path",
  parse: (text) => text === "" || text.includes("\0") ? undefined : text,
};

const HOST: Kind<string> = {
  expected: "an IP address or a host name",
  parse: (text) =>
    isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text)
      ? text
      : undefined,
};

function option<T>(section: string, name: string, fallback: T, kind: Kind<T>): OptionSpec<T> {
  return { section, name, fallback, kind };
}

const VALUES_COUNT = wholeNumber(" of values", 0, 100);

/** Every option of config.ini. */
export const OPTIONS = {
  host: option("Server", "Host", "0.0.0.0", HOST),
  port: option("Server", "Port", 8000, wholeNumber("", 0, 65535)),
  serverFolder: option("Server", "Keypath", "sec", PATH),
  ipAddressTtl: option("Server", "IPAddressTTL", 300, wholeNumber(" of seconds", 0, 31_536_000)),
  clientsFolder: option("Clients", "Keypath", "sec", PATH),
  register: option("Clients", "Register", "sec/clients.dev", PATH),
  requestTtl: option("Clients", "RequestTTL", 30, wholeNumber(" of seconds", 1, 86400)),
  searchPercent: option("Limits", "SearchPercent", 25, wholeNumber(" of percent", 1, 100)),
  failuresPerMinute: option(
    "Limits",
    "FailuresPerMinute",
    20,
    wholeNumber(" of requests", 1, 1_000_000),
  ),
  forwardedFor: option("Proxy", "ForwardFor", 0, VALUES_COUNT),
  forwardedHost: option("Proxy", "ForwardHost", 0, VALUES_COUNT),
  forwardedPort: option("Proxy", "ForwardPort", 0, VALUES_COUNT),
  forwardedPrefix: option("Proxy", "ForwardPrefix", 0, VALUES_COUNT),
  forwardedProto: option("Proxy", "ForwardProto", 0, VALUES_COUNT),
} as const;

/**
 * Reads config.ini; a missing file gives the defaults.
 *
 * @throws {ConfigError} naming file, section, option, value and what is expected.
 */
export async function readSettings(path: string): Promise<SettingsResult> {
  let file: IniFile = { options: [], faults: [] };
  try {
    file = await readIni(path);
  } catch (error) {
    const isMissing = error instanceof ConfigError && error.cause instanceof Deno.errors.NotFound;
    if (!isMissing) throw error;
  }
  return settingsFrom(file, path);
}

/**
 * Settings from the content of a file; `path` is for messages.
 *
 * @throws {ConfigError} naming file, section, option, value and what is expected.
 */
export function settingsFrom({ options, faults }: IniFile, path: string): SettingsResult {
  const [fault] = faults;
  if (fault !== undefined) {
    throw new ConfigError(`Cannot read ${path}: line ${fault.line} ${fault.state}`, {
      hint: INI_HINT,
    });
  }
  const value = <T>(spec: OptionSpec<T>): T => valueOf(spec, options, path);
  const settings: Settings = {
    host: value(OPTIONS.host),
    port: value(OPTIONS.port),
    ipAddressTtlSeconds: value(OPTIONS.ipAddressTtl),
    requestTtlSeconds: value(OPTIONS.requestTtl),
    store: {
      serverFolder: value(OPTIONS.serverFolder),
      clientsFolder: value(OPTIONS.clientsFolder),
      register: value(OPTIONS.register),
    },
    proxy: {
      forwardedFor: value(OPTIONS.forwardedFor),
      forwardedHost: value(OPTIONS.forwardedHost),
      forwardedPort: value(OPTIONS.forwardedPort),
      forwardedPrefix: value(OPTIONS.forwardedPrefix),
      forwardedProto: value(OPTIONS.forwardedProto),
    },
    limits: {
      searchPercent: value(OPTIONS.searchPercent),
      failuresPerMinute: value(OPTIONS.failuresPerMinute),
    },
  };
  const specs = Object.values(OPTIONS);
  const warnings = options
    .filter((found) => !specs.some((spec) => isOption(spec, found)))
    .map(({ section, name, line }) => `${path} line ${line}: unknown option [${section}] ${name}`);
  return { settings, warnings };
}

/**
 * The value of a `--host` or `--port` flag, by the rules of its option in config.ini.
 *
 * @returns undefined when the text is not such a value; `spec.kind.expected` says what is.
 */
export function parseFlag<T>(spec: OptionSpec<T>, text: string): T | undefined {
  return spec.kind.parse(text);
}

function valueOf<T>(spec: OptionSpec<T>, options: readonly IniOption[], path: string): T {
  const found = options.find((candidate) => isOption(spec, candidate));
  if (found === undefined) return spec.fallback;
  const value = spec.kind.parse(found.value);
  if (value !== undefined) return value;
  const shown = JSON.stringify(found.value.slice(0, 80));
  throw new ConfigError(
    `Cannot read ${path}: [${spec.section}] ${spec.name} = ${shown}, expected ${spec.kind.expected}`,
  );
}

function isOption(spec: { section: string; name: string }, found: IniOption): boolean {
  return found.section === spec.section && found.name === spec.name.toLowerCase();
}
