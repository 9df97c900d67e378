/**
 * @module
 * Gives up the permissions that a running server does not need: after its start it reads
 * configuration, keys and modules, and writes nothing but its log.
 */
import { resolve } from "node:path";

/** The paths that stay in reach. */
export interface KeptPaths {
  readonly read: readonly string[];
  /** Read as well. */
  readonly write: readonly string[];
}

/**
 * Keeps access to the given paths and gives up the rest of the working folder, writing to what is
 * only read, the environment, other programs and native code. Network access stays: the server
 * listens with it, also again after a failure.
 */
export function narrowPermissions(kept: KeptPaths): void {
  const { requestSync, revokeSync } = bindPermissions();
  const read = [...kept.read, ...kept.write].map((path) => resolve(path));
  const write = kept.write.map((path) => resolve(path));
  // Asking for a path inside of a granted folder keeps it granted when that folder is given up.
  for (const path of read) requestSync({ name: "read", path });
  for (const path of write) requestSync({ name: "write", path });
  for (const path of [".", ...kept.read]) revokeSync({ name: "write", path });
  revokeSync({ name: "read", path: "." });
  for (const name of ["env", "run", "ffi", "sys"] as const) revokeSync({ name });
}

function bindPermissions(): Pick<Deno.Permissions, "requestSync" | "revokeSync"> {
  const { permissions } = Deno;
  return {
    requestSync: permissions.requestSync.bind(permissions),
    revokeSync: permissions.revokeSync.bind(permissions),
  };
}
