/**
 * @module
 * The permissions of the running server: what it gives up after its start, and what it may hand on to
 * functions.
 */
import { resolve } from "node:path";

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
 * Gives up writing to everything but the given paths, and native code. Reading stays, since grants of
 * functions are checked when modules.ini changes; so do the network, and starting other programs: the
 * one that is permitted is this program itself.
 */
export function narrowPermissions({ read, write }: KeptPaths): void {
  // Asking for a path inside of a granted folder keeps it granted when that folder is given up.
  for (const path of write) request({ name: "write", path: resolve(path) });
  for (const path of [".", ...read]) revoke({ name: "write", path });
  for (const name of ["ffi", "sys"] as const) revoke({ name });
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

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

function isGranted(wanted: Deno.PermissionDescriptor): boolean {
  return query(wanted).state === "granted";
}
