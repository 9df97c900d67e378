/**
 * @module
 * What the kernel holds back: what it offers, and a check of the wall from inside. Stage 1, once it is
 * held, tries what a function host must not do. It asks the kernel directly, since the runtime would
 * refuse it first.
 */
import { landlockAbi } from "./landlock.ts";
import { type Libc, WallError } from "./libc.ts";
import { AT_FDCWD, CALLS, O_CLOEXEC } from "./linux.ts";
import type { StagePolicy } from "./policy.ts";
import { PR_SET_SECCOMP, SECCOMP_MODE_FILTER } from "./seccomp.ts";

/** What the kernel holds back from a function host. */
export interface WallCheck {
  /** Landlock's ABI; 0 when there is none. */
  readonly abi: number;
  /** Files that were not granted. */
  readonly files: boolean;
  /** Sockets of every kind, for hosts without network. */
  readonly sockets: boolean;
  /** Signals to other processes. */
  readonly signals: boolean;
  /** Whether it runs as root, whose files it may use as far as the wall allows. */
  readonly isRoot: boolean;
}

const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_DGRAM = 2;

/** What the kernel offers; nothing is tried, and nothing is held afterwards. */
export function surveyWall(libc: Libc): WallCheck {
  const abi = landlockAbi(libc);
  const hasFilters = offersFilters(libc);
  return {
    abi,
    files: abi > 0,
    sockets: hasFilters,
    signals: hasFilters,
    isRoot: libc.user === 0,
  };
}

/** A kernel that has filters looks for one at address 0; one that has none knows no such mode. */
function offersFilters(libc: Libc): boolean {
  try {
    libc.prctl("", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0);
    return false;
  } catch (error) {
    return error instanceof WallError && error.errorName === "EFAULT";
  }
}

/** Tries, in the thread that is held as a host without grants is. */
export function checkWall(libc: Libc): WallCheck {
  return {
    abi: landlockAbi(libc),
    files: refusesFiles(libc),
    sockets: refusesSockets(libc, AF_INET),
    signals: refusesSignals(libc),
    isRoot: libc.user === 0,
  };
}

/**
 * Tries what no host with this policy may do, in the thread that is held by it.
 *
 * @param abi of Landlock, as it is used
 * @throws {WallError} when the kernel does not refuse it
 */
export function requireWall(libc: Libc, abi: number, { paths, filter }: StagePolicy): void {
  const require = (isRefused: boolean, what: string): void => {
    if (!isRefused) throw new WallError(`Cannot start: the kernel does not refuse ${what}`);
  };
  const hasRoot = paths.some(({ path }) => path === "/");
  if (abi > 0 && !hasRoot) require(refusesFiles(libc), "files that were not granted");
  if (filter === undefined) return;
  require(refusesSockets(libc, filter.hasNetwork ? AF_UNIX : AF_INET), "sockets");
  require(refusesSignals(libc), "signals to the server");
}

function refusesFiles(libc: Libc): boolean {
  return isRefused(libc, "openat", AT_FDCWD, libc.text("/"), O_CLOEXEC);
}

function refusesSockets(libc: Libc, family: number): boolean {
  return isRefused(libc, "socket", family, SOCK_DGRAM);
}

function refusesSignals(libc: Libc): boolean {
  // Signal 0 only asks whether it would be allowed.
  return isRefused(libc, "kill", libc.parent, 0);
}

function isRefused(
  libc: Libc,
  call: keyof typeof CALLS["x86_64"],
  ...values: readonly (number | bigint)[]
): boolean {
  try {
    libc.system("", CALLS[Deno.build.arch][call], ...values);
    return false;
  } catch (error) {
    return error instanceof WallError && ["EACCES", "EPERM"].includes(error.errorName ?? "");
  }
}
