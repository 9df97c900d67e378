/**
 * @module
 * Resource limits of a function host, by their numbers in asm-generic/resource.h, which x86-64 and
 * arm64 share.
 */

/** A limit that a process cannot raise again. */
export interface ResourceLimit {
  readonly name: keyof typeof RESOURCES;
  readonly most: number;
  /** Counted from what stage 1 uses: the host is the same program, and starts with as much. */
  readonly isGrowth?: true;
}

/** Resources by name. */
export const RESOURCES = { FSIZE: 1, DATA: 2, CORE: 4, NPROC: 6, NOFILE: 7 } as const;

/** What limits depend on. */
export interface LimitedHost {
  /** Largest file that it may write; 0 when it may write none. */
  readonly maxFileBytes: number;
  /** Workers. */
  readonly workers: number;
  /** Whether it runs as a user of its own: processes are counted by user. */
  readonly hasOwnUser: boolean;
  /** Memory that it may take beyond its start, where nothing in it could watch that. */
  readonly maxGrowthBytes?: number;
}

/** Descriptors for the runtime, and for files and connections that functions have open. */
const FILES = 1024;
const FILES_PER_WORKER = 64;
/**
 * The kernel counts what a process may write to, touched or not: stacks of the runtime's 32 threads for
 * files and names (2 MB each), and what its memory allocators hold back.
 */
const UNTOUCHED_BYTES = 128 * 1024 * 1024;
/** Processes and threads of all hosts of the functions' user together. */
const PROCESSES = 4096;

/** The limits of a host. */
export function resourceLimits(host: LimitedHost): ResourceLimit[] {
  const { maxGrowthBytes: growth } = host;
  return [
    { name: "CORE", most: 0 },
    { name: "FSIZE", most: host.maxFileBytes },
    { name: "NOFILE", most: FILES + FILES_PER_WORKER * host.workers },
    ...growth === undefined
      ? []
      : [{ name: "DATA", most: growth + UNTOUCHED_BYTES, isGrowth: true } as const],
    ...host.hasOwnUser ? [{ name: "NPROC", most: PROCESSES } as const] : [],
  ];
}
