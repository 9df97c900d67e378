/**
 * @module
 * The one table of Deno's permissions: what the program is started with, what it gives up once it runs,
 * and what it may hand on to functions. Tasks, executable, function processes and their workers derive
 * theirs from it.
 */
import { resolve } from "node:path";

/** Permissions that a function can be granted. */
export type GrantName = "read" | "write" | "net" | "env";

/** One kind of permission. */
export type PermissionSpec =
  & {
    /** What the server runs with: nothing, everything, or a list. */
    readonly program: readonly string[] | boolean;
    /** What the commands of a client have beside that. All others give it up first. */
    readonly client?: readonly string[];
    /** Whether a running server still needs it. */
    readonly isKept: boolean;
  }
  & (
    | { readonly name: GrantName; readonly isGrantable: true }
    | { readonly name: "run" | "ffi" | "sys" | "import"; readonly isGrantable: false }
  );

/** A server in its working folder, and one in the container; relative paths count from the working folder. */
const PATHS = [".", "/config", "/sec", "/log", "/app/modules", "/run/msp", "/run/msp.sock"];

/** What functions with network read to resolve names. The server watches whether they are replaced. */
export const RESOLVER_FILES: readonly string[] = ["/etc/resolv.conf", "/etc/hosts"];

/**
 * A client's keys and profiles are anywhere: the operating system decides. As a path, because a grant of
 * everything could not be given up in part.
 */
const EVERYWHERE = ["/"];
/** Variables that choose a proxy; Deno reads them in upper and lower case. */
const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]
  .flatMap((name) => [name, name.toLowerCase()]);
/** Variables that say where a user's files are. */
const HOME_VARIABLES = ["HOME", "USERPROFILE", "XDG_CONFIG_HOME"];

/** Every kind of permission that Deno has. */
export const PERMISSIONS: readonly PermissionSpec[] = [
  {
    name: "read",
    program: [...PATHS, ...RESOLVER_FILES],
    client: EVERYWHERE,
    isKept: true,
    isGrantable: true,
  },
  { name: "write", program: PATHS, client: EVERYWHERE, isKept: true, isGrantable: true },
  { name: "net", program: true, isKept: true, isGrantable: true },
  {
    name: "env",
    program: ["MSP_*", "TZ", "DENO_DIR"],
    client: [...HOME_VARIABLES, ...PROXY_VARIABLES],
    isKept: true,
    isGrantable: true,
  },
  // The program starts itself, whatever its name and place, as the process of functions.
  { name: "run", program: ["/proc/self/exe"], isKept: true, isGrantable: false },
  { name: "ffi", program: false, isKept: false, isGrantable: false },
  // For the addresses that msp invite names, and because root changes no key store of another user.
  { name: "sys", program: ["networkInterfaces", "uid"], isKept: false, isGrantable: false },
  { name: "import", program: false, isKept: false, isGrantable: false },
];

/** The flag that grants a kind of permission; empty when it grants nothing. */
export function permissionFlag(
  name: PermissionSpec["name"],
  values: readonly string[] | boolean,
): string {
  // A list cannot hold a value with a comma; everything is granted then.
  if (values === true || values !== false && values.some((each) => each.includes(","))) {
    return `--allow-${name}`;
  }
  return values === false || values.length === 0 ? "" : `--allow-${name}=${values.join(",")}`;
}

/** What a running server works with. */
export interface KeptPaths {
  /** Only read from now on. */
  readonly read: readonly string[];
  /** Written still. */
  readonly write: readonly string[];
}

const { permissions } = Deno;
const query = permissions.querySync.bind(permissions);
const request = permissions.requestSync.bind(permissions);
const revoke = permissions.revokeSync.bind(permissions);

/**
 * Gives up what only the commands of a client need. The rest is what the `serve` task has.
 *
 * In the working folder `/`, the server's own grant of it is the same path, and stays.
 */
export function giveUpClientPermissions(): void {
  for (const { name, client = [] } of PERMISSIONS) {
    for (const value of client) {
      if (name === "env") revoke({ name, variable: value });
      else if (name === "read" || name === "write") {
        if (workingFolder() !== value) revoke({ name, path: value });
      }
    }
  }
}

/** `undefined` when it was removed. */
function workingFolder(): string | undefined {
  try {
    return Deno.cwd();
  } catch {
    return undefined;
  }
}

/**
 * Gives up writing to everything but the given paths, and native code. Reading stays, since grants of
 * functions are checked when modules.ini changes; so do the network, and starting other programs: the
 * one that is permitted is this program itself.
 */
export function narrowPermissions({ read, write }: KeptPaths): void {
  // Asking for a path inside of a granted folder keeps it granted when that folder is given up.
  for (const path of write) request({ name: "write", path: resolve(path) });
  for (const path of [".", ...read]) revoke({ name: "write", path });
  for (const { name, isKept } of PERMISSIONS) {
    if (!isKept) revoke({ name });
  }
}

/**
 * Gives up everything but what is kept. Of a grant of everything, nothing can be kept by a list.
 *
 * @param kept lists, or `true` for all of a kind; nothing of a kind that is not there
 */
export function keepOnly(
  kept: Partial<Readonly<Record<GrantName, readonly string[] | true>>>,
): void {
  for (const { name, program, isGrantable } of PERMISSIONS) {
    const values = isGrantable ? kept[name] ?? [] : [];
    if (values === true) continue;
    if (!isGrantable || values.length === 0 || program === true) {
      revoke({ name });
      continue;
    }
    // Asking for what is granted by a wider grant keeps it when that one is given up.
    for (const value of values) request(descriptor(name, value));
    for (const value of Array.isArray(program) ? program : []) {
      if (!values.includes(value)) revoke(descriptor(name, value));
    }
  }
}

function descriptor(name: GrantName, value: string): Deno.PermissionDescriptor {
  if (name === "env") return { name, variable: value };
  return name === "net" ? { name, host: value } : { name, path: value };
}

/** Whether the program was started with a permission. */
export type IsHeld = (wanted: Deno.PermissionDescriptor) => boolean;

/**
 * What the program may hand on to functions, now and after {@link narrowPermissions}: call it before
 * that.
 */
export function rememberPermissions(): IsHeld {
  const folder = resolve(".");
  const mayWriteFolder = isGranted({ name: "write", path: folder });
  return (wanted) =>
    isGranted(wanted) ||
    wanted.name === "write" && mayWriteFolder && isBelow(resolve(String(wanted.path)), folder);
}

/** A variable of the environment; `undefined` also where the program may not read it. */
export function readHeldEnv(isHeld: IsHeld, variable: string): string | undefined {
  return isHeld({ name: "env", variable }) ? Deno.env.get(variable) : undefined;
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

function isGranted(wanted: Deno.PermissionDescriptor): boolean {
  return query(wanted).state === "granted";
}
