/**
 * @module
 * Numbers of Linux that several files need.
 */

/** System calls: asm/unistd_64.h, asm-generic/unistd.h. */
export const CALLS = {
  x86_64: { openat: 257, read: 0, close: 3, socket: 41, kill: 62 },
  aarch64: { openat: 56, read: 63, close: 57, socket: 198, kill: 129 },
} as const;
/** A path counts from the working folder (linux/fcntl.h). */
export const AT_FDCWD = -100;
/** A descriptor ends with the program (asm-generic/fcntl.h). */
export const O_CLOEXEC = 0x80000;
