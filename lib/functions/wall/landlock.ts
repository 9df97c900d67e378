/**
 * @module
 * Landlock, the kernel's own sandbox for a process that asks for it: which access rights each version
 * of its interface (ABI) knows, and how rules are handed to the kernel. Source: landlock(7) and
 * Documentation/userspace-api/landlock.rst of Linux 6.15.
 */
import { type Libc, WallError } from "./libc.ts";

/** Access to files, as bits. */
export const FS = {
  execute: 1n << 0n,
  writeFile: 1n << 1n,
  readFile: 1n << 2n,
  readDir: 1n << 3n,
  removeDir: 1n << 4n,
  removeFile: 1n << 5n,
  makeChar: 1n << 6n,
  makeDir: 1n << 7n,
  makeReg: 1n << 8n,
  makeSock: 1n << 9n,
  makeFifo: 1n << 10n,
  makeBlock: 1n << 11n,
  makeSym: 1n << 12n,
  refer: 1n << 13n,
  truncate: 1n << 14n,
  ioctlDev: 1n << 15n,
} as const;

/** Access to TCP ports, as bits. */
export const TCP = { bind: 1n << 0n, connect: 1n << 1n } as const;

/** What a process may not reach outside of its sandbox, as bits. */
const SCOPE = { abstractUnixSocket: 1n << 0n, signal: 1n << 1n } as const;

/** The latest ABI whose rights are used. A later kernel holds at least as much. */
export const LATEST_ABI = 7;

/** What a ruleset refuses unless a rule allows it. */
export interface HandledRights {
  readonly fs: bigint;
  readonly tcp: bigint;
  readonly scope: bigint;
}

/**
 * Everything that an ABI can refuse.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(handledRights(1).fs, 0x1fffn);
 * assert.equal(handledRights(3).tcp, 0n);
 * assert.equal(handledRights(7).fs, 0xffffn);
 * ```
 */
export function handledRights(abi: number): HandledRights {
  let fs = FS.refer - 1n;
  if (abi >= 2) fs |= FS.refer;
  if (abi >= 3) fs |= FS.truncate;
  if (abi >= 5) fs |= FS.ioctlDev;
  return {
    fs,
    tcp: abi >= 4 ? TCP.bind | TCP.connect : 0n,
    scope: abi >= 6 ? SCOPE.abstractUnixSocket | SCOPE.signal : 0n,
  };
}

/** Rights that the kernel accepts for a file that is not a folder. */
const FILE_RIGHTS = FS.execute | FS.writeFile | FS.readFile | FS.truncate | FS.ioctlDev;

const CREATE_RULESET = 444;
const ADD_RULE = 445;
const RESTRICT_SELF = 446;
const GET_VERSION = 1;
const PATH_BENEATH = 1;
const NET_PORT = 2;

/**
 * The ABI of this kernel; 0 when it has no Landlock, or has it switched off.
 *
 * @throws {WallError} when the kernel fails in another way.
 */
export function landlockAbi(libc: Libc): number {
  try {
    return libc.system("Cannot ask for Landlock", CREATE_RULESET, 0, 0, GET_VERSION);
  } catch (error) {
    // Not built in (ENOSYS), switched off (EOPNOTSUPP), or refused by a container (EPERM).
    if (error instanceof WallError) return 0;
    throw error;
  }
}

/** A ruleset that is being made. */
export class Ruleset {
  readonly #libc: Libc;
  readonly #handled: HandledRights;
  readonly #fd: number;

  /** @throws {WallError} when the kernel has no such ABI. */
  constructor(libc: Libc, handled: HandledRights) {
    this.#libc = libc;
    this.#handled = handled;
    const { fs, tcp, scope } = handled;
    // An older kernel accepts only the length that it knows.
    const words = scope !== 0n ? [fs, tcp, scope] : tcp !== 0n ? [fs, tcp] : [fs];
    const bytes = new Uint8Array(new BigUint64Array(words).buffer);
    const what = "Cannot make a Landlock ruleset";
    this.#fd = libc.system(what, CREATE_RULESET, libc.copy(bytes), bytes.length, 0);
  }

  /**
   * Allows access to an opened file or folder and what is below it.
   *
   * @throws {WallError}
   */
  allowPath(path: string, fd: number, rights: bigint, isFolder: boolean): void {
    const allowed = rights & this.#handled.fs & (isFolder ? ~0n : FILE_RIGHTS);
    const rule = new Uint8Array(12);
    const view = new DataView(rule.buffer);
    view.setBigUint64(0, allowed, true);
    view.setInt32(8, fd, true);
    this.#add(`Cannot allow access to ${path}`, PATH_BENEATH, rule);
  }

  /**
   * Allows listening on a TCP port and connecting to it, at any address.
   *
   * @throws {WallError}
   */
  allowPort(port: number): void {
    if (this.#handled.tcp === 0n) return;
    const words = new BigUint64Array([this.#handled.tcp, BigInt(port)]);
    this.#add(`Cannot allow port ${port}`, NET_PORT, new Uint8Array(words.buffer));
  }

  /**
   * Binds this thread, and what it executes, to the rules for good.
   *
   * @throws {WallError}
   */
  restrict(): void {
    this.#libc.system("Cannot enter the Landlock sandbox", RESTRICT_SELF, this.#fd, 0);
  }

  #add(what: string, kind: number, rule: Uint8Array<ArrayBuffer>): void {
    this.#libc.system(what, ADD_RULE, this.#fd, kind, this.#libc.copy(rule), 0);
  }
}
