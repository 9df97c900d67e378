/**
 * @module
 * The permissions of the program as flags, from the one table where they stand. Tests, demo, benchmarks
 * and the executable run with the same; the `serve` and `msp` tasks of deno.json repeat them. The `serve`
 * task has those of the server only.
 */
import { permissionFlag, PERMISSIONS } from "../lib/config/permissions.ts";

/** Where the program runs: on this machine from the sources, or on a system as an executable. */
export type Place = "here" | "linux" | "elsewhere";

/** Flags for all commands, or for the server alone. */
export interface FlagOptions {
  readonly isServerOnly?: boolean;
}

/**
 * The flags that the program is started with. Linux has a path that is the running program, whatever its
 * name and place. Other systems need the path itself, which only a program that runs already has: an
 * executable for them may start any program. Function processes give up the right before they load one.
 */
export function programFlags(
  place: Place = "here",
  { isServerOnly = false }: FlagOptions = {},
): string[] {
  const flags = PERMISSIONS.map(({ name, program, client = [] }) => {
    if (typeof program === "boolean") return permissionFlag(name, program);
    if (name !== "run" || place === "linux") {
      return permissionFlag(name, [...program, ...isServerOnly ? [] : client]);
    }
    if (place === "elsewhere") return permissionFlag(name, true);
    return permissionFlag(name, Deno.build.os === "linux" ? program : [Deno.execPath()]);
  });
  return ["--no-prompt", ...flags.filter((flag) => flag !== "")];
}
