/**
 * @module
 * modules.ini → which function comes from which module, what it may touch and what it may take. A
 * wrong entry costs only its own function.
 */
import { type IniFile, type IniOption, readIni } from "./ini.ts";
import { type Kind, listOf, oneOf, PATH, wholeNumber } from "./kinds.ts";
import { MAX_HEAP } from "./options.ts";

/** What a function may touch beyond its own modules folder. */
export interface Grants {
  readonly read: readonly string[];
  /** Reading these is granted with it. */
  readonly write: readonly string[];
  /** `host`, `host:port`, or `*` for every host. */
  readonly net: readonly string[];
  readonly env: readonly string[];
}

/** A function as modules.ini describes it. */
export interface FunctionConfig {
  /** Folded to lower case. */
  readonly functionName: string;
  /** A file name in the modules folder, without its ending. */
  readonly moduleName: string;
  readonly grants: Grants;
  readonly timeoutSeconds: number;
  /** Workers. */
  readonly instances: number;
  /** Calls that wait or run at the same time. */
  readonly queueLimit: number;
  readonly maxResultBytes: number;
  /** Of a file that it writes. */
  readonly maxFileMegabytes: number;
  /** Of the arguments of a call. */
  readonly maxParamsBytes: number;
  /** Whether it is told the name of its caller. */
  readonly tellsCaller: boolean;
  /** Whether it is alone in its process. */
  readonly hasOwnProcess: boolean;
  /** Of its own process; what config.ini says when absent. */
  readonly maxHeapMegabytes: number | undefined;
}

/** A function whose section cannot be used. */
export interface FunctionConfigFault {
  readonly functionName: string;
  /** Where and what, and what is expected. */
  readonly state: string;
}

/** The usable entries, and what was wrong with the others. */
export interface ModulesResult {
  readonly entries: readonly FunctionConfig[];
  readonly faults: readonly FunctionConfigFault[];
  readonly warnings: readonly string[];
  /** Whether every line could be read: the file is not half written. */
  readonly isWhole: boolean;
}

/** An option of a function's section. */
export interface FunctionOptionSpec<T> {
  readonly name: string;
  readonly fallback: T;
  readonly kind: Kind<T>;
  /** What it does, and for a limit what happens at it. */
  readonly meaning: string;
  /** The default in words, where it depends on something. */
  readonly otherwise?: string;
}

/** Longest function name in UTF-8, on the wire too. */
export const MAX_NAME_BYTES = 255;

const SECTION = "Modules";
const MODULE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const NET_TARGET =
  /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)(?::(\d{1,5}))?$/;
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

const PATHS = listOf("paths, separated by commas", PATH.parse);
const NET = listOf(
  "hosts such as api.example.org:443, separated by commas, or * for every host",
  (text) =>
    text === "*" || Number(NET_TARGET.exec(text)?.[1] ?? 1) <= 65535 && NET_TARGET.test(text)
      ? text
      : undefined,
);
const ENV = listOf(
  "names of variables, separated by commas",
  (text) => ENV_NAME.test(text) ? text : undefined,
);

function option<T>(
  name: string,
  fallback: T,
  kind: Kind<T>,
  meaning: string,
  otherwise?: string,
): FunctionOptionSpec<T> {
  return { name, fallback, kind, meaning, ...otherwise === undefined ? {} : { otherwise } };
}

/** Every option of a function's section. */
export const FUNCTION_OPTIONS = {
  read: option<readonly string[]>("Read", [], PATHS, "Files and folders that it may read."),
  write: option<readonly string[]>(
    "Write",
    [],
    PATHS,
    "Files and folders that it may read and write.",
  ),
  net: option<readonly string[]>(
    "Net",
    [],
    NET,
    "Hosts that it may connect to, and addresses that it may listen on.",
  ),
  env: option<readonly string[]>(
    "Env",
    [],
    ENV,
    "Variables of the server's environment that it may read.",
  ),
  timeout: option(
    "Timeout",
    10,
    wholeNumber("seconds", 1, 3600),
    "Time for one call. Then the caller is refused and `signal` aborts.",
  ),
  instances: option(
    "Instances",
    1,
    wholeNumber("workers", 1, 64),
    "Workers of the function. A call goes to the least busy one.",
  ),
  queue: option(
    "Queue",
    256,
    wholeNumber("calls", 1, 65_536),
    "Calls that wait or run at the same time. At the limit, new calls are refused at once.",
  ),
  maxResult: option(
    "MaxResult",
    1_048_576,
    wholeNumber("bytes", 1, 67_108_864),
    "Size of a result. The call fails if its result is larger.",
  ),
  maxFile: option(
    "MaxFile",
    1024,
    wholeNumber("megabytes", 1, 1_000_000),
    "Size of a file that it writes. Writing beyond it fails.",
  ),
  maxParams: option(
    "MaxParams",
    1_048_576,
    wholeNumber("bytes", 2, 1_048_576),
    "Size of the arguments of a call, as JSON. A call with larger ones is refused. `[Limits] BodySize` " +
      "limits them as well.",
  ),
  caller: option<"none" | "name">(
    "Caller",
    "none",
    oneOf("none", "name"),
    "`name` tells the function which client calls: `call.client` is the name in the client's file.",
  ),
  process: option<"shared" | "own" | undefined>(
    "Process",
    undefined,
    oneOf("shared", "own"),
    "`own` gives the function a process to itself. Functions in a `shared` process must trust each " +
      "other. `Env` needs `own`.",
    "own with grants, else shared",
  ),
  maxHeap: option<number | undefined>(
    "MaxHeap",
    undefined,
    MAX_HEAP,
    "Memory that its own process may use beyond its size at the start; needs `Process=own`. Beyond " +
      "it, the process is replaced.",
    "that of config.ini",
  ),
} as const;

/**
 * Reads modules.ini.
 *
 * @throws {ConfigError} when the file cannot be read.
 */
export async function readModules(path: string): Promise<ModulesResult> {
  return modulesFrom(await readIni(path), path);
}

/** Whether a function may touch anything beyond its own modules folder. */
export function hasGrants({ read, write, net, env }: Grants): boolean {
  return [read, write, net, env].some((list) => list.length > 0);
}

/** Functions from the content of a file; `path` is for messages. */
export function modulesFrom({ options, faults: lineFaults }: IniFile, path: string): ModulesResult {
  const warnings = lineFaults.map(({ line, state }) => `${path}: line ${line} ${state}; skipped`);
  const named = options.filter(({ section }) => section === SECTION)
    .filter((each) => {
      const warning = nameWarning(each);
      if (warning !== undefined) warnings.push(`${path}: line ${each.line}${warning}; skipped`);
      return warning === undefined;
    });
  const isOwn = (name: string, { section }: IniOption): boolean =>
    section !== SECTION && section.toLowerCase() === name;
  for (const each of options) {
    if (each.section === SECTION || named.some(({ name }) => isOwn(name, each))) continue;
    warnings.push(
      `${path}: line ${each.line} is in the section [${each.section}], which is no function's`,
    );
  }
  const entries: FunctionConfig[] = [], faults: FunctionConfigFault[] = [];
  for (const { name, value } of named) {
    const own = options.filter((each) => isOwn(name, each));
    const result = functionConfig(name, value, own);
    warnings.push(...result.warnings.map((text) => `${path}: ${text}`));
    if (result.fault === undefined) entries.push(result.config);
    else faults.push({ functionName: name, state: `${path}: ${result.fault}` });
  }
  return { entries, faults, warnings, isWhole: lineFaults.length === 0 };
}

function nameWarning({ name, value }: IniOption): string | undefined {
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
    return ` has a name of more than ${MAX_NAME_BYTES} bytes`;
  }
  if (MODULE_NAME.test(value)) return undefined;
  return `: ${name} = ${JSON.stringify(value.slice(0, 80))}, expected the name of a file in ` +
    "the modules folder, without its ending";
}

function functionConfig(
  functionName: string,
  moduleName: string,
  options: readonly IniOption[],
): { config: FunctionConfig; fault?: string; warnings: string[] } {
  let fault: string | undefined;
  const value = <T>(spec: FunctionOptionSpec<T>): T => {
    const found = options.find(({ name }) => name === spec.name.toLowerCase());
    if (found === undefined) return spec.fallback;
    const parsed = spec.kind.parse(found.value);
    if (parsed !== undefined) return parsed;
    fault ??= `line ${found.line}: ${spec.name} = ${JSON.stringify(found.value.slice(0, 80))}, ` +
      `expected ${spec.kind.expected}`;
    return spec.fallback;
  };
  const grants: Grants = {
    read: value(FUNCTION_OPTIONS.read),
    write: value(FUNCTION_OPTIONS.write),
    net: value(FUNCTION_OPTIONS.net),
    env: value(FUNCTION_OPTIONS.env),
  };
  const process = value(FUNCTION_OPTIONS.process) ?? (hasGrants(grants) ? "own" : "shared");
  const config: FunctionConfig = {
    functionName,
    moduleName,
    grants,
    timeoutSeconds: value(FUNCTION_OPTIONS.timeout),
    instances: value(FUNCTION_OPTIONS.instances),
    queueLimit: value(FUNCTION_OPTIONS.queue),
    maxResultBytes: value(FUNCTION_OPTIONS.maxResult),
    maxFileMegabytes: value(FUNCTION_OPTIONS.maxFile),
    maxParamsBytes: value(FUNCTION_OPTIONS.maxParams),
    tellsCaller: value(FUNCTION_OPTIONS.caller) === "name",
    hasOwnProcess: process === "own",
    maxHeapMegabytes: value(FUNCTION_OPTIONS.maxHeap),
  };
  const known = Object.values(FUNCTION_OPTIONS).map(({ name }) => name.toLowerCase());
  const warnings = options.filter(({ name }) => !known.includes(name))
    .map(({ section, name, line }) => `line ${line}: unknown option [${section}] ${name}`);
  if (config.maxHeapMegabytes !== undefined && !config.hasOwnProcess) {
    fault ??= `[${functionName}] MaxHeap needs Process=own: other functions share the process`;
  }
  // Functions of one process can read its environment.
  if (grants.env.length > 0 && !config.hasOwnProcess) {
    fault ??= `[${functionName}] Env needs Process=own: other functions share the process`;
  }
  return { config, warnings, ...(fault === undefined ? {} : { fault }) };
}
