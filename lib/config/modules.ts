/**
 * @module
 * modules.ini → which function comes from which module, what it may touch and what it may take. A
 * wrong entry costs only its own function.
 */
import { suggestion } from "../suggest.ts";
import { type IniFile, type IniOption, readIni } from "./ini.ts";
import {
  choice,
  type Kind,
  kindOf,
  listOf,
  type Parsed,
  PATH,
  refusal,
  wholeNumber,
} from "./kinds.ts";
import { MAX_HEAP } from "./options.ts";

/** An option of a function's section. */
export interface FunctionOptionSpec<T> {
  readonly name: string;
  readonly kind: Kind<T>;
  readonly fallback: T;
  /** The default for docs/modules.md. */
  readonly shownFallback: string;
  /** What it does, and for a limit what happens there. */
  readonly meaning: string;
}

function option<T>(
  name: string,
  kind: Kind<T>,
  fallback: T,
  meaning: string,
  shownFallback = `\`${fallback}\``,
): FunctionOptionSpec<T> {
  return { name, kind, fallback, meaning, shownFallback };
}

function grant(name: string, kind: Kind<readonly string[]>, meaning: string): GrantSpec {
  return option(name, kind, [], meaning, "nothing");
}
type GrantSpec = FunctionOptionSpec<readonly string[]>;

const NET_TARGET =
  /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)(?::(\d{1,5}))?$/;
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

const PATHS = listOf("paths, separated by commas", PATH);
const NET = listOf(
  "hosts such as api.example.org:443, separated by commas, or * for every host",
  kindOf("a host", (text) => {
    const [target, port = "1"] = NET_TARGET.exec(text) ?? [];
    return text === "*" || target !== undefined && Number(port) <= 65535 ? text : undefined;
  }),
);
/** Variables that no function gets. */
const SERVER_SECRETS = ["MSP_REDIS_PASSWORD"];
const ENV = listOf(
  "names of variables, separated by commas",
  {
    expected: "a name",
    parse(text): Parsed<string> {
      if (!ENV_NAME.test(text)) return { note: undefined };
      return SERVER_SECRETS.includes(text)
        ? { note: `${text} is a secret of the server` }
        : { value: text };
    },
  },
);

/** What a function may touch beyond its own modules folder. */
const GRANTS = {
  read: grant("Read", PATHS, "Files and folders that it may read."),
  /** Reading these is granted with it. */
  write: grant("Write", PATHS, "Files and folders that it may read and write."),
  /** `host`, `host:port`, or `*` for every host. */
  net: grant("Net", NET, "Hosts that it may connect to, and addresses that it may listen on."),
  env: grant("Env", ENV, "Variables of the server's environment that it may read."),
} as const;

/** What a function may use, and how it runs. */
const LIMITS = {
  timeoutSeconds: option(
    "Timeout",
    wholeNumber("seconds", 1, 3600),
    10,
    "Time for one call. Then the caller is refused and `signal` aborts.",
  ),
  /** Workers. */
  instances: option(
    "Instances",
    wholeNumber("workers", 1, 64),
    1,
    "Workers of the function. A call goes to the least busy one.",
  ),
  /** Calls that wait or run at the same time. */
  queueLimit: option(
    "Queue",
    wholeNumber("calls", 1, 65_536),
    256,
    "Calls that wait or run at the same time. At the limit, new calls are refused at once.",
  ),
  maxResultBytes: option(
    "MaxResult",
    wholeNumber("bytes", 1, 67_108_864),
    1_048_576,
    "Size of a result. The call fails if its result is larger.",
  ),
  /** Of a file that it writes. */
  maxFileMegabytes: option(
    "MaxFile",
    wholeNumber("megabytes", 1, 1_000_000),
    1024,
    "Size of a file that it writes. Writing beyond it fails.",
  ),
  /** Of the arguments of a call. */
  maxParamsBytes: option(
    "MaxParams",
    wholeNumber("bytes", 2, 1_048_576),
    1_048_576,
    "Size of the arguments of a call, as JSON. A call with larger ones is refused. `[Limits] BodySize` " +
      "limits them as well.",
  ),
  /** Whether it is told the name of its caller. */
  tellsCaller: option(
    "Caller",
    choice({ none: false, name: true }),
    false,
    "`name` tells the function which client calls: `call.client` is the name in the client's file.",
    "`none`",
  ),
  process: option<"shared" | "own" | undefined>(
    "Process",
    choice<"shared" | "own">({ shared: "shared", own: "own" }),
    undefined,
    "`own` gives the function a process to itself. Functions in the `shared` process must trust each " +
      "other. A function with a grant always has a process of its own.",
    "own with grants, else shared",
  ),
  /** Of its own process; what config.ini says when absent. */
  maxHeapMegabytes: option<number | undefined>(
    "MaxHeap",
    MAX_HEAP,
    undefined,
    "Memory that its own process may use beyond its size at the start; needs `Process=own`. Beyond " +
      "it, the process is replaced.",
    "that of config.ini",
  ),
} as const;

/** Every option of a function's section. A new one is one entry in a table above. */
export const FUNCTION_OPTIONS = { ...GRANTS, ...LIMITS } as const;

type ValuesOf<T> = {
  readonly [K in keyof T]: T[K] extends FunctionOptionSpec<infer V> ? V : never;
};

/** What a function may touch beyond its own modules folder. */
export type Grants = ValuesOf<typeof GRANTS>;

/** A function as modules.ini describes it. */
export interface FunctionConfig extends Omit<ValuesOf<typeof LIMITS>, "process"> {
  /** Folded to lower case. */
  readonly functionName: string;
  /** A file name in the modules folder, without its ending. */
  readonly moduleName: string;
  readonly grants: Grants;
  /** Whether it is alone in its process. */
  readonly hasOwnProcess: boolean;
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

/** Longest function name in UTF-8, on the wire too. */
export const MAX_NAME_BYTES = 255;

const SECTION = "modules";
const MODULE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

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
  const named = options.filter(isNaming)
    .filter((each) => {
      const warning = nameWarning(each);
      if (warning !== undefined) warnings.push(`${path}: line ${each.line}${warning}; skipped`);
      return warning === undefined;
    });
  const isOwn = (name: string, { section }: IniOption): boolean =>
    section.toLowerCase() === name && name !== SECTION;
  for (const each of options) {
    if (isNaming(each) || named.some(({ name }) => isOwn(name, each))) continue;
    warnings.push(
      `${path}: line ${each.line} is in the section [${each.section}], which is not that of a function`,
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

/** Whether an option gives a function its module. */
function isNaming({ section }: IniOption): boolean {
  return section.toLowerCase() === SECTION;
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
  const valueOf = (spec: FunctionOptionSpec<unknown>): unknown => {
    const found = options.find(({ name }) => name === spec.name.toLowerCase());
    if (found === undefined) return spec.fallback;
    const parsed = spec.kind.parse(found.value);
    if ("value" in parsed) return parsed.value;
    fault ??= `line ${found.line}: ${spec.name} = ${refusal(spec.kind, found.value, parsed)}`;
    return spec.fallback;
  };
  const grants = valuesOf(GRANTS, valueOf);
  const { process = hasGrants(grants) ? "own" : "shared", ...limits } = valuesOf(LIMITS, valueOf);
  const hasOwnProcess = process === "own";
  const config: FunctionConfig = { functionName, moduleName, grants, ...limits, hasOwnProcess };
  const known = Object.values(FUNCTION_OPTIONS).map(({ name }) => name);
  const knownNames = known.map((name) => name.toLowerCase());
  const warnings = options.filter(({ name }) => !knownNames.includes(name))
    .map(({ section, name, line }) => {
      const meant = suggestion(name, known);
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      return `line ${line}: unknown option [${section}] ${name}${hint}`;
    });
  if (hasGrants(grants) && !hasOwnProcess) {
    fault ??=
      `[${functionName}] has a grant, and Process=shared is for functions without: leave it out`;
  }
  if (config.maxHeapMegabytes !== undefined && !hasOwnProcess) {
    fault ??= `[${functionName}] MaxHeap needs Process=own: other functions share the process`;
  }
  return { config, warnings, ...(fault === undefined ? {} : { fault }) };
}

/** The one place where a table becomes its type. */
function valuesOf<T extends Readonly<Record<string, FunctionOptionSpec<unknown>>>>(
  specs: T,
  valueOf: (spec: FunctionOptionSpec<unknown>) => unknown,
): ValuesOf<T> {
  const pairs = Object.entries(specs).map(([key, spec]) => [key, valueOf(spec)] as const);
  return Object.fromEntries(pairs) as ValuesOf<T>;
}
