/**
 * @module
 * config.ini → typed settings with defaults. One table holds every option: what it is called, what
 * it takes, its default. Paths that do not begin with a slash are relative to the working folder, as in the
 * original.
 */
import { isIP } from "node:net";
import { ConfigError } from "../errors.ts";
import { INI_HINT, type IniFile, type IniOption, readIni } from "./ini.ts";
import { type Kind, PATH, wholeNumber } from "./kinds.ts";

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

/** A user and group of the operating system, by their numbers. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** Where and how functions run. */
export interface FunctionSettings {
  /** Megabytes that a function host may use beyond what it has when it is ready. */
  readonly maxHeapMegabytes: number;
  /** Whom function hosts run as; the server's own user when absent. */
  readonly user: SystemUser | undefined;
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
  readonly functions: FunctionSettings;
}

/** Settings and what was odd about the file but does not stop the start. */
export interface SettingsResult {
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

/** One option of config.ini. */
export interface OptionSpec<T> {
  readonly section: string;
  readonly name: string;
  readonly fallback: T;
  readonly kind: Kind<T>;
}

const HOST: Kind<string> = {
  expected: "an IP address or a host name",
  parse: (text) =>
    isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text)
      ? text
      : undefined,
};

const USER: Kind<string> = {
  expected: "none, or the numbers of a user and a group, UID:GID",
  parse: (text) => text === "none" || /^\d{1,9}:\d{1,9}$/.test(text) ? text : undefined,
};

function option<T>(section: string, name: string, fallback: T, kind: Kind<T>): OptionSpec<T> {
  return { section, name, fallback, kind };
}

/** Memory of a function host. */
export const MAX_HEAP: Kind<number> = wholeNumber(" of megabytes", 16, 1_000_000);
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
  maxHeap: option("Functions", "MaxHeap", 512, MAX_HEAP),
  functionsUser: option("Functions", "User", "none", USER),
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
    functions: {
      maxHeapMegabytes: value(OPTIONS.maxHeap),
      user: parseUser(value(OPTIONS.functionsUser)),
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

function parseUser(text: string): SystemUser | undefined {
  if (text === "none") return undefined;
  const [uid = 0, gid = 0] = text.split(":").map(Number);
  return { uid, gid };
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
