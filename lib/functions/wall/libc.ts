/**
 * @module
 * The C library, called through FFI: the few functions that stage 1 of a function host needs, each
 * result checked. FFI is granted for the paths of the C library alone. Such a grant covers calls, but
 * not Deno's pointer operations: data is copied into memory of the C library, and addresses are numbers.
 */
import { getSystemErrorName } from "node:util";
import { FunctionError } from "../../errors.ts";
import { AT_FDCWD, CALLS, O_CLOEXEC } from "./linux.ts";

/** Where distributions keep the C library: Debian, Fedora, Arch, Deno's own Alpine image; Alpine. */
const PATHS: Readonly<Record<"gnu" | "musl", Readonly<Record<string, readonly string[]>>>> = {
  gnu: { x86_64: gnuPaths("x86_64"), aarch64: gnuPaths("aarch64") },
  // Loading a second copy of musl breaks the process: only the path of its program interpreter is safe.
  musl: { x86_64: ["/lib/ld-musl-x86_64.so.1"], aarch64: ["/lib/ld-musl-aarch64.so.1"] },
};

function gnuPaths(arch: string): string[] {
  const folders = [`/lib/${arch}-linux-gnu`, `/usr/lib/${arch}-linux-gnu`];
  folders.push("/lib64", "/usr/lib64", "/usr/lib", "/usr/local/lib");
  return folders.map((folder) => `${folder}/libc.so.6`);
}

/** Every path for which FFI is granted. */
export const LIBC_PATHS: readonly string[] = [
  ...new Set(Object.values(PATHS).flatMap((each) => Object.values(each).flat())),
];

/** A system call failed, or the C library cannot be used. */
export class WallError extends FunctionError {
  /** Name of the system's error, such as ENOENT; absent when the error is not the system's. */
  readonly errorName: string | undefined;

  constructor(message: string, errno = 0) {
    const name = errno === 0 ? undefined : getSystemErrorName(-errno);
    super(name === undefined ? message : `${message}: ${name}`);
    this.errorName = name;
  }
}

const SYMBOLS = {
  getpagesize: { parameters: [], result: "i32" },
  getppid: { parameters: [], result: "i32" },
  getuid: { parameters: [], result: "u32" },
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  getrlimit: { parameters: ["i32", "usize"], result: "i32" },
  setrlimit: { parameters: ["i32", "usize"], result: "i32" },
  signal: { parameters: ["i32", "usize"], result: "isize" },
  execve: { parameters: ["usize", "usize", "usize"], result: "i32" },
  syscall: { parameters: ["isize", "usize", "usize", "usize", "usize", "usize"], result: "isize" },
  malloc: { parameters: ["usize"], result: "usize" },
  copyIn: { name: "memcpy", parameters: ["usize", "buffer", "usize"], result: "usize" },
  copyOut: { name: "memcpy", parameters: ["buffer", "usize", "usize"], result: "usize" },
  errnoAddress: { name: "__errno_location", parameters: [], result: "usize" },
} as const;

/** More than the seven numbers take. */
const STATM_BYTES = 256;

/** The C library of this process. Memory that is copied into it is never freed: stage 1 ends soon. */
export class Libc {
  readonly #call: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>) {
    this.#call = library.symbols;
  }

  /** @throws {WallError} when it is at none of {@link LIBC_PATHS}, or FFI is not granted. */
  static open(): Libc {
    const kind = Deno.build.target.includes("musl") ? "musl" : "gnu";
    let reason = "it is at none of the known paths";
    for (const path of PATHS[kind][Deno.build.arch] ?? []) {
      try {
        return new Libc(Deno.dlopen(path, SYMBOLS));
      } catch (error) {
        if (error instanceof Deno.errors.NotCapable) reason = "FFI is not granted for it";
      }
    }
    throw new WallError(`Cannot open the C library: ${reason}`);
  }

  /** Number of the parent process. */
  get parent(): number {
    return this.#call.getppid();
  }

  /** Number of the user that this process runs as. */
  get user(): number {
    return this.#call.getuid();
  }

  /**
   * Memory that this process can write to, touched or not, as the kernel counts it for RLIMIT_DATA; a
   * page of stack more or less (proc_pid_statm(5)).
   *
   * @throws {WallError}
   */
  get dataBytes(): number {
    const what = "Cannot read the size of the process";
    const { openat, read, close } = CALLS[Deno.build.arch];
    const fd = this.system(what, openat, AT_FDCWD, this.text("/proc/self/statm"), O_CLOEXEC);
    const address = this.copy(new Uint8Array(STATM_BYTES));
    const length = this.system(what, read, fd, address, STATM_BYTES);
    this.system(what, close, fd);
    // size resident shared text lib data dt, in pages
    const pages = Number(new TextDecoder().decode(this.read(address, length)).split(" ")[5]);
    if (!Number.isSafeInteger(pages)) throw new WallError(what);
    return pages * this.#call.getpagesize();
  }

  /** @throws {WallError} */
  prctl(what: string, option: number, ...values: readonly (number | bigint)[]): void {
    const [a = 0, b = 0] = values;
    this.#check(what, this.#call.prctl(option, BigInt(a), BigInt(b), 0n, 0n));
  }

  /**
   * Limits a resource, for good; a lower limit that the server has stays, since it cannot be raised.
   *
   * @throws {WallError}
   */
  limit(what: string, resource: number, most: bigint): void {
    // The soft limit, which counts, and the hard one (getrlimit(2)).
    const limits = new BigUint64Array(2);
    const address = this.copy(new Uint8Array(limits.buffer));
    this.#check(what, this.#call.getrlimit(resource, address));
    this.#call.copyOut(new Uint8Array(limits.buffer), address, 16n);
    const [, hard = most] = limits;
    limits.fill(hard < most ? hard : most);
    this.#call.copyIn(address, new Uint8Array(limits.buffer), 16n);
    this.#check(what, this.#call.setrlimit(resource, address));
  }

  /** @throws {WallError} */
  ignoreSignal(what: string, signal: number): void {
    const SIG_IGN = 1n;
    this.#check(what, Number(this.#call.signal(signal, SIG_IGN)));
  }

  /**
   * Makes a system call.
   *
   * @returns what the kernel returns, when that is not an error.
   * @throws {WallError}
   */
  system(what: string, number: number, ...values: readonly (number | bigint)[]): number {
    const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n] = values.map((value) =>
      BigInt.asUintN(64, BigInt(value))
    );
    return this.#check(what, Number(this.#call.syscall(BigInt(number), a, b, c, d, e)));
  }

  /** Address of a copy of these bytes. */
  copy(bytes: Uint8Array<ArrayBuffer>): bigint {
    const address = this.#call.malloc(BigInt(bytes.length));
    if (address === 0n) throw new WallError("Cannot get memory");
    this.#call.copyIn(address, bytes, BigInt(bytes.length));
    return address;
  }

  /** Address of a copy of a text, with a zero at its end. */
  text(text: string): bigint {
    return this.copy(new TextEncoder().encode(`${text}\0`));
  }

  /** What is at an address. */
  read(address: bigint, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    this.#call.copyOut(bytes, address, BigInt(length));
    return bytes;
  }

  /**
   * Becomes another program. Returns only by throwing.
   *
   * @throws {WallError}
   */
  execute(program: string, args: readonly string[], env: readonly string[]): never {
    const list = (texts: readonly string[]): bigint => {
      const addresses = new BigUint64Array([...texts.map((each) => this.text(each)), 0n]);
      return this.copy(new Uint8Array(addresses.buffer));
    };
    const result = this.#call.execve(this.text(program), list([program, ...args]), list(env));
    this.#check(`Cannot start ${program}`, result);
    throw new WallError(`Cannot start ${program}`);
  }

  #check(what: string, result: number): number {
    if (result !== -1) return result;
    const [errno] = new Int32Array(this.read(this.#call.errnoAddress(), 4).buffer);
    throw new WallError(what, errno);
  }
}
