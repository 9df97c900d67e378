/**
 * @module
 * The permissions of the program as flags, from the one table where they stand. Tests, demo, benchmarks
 * and the executable run with the same; the `serve` and `msp` tasks of deno.json repeat them.
 */
import { permissionFlag, PERMISSIONS } from "../lib/config/permissions.ts";

/** The flags that the program is started with. */
export function programFlags(): string[] {
  const flags = PERMISSIONS.map(({ name, program }) => permissionFlag(name, program));
  return ["--no-prompt", ...flags.filter((flag) => flag !== "")];
}
