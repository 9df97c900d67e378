/**
 * @module
 * config.ini → typed settings with defaults. Paths that do not begin with a slash are relative to the
 * working folder, as in the original.
 */
import { join } from "node:path";
import { ConfigError } from "../errors.ts";
import { INI_HINT, type IniFile, type IniOption, readIni } from "./ini.ts";
import { OPTIONS, type OptionSpec, type WallSetting } from "./options.ts";

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

/** What whoever can reach the server may cost. */
export interface LimitSettings {
  /** Percent of one core for looking for senders among all keys. */
  readonly searchPercent: number;
  /** Strangers' requests a minute for which an address gets a search. */
  readonly failuresPerMinute: number;
  readonly bodyBytes: number;
  readonly bodyTimeoutSeconds: number;
  /** In flight at once. */
  readonly requests: number;
  readonly requestsPerAddress: number;
  /** In each table of addresses. */
  readonly addresses: number;
  /** Within the replay window. */
  readonly rememberedRequests: number;
  readonly rememberedEntries: number;
}

/** Where to listen, and how. */
export interface ListenSettings extends ListenAddress {
  /** In place of host and port. */
  readonly socket?: { readonly path: string; readonly mode: number };
  readonly tls?: TlsFiles;
}

/** Certificate and key for TLS, in PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
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
  /** What holds function hosts to their grants. */
  readonly wall: WallSetting;
  /** Whom function hosts run as; the server's own user when absent. */
  readonly user: SystemUser | undefined;
}

/** What config.ini says, complete and in range. */
export interface Settings {
  readonly listen: ListenSettings;
  readonly ipAddressTtlSeconds: number;
  readonly requestTtlSeconds: number;
  readonly store: StorePaths;
  /** Folder for what must outlive a restart. */
  readonly stateFolder: string;
  readonly proxy: ProxySettings;
  readonly limits: LimitSettings;
  readonly functions: FunctionSettings;
  /** Where health and metrics are; nowhere when absent. */
  readonly admin: AdminSettings | undefined;
  readonly logFormat: "text" | "json";
}

/** The admin listener. */
export interface AdminSettings {
  readonly listen: ListenAddress;
  /** Names under which it is called, besides localhost and IP addresses. */
  readonly hosts: readonly string[];
}

/** An IP address and a port; 0 takes a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Settings and what was odd about the file but does not stop the start. */
export interface SettingsResult {
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

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
  const value: Lookup = (spec) => valueOf(spec, options, path);
  const settings: Settings = {
    listen: listenFrom(value, path),
    ipAddressTtlSeconds: value(OPTIONS.ipAddressTtl),
    requestTtlSeconds: value(OPTIONS.requestTtl),
    store: {
      serverFolder: value(OPTIONS.serverFolder),
      clientsFolder: value(OPTIONS.clientsFolder),
      register: value(OPTIONS.register),
    },
    stateFolder: stateFolderFrom(value),
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
      bodyBytes: value(OPTIONS.bodySize),
      bodyTimeoutSeconds: value(OPTIONS.bodyTimeout),
      requests: value(OPTIONS.requests),
      requestsPerAddress: value(OPTIONS.requestsPerAddress),
      addresses: value(OPTIONS.addresses),
      rememberedRequests: value(OPTIONS.rememberedRequests),
      rememberedEntries: value(OPTIONS.rememberedEntries),
    },
    functions: {
      maxHeapMegabytes: value(OPTIONS.maxHeap),
      wall: value(OPTIONS.functionsWall),
      user: parseUser(value(OPTIONS.functionsUser)),
    },
    admin: adminFrom(value),
    logFormat: value(OPTIONS.logFormat),
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

type Lookup = <T>(spec: OptionSpec<T>) => T;

function stateFolderFrom(value: Lookup): string {
  const path = value(OPTIONS.statePath);
  return path === "auto" ? join(value(OPTIONS.serverFolder), "state") : path;
}

function listenFrom(value: Lookup, path: string): ListenSettings {
  const optional = (spec: OptionSpec<string>): string | undefined =>
    value(spec) === "none" ? undefined : value(spec);
  const socket = optional(OPTIONS.socket);
  const mode = parseInt(value(OPTIONS.socketMode), 8);
  const certFile = optional(OPTIONS.certFile);
  const keyFile = optional(OPTIONS.keyFile);
  const refuse = (state: string): never => {
    throw new ConfigError(`Cannot read ${path}: [Server] ${state}`);
  };
  if (certFile === undefined && keyFile !== undefined) refuse("KeyFile is there without CertFile");
  if (certFile !== undefined && keyFile === undefined) refuse("CertFile is there without KeyFile");
  if (socket !== undefined && certFile !== undefined) {
    refuse("has both Socket and CertFile, expected one of them: a Unix socket has no TLS");
  }
  return {
    host: value(OPTIONS.host),
    port: value(OPTIONS.port),
    ...(socket === undefined ? {} : { socket: { path: socket, mode } }),
    ...(certFile === undefined || keyFile === undefined ? {} : { tls: { certFile, keyFile } }),
  };
}

function adminFrom(value: Lookup): AdminSettings | undefined {
  const listen = parseListen(value(OPTIONS.adminListen));
  return listen && { listen, hosts: value(OPTIONS.adminHosts) };
}

function parseListen(text: string): ListenAddress | undefined {
  if (text === "none") return undefined;
  const colon = text.lastIndexOf(":");
  return {
    host: text.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(text.slice(colon + 1)),
  };
}

/** The user of `[Functions] User`; `undefined` for `none`. */
export function parseUser(text: string): SystemUser | undefined {
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
