/**
 * @module
 * A filter of system calls, for what Landlock does not hold: sockets that are not TCP, other
 * processes, modes and owners of files, watching files. Calls that a function host never needs are
 * refused. Source: seccomp(2), linux/filter.h; call numbers of asm/unistd_64.h and
 * asm-generic/unistd.h.
 */

/** The option of prctl(2) that installs a filter (linux/prctl.h). */
export const PR_SET_SECCOMP = 22;
/** … and its mode (linux/seccomp.h). */
export const SECCOMP_MODE_FILTER = 2;

/** Processor architectures that the filter knows. */
export type FilterArch = "x86_64" | "aarch64";

/** What depends on the host. */
export interface FilterOptions {
  readonly arch: FilterArch;
  /** Number of the process: it may signal itself. */
  readonly pid: number;
  /** Whether it may use IPv4 and IPv6. */
  readonly hasNetwork: boolean;
  /** Whether it may change the mode of a file that it has open, as copying a file does. */
  readonly mayChangeModes: boolean;
}

/** Number of a call on x86_64 and on aarch64, where it exists. */
type Numbers = readonly [x86_64: number | undefined, aarch64: number | undefined];

const AUDIT_ARCH: Readonly<Record<FilterArch, number>> = {
  x86_64: 0xc000003e,
  aarch64: 0xc00000b7,
};

/** Refused with EPERM, whatever the arguments. */
const REFUSED: Readonly<Record<string, Numbers>> = {
  // Other processes
  fork: [57, undefined],
  vfork: [58, undefined],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  pidfd_send_signal: [424, 424],
  pidfd_getfd: [438, 438],
  tkill: [200, 130],
  setpriority: [141, 140],
  ioprio_set: [251, 30],
  sched_setscheduler: [144, 119],
  sched_setparam: [142, 118],
  sched_setattr: [314, 274],
  // Modes, owners, attributes and times of files, by path
  chmod: [90, undefined],
  fchmodat: [268, 53],
  fchmodat2: [452, 452],
  chown: [92, undefined],
  lchown: [94, undefined],
  fchown: [93, 55],
  fchownat: [260, 54],
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  fsetxattr: [190, 7],
  setxattrat: [463, 463],
  removexattr: [197, 14],
  lremovexattr: [198, 15],
  fremovexattr: [199, 16],
  removexattrat: [466, 466],
  file_setattr: [469, 469],
  utime: [132, undefined],
  utimes: [235, undefined],
  futimesat: [261, undefined],
  // Landlock has no right for it before ABI 3.
  truncate: [76, 45],
  // What happens to files elsewhere
  inotify_add_watch: [254, 27],
  fanotify_init: [300, 262],
  // Memory and messages that processes of one user share
  shmget: [29, 194],
  shmat: [30, 196],
  semget: [64, 190],
  semop: [65, 193],
  msgget: [68, 186],
  msgsnd: [69, 189],
  msgrcv: [70, 188],
  mq_open: [240, 180],
  // Large parts of the kernel that no function needs; io_uring opens sockets and files past this filter.
  io_uring_setup: [425, 425],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  unshare: [272, 97],
  setns: [308, 268],
};

const SOCKET: Numbers = [41, 198];
const CLONE: Numbers = [56, 220];
const CLONE3: Numbers = [435, 435];
const FCHMOD: Numbers = [91, 52];
const UTIMENSAT: Numbers = [280, 88];
const PRCTL: Numbers = [157, 167];
/** Their first argument is a process, with 0 for a group (kill) or for itself (prlimit64, affinity). */
const SIGNALS: readonly Numbers[] = [[62, 129], [234, 131], [129, 138], [297, 240]];
const ABOUT_PROCESS: readonly Numbers[] = [[302, 261], [203, 122]];

const EPERM = 1;
const EACCES = 13;
const ENOSYS = 38;
const AF_INET = 2;
const AF_INET6 = 10;
/** getaddrinfo asks the kernel for its addresses. */
const AF_NETLINK = 16;
const CLONE_THREAD = 0x10000;
const PR_SET_PDEATHSIG = 1;
/** Calls of the x32 interface of x86_64 have this bit. */
const X32_BIT = 0x40000000;

/** An instruction: operation, jumps when true and when false, operand. */
type Instruction = readonly [code: number, jt: number, jf: number, k: number];

const NUMBER_OFFSET = 0;
const ARCH_OFFSET = 4;

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
/** The lower or upper half of an argument; both architectures are little-endian. */
const argument = (index: number, half: 0 | 1): Instruction => load(16 + 8 * index + 4 * half);
const ifEqual = (k: number, jt: number, jf: number): Instruction => [0x15, jt, jf, k];
const ifAtLeast = (k: number, jt: number, jf: number): Instruction => [0x35, jt, jf, k];
const ifAnyBit = (k: number, jt: number, jf: number): Instruction => [0x45, jt, jf, k];
const RETURN = 0x06;
const ALLOW: Instruction = [RETURN, 0, 0, 0x7fff0000];
const refuse = (errno: number): Instruction => [RETURN, 0, 0, 0x00050000 | errno];

/** A program that refuses calls which a function host does not need, as `struct sock_filter`s. */
export function systemCallFilter(options: FilterOptions): Uint8Array<ArrayBuffer> {
  const { arch, pid, hasNetwork, mayChangeModes } = options;
  const numberOf = (numbers: Numbers): number | undefined => numbers[arch === "x86_64" ? 0 : 1];
  /** What happens at a call; the body always returns. */
  const at = (numbers: Numbers, ...body: Instruction[]): Instruction[] => {
    const number = numberOf(numbers);
    return number === undefined ? [] : [ifEqual(number, 0, body.length), ...body];
  };
  const onlyIfFirstIs = (...values: number[]): Instruction[] => [
    argument(0, 0),
    ...values.map((value, i) => ifEqual(value, values.length - i, 0)),
    refuse(EPERM),
    ALLOW,
  ];
  const families = hasNetwork ? [AF_INET, AF_INET6, AF_NETLINK] : [];
  const program: Instruction[] = [
    load(ARCH_OFFSET),
    ifEqual(AUDIT_ARCH[arch], 1, 0),
    refuse(EPERM),
    load(NUMBER_OFFSET),
    ...arch === "x86_64" ? [ifAtLeast(X32_BIT, 0, 1), refuse(EPERM)] : [],
    ...Object.values(REFUSED).flatMap((numbers) => at(numbers, refuse(EPERM))),
    ...mayChangeModes ? [] : at(FCHMOD, refuse(EPERM)),
    // With its flags out of sight of a filter; C libraries then use clone.
    ...at(CLONE3, refuse(ENOSYS)),
    ...at(CLONE, argument(0, 0), ifAnyBit(CLONE_THREAD, 0, 1), ALLOW, refuse(EPERM)),
    ...at(
      SOCKET,
      argument(0, 0),
      ...families.map((family, i) => ifEqual(family, families.length - i, 0)),
      refuse(EACCES),
      ALLOW,
    ),
    // Without a path it changes the times of an open file.
    ...at(
      UTIMENSAT,
      argument(1, 0),
      ifEqual(0, 0, 3),
      argument(1, 1),
      ifEqual(0, 0, 1),
      ALLOW,
      refuse(EPERM),
    ),
    // A host cannot decide to outlive the server.
    ...at(PRCTL, argument(0, 0), ifEqual(PR_SET_PDEATHSIG, 0, 1), refuse(EPERM), ALLOW),
    ...SIGNALS.flatMap((numbers) => at(numbers, ...onlyIfFirstIs(pid))),
    ...ABOUT_PROCESS.flatMap((numbers) => at(numbers, ...onlyIfFirstIs(0, pid))),
    ALLOW,
  ];
  return encode(program);
}

/** `struct sock_filter`: 16 bits of code, 8 and 8 bits of jumps, 32 bits of operand. */
function encode(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 * program.length);
  const view = new DataView(bytes.buffer);
  program.forEach(([code, jt, jf, k], i) => {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, jt);
    view.setUint8(8 * i + 3, jf);
    view.setUint32(8 * i + 4, k, true);
  });
  return bytes;
}
