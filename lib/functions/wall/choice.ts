/**
 * @module
 * Which wall stands around function hosts, and what it does not hold back.
 */
import type { WallSetting } from "../../config/options.ts";
import type { SystemUser } from "../../config/settings.ts";
import { ConfigError } from "../../errors.ts";
import { listed } from "../../prose.ts";
import type { WallCheck } from "./check.ts";

/** A wall. */
export interface Wall {
  readonly kind: "landlock" | "user" | "none";
  /** Landlock's ABI; 0 without Landlock. */
  readonly abi: number;
  /** Whether system calls are filtered. */
  readonly hasFilter: boolean;
  /** Whether hosts start through stage 1; without it, none of the kernel's means is there. */
  readonly isStaged: boolean;
  /** Whether hosts run as root, as far as that is known. */
  readonly isRoot: boolean;
  /** User of the hosts; the server's own user when absent. */
  readonly user: SystemUser | undefined;
  /** Whether config.ini says that there is to be none. */
  readonly isAccepted: boolean;
  /** Why there is none. */
  readonly reason: string;
}

/** What a choice is made from. */
export interface WallSituation {
  readonly setting: WallSetting;
  readonly user: SystemUser | undefined;
  /** What stage 1 found out, as the functions' user; or why it could not. */
  readonly check: WallCheck | string;
}

const NO_LANDLOCK = "this kernel has no Landlock (Linux 5.13 or newer, and switched on)";

/**
 * Chooses a wall.
 *
 * @throws {ConfigError} when config.ini asks for one that cannot be had.
 */
export function chooseWall({ setting, user, check }: WallSituation): Wall {
  const isStaged = typeof check !== "string";
  const hasLandlock = isStaged && check.abi > 0 && check.files;
  const reason = isStaged ? NO_LANDLOCK : check;
  const base = {
    abi: 0,
    hasFilter: isStaged && check.sockets && check.signals,
    isStaged,
    isRoot: isStaged && check.isRoot,
    user,
    isAccepted: false,
    reason,
  };
  if (setting === "landlock" && !hasLandlock) throw missing(setting, reason);
  if (setting === "user" && user === undefined) {
    throw missing(setting, "[Functions] User names none");
  }
  if (setting === "none") return { ...base, kind: "none", hasFilter: false, isAccepted: true };
  if (hasLandlock && setting !== "user") return { ...base, kind: "landlock", abi: check.abi };
  return { ...base, kind: user === undefined ? "none" : "user" };
}

function missing(setting: string, reason: string): ConfigError {
  return new ConfigError(`Cannot use [Functions] Wall=${setting}: ${reason}`, {
    hint: "leave Wall out: the server then takes the best wall that it can have",
  });
}

/** Why a function with these grants must not run behind a wall; `undefined` when it may. */
export function refusal(
  { kind, isAccepted, reason }: Wall,
  grants: { readonly write: readonly unknown[]; readonly env: readonly unknown[] },
): { readonly state: string; readonly hint: string } | undefined {
  if (kind !== "none" || isAccepted) return undefined;
  const [name] = Object.entries({ Write: grants.write, Env: grants.env })
    .flatMap(([option, values]) => values.length > 0 ? [option] : []);
  if (name === undefined) return undefined;
  return {
    state: `${name} needs a wall around functions, and ${reason}`,
    hint: "to run it without one, write Wall=none in [Functions] of config.ini",
  };
}

/** Which wall it is, and what it does not hold back. */
export function describeWall(wall: Wall): string {
  const { kind, abi, hasFilter, user, isRoot } = wall;
  const parts = [
    ...kind === "landlock" ? [`Landlock (ABI ${abi})`] : [],
    ...user === undefined ? [] : [`user ${user.uid}:${user.gid}`],
    ...hasFilter ? ["a filter of system calls"] : [],
  ];
  const how = kind === "none" ? "without a wall" : `behind ${listed(parts)}`;
  const who = isRoot ? "; they run as root: name another user in [Functions] User" : "";
  return `functions run ${how}; not held: ${notHeld(wall).join(", ")}${who}`;
}

/** What functions can do in spite of the wall, beyond their grants. */
function notHeld({ kind, abi, hasFilter }: Wall): string[] {
  const isLandlock = kind === "landlock";
  return [
    "CPU time",
    "memory between checks",
    "file metadata",
    ...isLandlock ? [] : ["files that the user of their process may use"],
    ...isLandlock && abi < 3 ? ["emptying files that they may read"] : [],
    ...isLandlock && abi < 4 || !isLandlock && hasFilter ? ["TCP ports of functions with Net"] : [],
    ...hasFilter ? ["UDP of functions with Net"] : [
      isLandlock && abi >= 4 ? "every network but TCP" : "the network",
      ...isLandlock && abi >= 6 ? [] : ["signals to processes of their user"],
      "modes and owners of files",
    ],
  ];
}
