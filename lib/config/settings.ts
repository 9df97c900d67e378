/**
 * @module
 * config.ini → typed settings. The command line overrides the environment, the environment overrides the
 * file, the file overrides the default. Relative paths start at the working folder.
 */
import { join } from "node:path";
import { ConfigError, MspError, UsageError } from "../errors.ts";
import { suggestion } from "../suggest.ts";
import { INI_HINT, type IniFile, type IniOption, readIni } from "./ini.ts";
import { type ListenAddress, type RedisAddress, refusal } from "./kinds.ts";
import {
  allOptions,
  isSpec,
  OPTIONS,
  type OptionSpec,
  type OptionTree,
  type ValuesOf,
} from "./options.ts";

/** Final values of options. */
export type { ListenAddress, RedisAddress, SystemUser } from "./kinds.ts";
export type { OnRedisFailure } from "./options.ts";

type Values = ValuesOf<typeof OPTIONS>;

/** Everything that config.ini says, complete and in range. Names, units and meanings: {@link OPTIONS}. */
export type Settings = Omit<Values, "listen" | "admin" | "stateFolder" | "cluster"> & {
  readonly listen: ListenSettings;
  /** Folder for what must outlive a restart. */
  readonly stateFolder: string;
  /** Where health and metrics are; nowhere when absent. */
  readonly admin: AdminSettings | undefined;
  /** What replicas share; nothing when absent. */
  readonly cluster: ClusterSettings | undefined;
};

/** Absolute paths of the parts of the key store. */
export type StorePaths = Settings["store"];

/** How many values of each X-Forwarded-* header trusted proxies set. */
export type ProxySettings = Settings["proxy"];

/** What anybody who can reach the server may use of it. */
export type LimitSettings = Settings["limits"];

/** Where and how functions run. */
export type FunctionSettings = Settings["functions"];

/** Where to listen, and how. */
export interface ListenSettings extends ListenAddress {
  /** Instead of host and port. */
  readonly socket?: { readonly path: string; readonly mode: number };
  readonly tls?: TlsFiles;
}

/** The admin listener. */
export interface AdminSettings {
  readonly listen: ListenAddress;
  /** Names under which it is called, besides localhost and IP addresses. */
  readonly hosts: readonly string[];
}

/** How replicas of one server share what was accepted. */
export interface ClusterSettings extends Omit<Values["cluster"], "redis"> {
  readonly redis: RedisAddress;
  /** Of the environment; never shown. */
  readonly password: string | undefined;
}

/** Certificate and key for TLS, in PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What overrides the file. */
export interface Overrides {
  /** Options of the command line, by name without `--`. */
  readonly flags?: Readonly<Record<string, string | boolean | undefined>>;
  /** Variables of the environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Settings, and what is odd about the file but does not stop the start. */
export interface SettingsResult {
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

/** Settings with the default in place of each option that cannot be used, and what is wrong. */
export interface InspectedSettings extends SettingsResult {
  readonly faults: readonly MspError[];
}

/**
 * Reads config.ini; a missing file gives the defaults.
 *
 * @throws {ConfigError} naming file, line, option, value and what is expected.
 * @throws {UsageError} the same for an option of the command line.
 */
export async function readSettings(path: string, overrides?: Overrides): Promise<SettingsResult> {
  return settingsFrom(await readIfThere(path), path, overrides);
}

/**
 * Reads config.ini as {@link readSettings} does, and collects every fault.
 *
 * @throws {ConfigError} when the file cannot be read.
 */
export async function inspectSettings(
  path: string,
  overrides?: Overrides,
): Promise<InspectedSettings> {
  return parseSettings(await readIfThere(path), path, overrides);
}

/**
 * Settings from the content of a file; `path` is for messages.
 *
 * @throws {ConfigError} or {UsageError} for the first fault.
 */
export function settingsFrom(
  file: IniFile,
  path: string,
  overrides?: Overrides,
): SettingsResult {
  const { faults: [fault, ...others], ...result } = parseSettings(file, path, overrides);
  if (fault === undefined) return result;
  if (others.length === 0 || fault.hint !== undefined || fault instanceof UsageError) throw fault;
  throw new ConfigError(fault.message, { hint: "msp doctor lists every fault of the file" });
}

function parseSettings(
  file: IniFile,
  path: string,
  { flags = {}, env = {} }: Overrides = {},
): InspectedSettings {
  const faults: MspError[] = file.faults.map(({ line, state }) =>
    new ConfigError(`Cannot read ${path}: line ${line} ${state}`, { hint: INI_HINT })
  );
  const valueOf = (spec: OptionSpec<unknown>): unknown => {
    // What is overridden must be right too: it counts again without the override.
    const values = sourcesOf(spec, { file, path, flags, env }).flatMap(({ text, fault }) => {
      const parsed = spec.kind.parse(text);
      if ("value" in parsed) return [parsed.value];
      faults.push(fault(refusal(spec.kind, text, parsed)));
      return [];
    });
    return values[0];
  };
  // The one place where the table becomes its type.
  const values = mapTree(OPTIONS, valueOf) as Values;
  const refuse = (state: string): void =>
    void faults.push(new ConfigError(`Cannot read ${path}: [Server] ${state}`));
  const listen = listenFrom(values.listen, flags, refuse);
  const known = allOptions();
  const warnings = file.options
    .filter((found) => !known.some((spec) => isOption(spec, found)))
    .map(({ section, name, line }) => {
      const meant = suggestOption(known, { section, name });
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      return `${path}: line ${line}: unknown option [${section}] ${name}${hint}`;
    });
  const admin = values.admin.listen && { ...values.admin, listen: values.admin.listen };
  const { stateFolder = join(values.store.serverFolder, "state") } = values;
  const { redis } = values.cluster;
  const cluster = redis && { ...values.cluster, redis, password: env["MSP_REDIS_PASSWORD"] };
  return { settings: { ...values, listen, admin, stateFolder, cluster }, warnings, faults };
}

async function readIfThere(path: string): Promise<IniFile> {
  try {
    return await readIni(path);
  } catch (error) {
    const isMissing = error instanceof ConfigError && error.cause instanceof Deno.errors.NotFound;
    if (!isMissing) throw error;
    return { options: [], faults: [] };
  }
}

/** A text for an option, and the error that says that it cannot be used. */
interface Source {
  readonly text: string;
  readonly fault: (refusal: string) => MspError;
}

/** Texts for an option, the one that counts first; the default is last. */
function sourcesOf(
  spec: OptionSpec<unknown>,
  { file, path, flags, env }: Required<Overrides> & { file: IniFile; path: string },
): Source[] {
  const sources: Source[] = [];
  const { section, name, flag = "", variable = "", fallback } = spec;
  const flagText = flags[flag];
  if (typeof flagText === "string") {
    const fault = (text: string): MspError => new UsageError(`Cannot use --${flag} ${text}`);
    sources.push({ text: flagText, fault });
  }
  const variableText = env[variable];
  if (variableText !== undefined) {
    const fault = (text: string): MspError => new ConfigError(`Cannot use ${variable} = ${text}`);
    sources.push({ text: variableText, fault });
  }
  const found = file.options.find((each) => isOption(spec, each));
  if (found !== undefined) {
    const place = `${path}: line ${found.line}: [${section}] ${name}`;
    const fault = (text: string): MspError => new ConfigError(`Cannot read ${place} = ${text}`);
    sources.push({ text: found.value, fault });
  }
  const fault = (text: string): MspError => new ConfigError(`Cannot use ${name} = ${text}`);
  return [...sources, { text: fallback, fault }];
}

function mapTree(tree: OptionTree, valueOf: (spec: OptionSpec<unknown>) => unknown): unknown {
  const pairs = Object.entries(tree).map(([key, each]) =>
    [key, isSpec(each) ? valueOf(each) : mapTree(each, valueOf)] as const
  );
  return Object.fromEntries(pairs);
}

/** Puts together the options that only make sense together. */
function listenFrom(
  { host, port, socket: path, socketMode: mode, certFile, keyFile }: Values["listen"],
  flags: Readonly<Record<string, unknown>>,
  refuse: (state: string) => void,
): ListenSettings {
  if (certFile === undefined && keyFile !== undefined) refuse("has KeyFile without CertFile");
  if (certFile !== undefined && keyFile === undefined) refuse("has CertFile without KeyFile");
  if (path !== undefined && certFile !== undefined) {
    refuse("has both Socket and CertFile, expected one of them: a Unix socket has no TLS");
  }
  const isOverridden = flags["host"] !== undefined || flags["port"] !== undefined;
  return {
    host,
    port,
    ...(path === undefined || isOverridden ? {} : { socket: { path, mode } }),
    ...(certFile === undefined || keyFile === undefined ? {} : { tls: { certFile, keyFile } }),
  };
}

/** The option that was probably meant: one with almost this name, or with this name in another section. */
function suggestOption(
  known: readonly { readonly section: string; readonly name: string }[],
  found: Pick<IniOption, "section" | "name">,
): string | undefined {
  const text = ({ section, name }: { section: string; name: string }): string =>
    `[${section}] ${name}`;
  const elsewhere = known.find(({ name }) => name.toLowerCase() === found.name);
  return suggestion(text(found), known.map(text)) ?? (elsewhere && text(elsewhere));
}

function isOption(spec: { section: string; name: string }, found: IniOption): boolean {
  return found.section.toLowerCase() === spec.section.toLowerCase() &&
    found.name === spec.name.toLowerCase();
}
