/**
 * @module
 * Stage 2 of a check of the wall: tries what a function host must not do, and tells what the kernel
 * refused. It asks the kernel directly, since the runtime would refuse it first.
 */
import { landlockAbi } from "./landlock.ts";
import { Libc, WallError } from "./libc.ts";

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
}

/** asm/unistd_64.h, asm-generic/unistd.h */
const CALLS = {
  x86_64: { openat: 257, socket: 41, kill: 62 },
  aarch64: { openat: 56, socket: 198, kill: 129 },
} as const;
const AT_FDCWD = -100;
const O_CLOEXEC = 0x80000;
const AF_INET = 2;
const SOCK_DGRAM = 2;

/**
 * Tries.
 *
 * @throws {WallError} when the C library cannot be opened.
 */
export function checkWall(): WallCheck {
  const libc = Libc.open();
  const calls = CALLS[Deno.build.arch];
  const isRefused = (call: number, ...values: readonly (number | bigint)[]): boolean => {
    try {
      libc.system("", call, ...values);
      return false;
    } catch (error) {
      return error instanceof WallError && ["EACCES", "EPERM"].includes(error.errorName ?? "");
    }
  };
  return {
    abi: landlockAbi(libc),
    files: isRefused(calls.openat, AT_FDCWD, libc.text("/"), O_CLOEXEC),
    sockets: isRefused(calls.socket, AF_INET, SOCK_DGRAM),
    // Signal 0 only asks whether it would be allowed.
    signals: isRefused(calls.kill, libc.parent, 0),
  };
}
