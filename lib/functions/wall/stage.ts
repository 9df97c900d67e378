/**
 * @module
 * Stage 1 of a function host, in a process of its own: reads from standard input what the host may
 * do, has the kernel hold it to that, and becomes the host (stage 2) by `execve`. It must become
 * another program, since a sandbox binds one thread and a running runtime has several.
 */
import { writeAll } from "../host/pipes.ts";
import { checkWall, requireWall, surveyWall, type WallCheck } from "./check.ts";
import { FS, handledRights, landlockAbi, LATEST_ABI, Ruleset } from "./landlock.ts";
import { Libc, WallError } from "./libc.ts";
import { RESOURCES } from "./limits.ts";
import { AT_FDCWD, O_CLOEXEC } from "./linux.ts";
import { type PathAccess, type PathRule, readStageInput, type StagePolicy } from "./policy.ts";
import {
  type FilterArch,
  PR_SET_SECCOMP,
  SECCOMP_MODE_FILTER,
  systemCallFilter,
} from "./seccomp.ts";

const PROGRAM = "/proc/self/exe";
/** The runtime reads its memory use there. */
const SELF: PathRule = { path: "/proc/self", access: "read", kind: "system" };

const READ = FS.readFile | FS.readDir;
const RIGHTS: Readonly<Record<PathAccess, bigint>> = {
  read: READ,
  execute: READ | FS.execute,
  device: FS.readFile | FS.writeFile,
  // No links, sockets, pipes and devices: what is there for others stays a file or a folder.
  write: READ | FS.writeFile | FS.truncate | FS.removeDir | FS.removeFile | FS.makeDir |
    FS.makeReg | FS.refer,
};

/** Numbers from linux/prctl.h, linux/openat2.h, asm-generic/fcntl.h and capability.h. */
const PR_SET_PDEATHSIG = 1;
const PR_SET_NO_NEW_PRIVS = 38;
const SIGKILL = 9;
const OPENAT2 = 437;
const CLOSE_RANGE = 436;
const CLOSE_RANGE_CLOEXEC = 4;
const O_PATH = 0x200000;
const RESOLVE_NO_SYMLINKS = 4;
const CAPABILITY_VERSION = 0x20080522;
const CAP_DAC_OVERRIDE = 1;
const BY_ARCH = {
  x86_64: { capget: 125, capset: 126, O_DIRECTORY: 0x10000 },
  aarch64: { capget: 90, capset: 91, O_DIRECTORY: 0x4000 },
} as const;

/**
 * Signals that a host ignores from the start. Those to the whole process group are for the server,
 * which waits for the calls in flight; writing beyond the limit (SIGXFSZ) then only fails.
 */
const IGNORED = { SIGHUP: 1, SIGINT: 2, SIGUSR1: 10, SIGUSR2: 12, SIGTERM: 15, SIGXFSZ: 25 };

/**
 * Becomes the function host that standard input describes. What follows there is the host's.
 *
 * @returns only when there is nothing to become: what the kernel refuses; or nothing, when standard
 * input holds no policy.
 * @throws {WallError} when the kernel refuses a part of it.
 */
export function runStage(): WallCheck | undefined {
  const libc = Libc.open();
  // First: it may wait for its policy.
  for (const [name, signal] of Object.entries(IGNORED)) {
    libc.ignoreSignal(`Cannot ignore ${name}`, signal);
  }
  const policy = readPolicy(libc);
  if (policy === undefined) return undefined;
  libc.prctl("Cannot give up privileges", PR_SET_NO_NEW_PRIVS, 1);
  dropCapabilities(libc);
  libc.prctl("Cannot end with the server", PR_SET_PDEATHSIG, SIGKILL);
  // The server may have ended before that call.
  if (libc.parent !== policy.server) throw new WallError("Cannot start: the server has ended");
  for (const { name, most, isGrowth } of policy.limits) {
    const used = isGrowth ? libc.dataBytes : 0;
    // Counted from nothing, where a kernel does not tell, the limit would end the host at once.
    if (isGrowth && used === 0) continue;
    libc.limit(`Cannot limit ${name}`, RESOURCES[name], BigInt(used + most));
  }
  // Descriptors that the server inherited without that mark would stay open in the host.
  libc.system("Cannot close descriptors", CLOSE_RANGE, 3, 0xffffffff, CLOSE_RANGE_CLOEXEC);
  const { abi } = policy;
  const used = abi === "latest" ? Math.min(landlockAbi(libc), LATEST_ABI) : abi;
  if (used > 0) makeRuleset(libc, used, policy).restrict();
  if (policy.filter !== undefined) installFilter(libc, policy.filter);
  if (policy.next === undefined) return checkWall(libc);
  requireWall(libc, used, policy);
  const env = Object.entries(policy.next.env).map(([name, value]) => `${name}=${value}`);
  libc.execute(PROGRAM, policy.next.args, env);
}

/** Answers a survey that comes before the policy. */
function readPolicy(libc: Libc): StagePolicy | undefined {
  const input = readStageInput(readInput);
  if (input === undefined || !("survey" in input)) return input;
  const survey = JSON.stringify(surveyWall(libc));
  writeAll(Deno.stdout, new TextEncoder().encode(`${survey}\n`));
  const policy = readStageInput(readInput);
  return policy === undefined || "survey" in policy ? undefined : policy;
}

function readInput(bytes: Uint8Array): boolean {
  for (let done = 0; done < bytes.length;) {
    const count = Deno.stdin.readSync(bytes.subarray(done));
    if (count === null) return false;
    done += count;
  }
  return true;
}

/** Root keeps its access to files of other users, as far as the sandbox gives any; others keep nothing. */
function dropCapabilities(libc: Libc): void {
  const { capget, capset } = BY_ARCH[Deno.build.arch];
  const header = libc.copy(bytesOf(new Uint32Array([CAPABILITY_VERSION, 0])));
  // Effective, permitted, inheritable; twice, for 64 bits.
  const data = libc.copy(new Uint8Array(24));
  libc.system("Cannot read capabilities", capget, header, data);
  const words = new Uint32Array(libc.read(data, 24).buffer);
  // Without any, the call is not needed; a service unit may refuse it.
  if (words.every((word) => word === 0)) return;
  const kept = libc.user === 0 ? (words[1] ?? 0) & 1 << CAP_DAC_OVERRIDE : 0;
  const keep = libc.copy(bytesOf(new Uint32Array([kept, kept, 0, 0, 0, 0])));
  libc.system("Cannot drop capabilities", capset, header, keep);
}

function bytesOf(
  words: Uint32Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer);
}

function makeRuleset(libc: Libc, abi: number, { paths, ports }: StagePolicy): Ruleset {
  const handled = handledRights(abi);
  const ruleset = new Ruleset(libc, ports === "all" ? { ...handled, tcp: 0n } : handled);
  for (const rule of [...paths, SELF]) {
    const opened = openPath(libc, rule);
    if (opened === undefined) continue;
    ruleset.allowPath(rule.path, opened.fd, RIGHTS[rule.access], opened.isFolder);
  }
  if (ports !== "all") { for (const port of ports) ruleset.allowPort(port); }
  return ruleset;
}

/** The opened object itself gets the rule: what happens to its path later changes nothing. */
function openPath(
  libc: Libc,
  rule: PathRule,
): { readonly fd: number; readonly isFolder: boolean } | undefined {
  const { path, kind } = rule;
  const open = (flags: number): number => {
    const resolve = kind === "exact" ? RESOLVE_NO_SYMLINKS : 0;
    // The folder of a process is forgotten and made again when memory is short, and would lose its rule
    // then: it stays open.
    const close = rule === SELF ? 0 : O_CLOEXEC;
    const how = new BigUint64Array([BigInt(O_PATH | close | flags), 0n, BigInt(resolve)]);
    const address = libc.copy(bytesOf(how));
    const what = `Cannot open ${path}`;
    return libc.system(what, OPENAT2, AT_FDCWD, libc.text(path), address, how.byteLength);
  };
  try {
    return { fd: open(BY_ARCH[Deno.build.arch].O_DIRECTORY), isFolder: true };
  } catch (error) {
    if (!(error instanceof WallError)) throw error;
    if (error.errorName === "ENOTDIR") return { fd: open(0), isFolder: false };
    if (error.errorName === "ENOENT" && kind === "system") return undefined;
    throw error;
  }
}

function installFilter(libc: Libc, options: NonNullable<StagePolicy["filter"]>): void {
  const arch: FilterArch = Deno.build.arch;
  const program = systemCallFilter({ arch, pid: Deno.pid, ...options });
  // struct sock_fprog: a 16-bit count, and an aligned pointer.
  const fprog = new BigUint64Array([BigInt(program.length / 8), libc.copy(program)]);
  const address = libc.copy(bytesOf(fprog));
  libc.prctl("Cannot filter system calls", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address);
}
