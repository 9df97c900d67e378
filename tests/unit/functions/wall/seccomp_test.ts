/**
 * @module
 * The filter of system calls, run by an interpreter of its instructions: what each call of a host gets.
 */
import assert from "node:assert/strict";
import {
  type FilterArch,
  type FilterOptions,
  systemCallFilter,
} from "../../../../lib/functions/wall/seccomp.ts";

const PID = 4242;
const ARCHES = { x86_64: 0xc000003e, aarch64: 0xc00000b7 } as const;

interface Call {
  readonly number: number;
  readonly arch?: number;
  readonly args?: readonly (number | bigint)[];
}

/** `allow`, or the number of the error. */
function verdict(options: FilterOptions, call: Call): "allow" | number {
  const program = new DataView(systemCallFilter(options).buffer);
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.arch ?? ARCHES[options.arch], true);
  (call.args ?? []).forEach((value, i) =>
    data.setBigUint64(16 + 8 * i, BigInt.asUintN(64, BigInt(value)), true)
  );
  let accumulator = 0;
  for (let at = 0; 8 * at < program.byteLength; at++) {
    const code = program.getUint16(8 * at, true);
    const [ifTrue, ifFalse] = [program.getUint8(8 * at + 2), program.getUint8(8 * at + 3)];
    const operand = program.getUint32(8 * at + 4, true);
    const jump = (isTrue: boolean): void => void (at += isTrue ? ifTrue : ifFalse);
    if (code === 0x20) accumulator = data.getUint32(operand, true);
    else if (code === 0x15) jump(accumulator === operand);
    else if (code === 0x35) jump(accumulator >= operand);
    else if (code === 0x45) jump((accumulator & operand) !== 0);
    else if (code === 0x06) {
      if (operand === 0x7fff0000) return "allow";
      assert.equal(operand >>> 16, 5, "neither allow nor errno");
      return operand & 0xffff;
    } else assert.fail(`unknown instruction ${code}`);
  }
  return assert.fail("the program does not return");
}

const EPERM = 1;
const EACCES = 13;
const ENOSYS = 38;
const CLONE_VM = 0x100;
const CLONE_THREAD = 0x10000;

interface Row {
  readonly name: string;
  readonly numbers: Readonly<Record<FilterArch, number>>;
  readonly args?: readonly (number | bigint)[];
  readonly offline: "allow" | number;
  /** When it differs. */
  readonly online?: "allow" | number;
}

const both = (number: number): Row["numbers"] => ({ x86_64: number, aarch64: number });
const at = (x86_64: number, aarch64: number): Row["numbers"] => ({ x86_64, aarch64 });
const ROWS: readonly Row[] = [
  { name: "read", numbers: at(0, 63), offline: "allow" },
  { name: "execve", numbers: at(59, 221), offline: "allow" },
  { name: "exit_group", numbers: at(231, 94), offline: "allow" },
  { name: "socketpair", numbers: at(53, 199), args: [1], offline: "allow" },
  { name: "a Unix socket", numbers: at(41, 198), args: [1], offline: EACCES },
  { name: "an IPv4 socket", numbers: at(41, 198), args: [2], offline: EACCES, online: "allow" },
  { name: "an IPv6 socket", numbers: at(41, 198), args: [10], offline: EACCES, online: "allow" },
  { name: "a netlink socket", numbers: at(41, 198), args: [16], offline: EACCES, online: "allow" },
  { name: "a packet socket", numbers: at(41, 198), args: [17], offline: EACCES },
  { name: "a vsock socket", numbers: at(41, 198), args: [40], offline: EACCES },
  { name: "a thread", numbers: at(56, 220), args: [CLONE_VM | CLONE_THREAD], offline: "allow" },
  { name: "a process", numbers: at(56, 220), args: [17], offline: EPERM },
  { name: "a namespace", numbers: at(56, 220), args: [0x10000000], offline: EPERM },
  { name: "clone3", numbers: both(435), offline: ENOSYS },
  { name: "a signal to itself", numbers: at(62, 129), args: [PID, 9], offline: "allow" },
  { name: "a signal to another", numbers: at(62, 129), args: [PID + 1, 0], offline: EPERM },
  { name: "a signal to its group", numbers: at(62, 129), args: [0, 15], offline: EPERM },
  { name: "a signal to all", numbers: at(62, 129), args: [-1, 15], offline: EPERM },
  { name: "a signal to another group", numbers: at(62, 129), args: [-PID, 15], offline: EPERM },
  {
    name: "a signal to a thread of its own",
    numbers: at(234, 131),
    args: [PID, 7],
    offline: "allow",
  },
  { name: "a signal to another's thread", numbers: at(234, 131), args: [7, 7], offline: EPERM },
  { name: "its own limits", numbers: at(302, 261), args: [0], offline: "allow" },
  { name: "the limits of another", numbers: at(302, 261), args: [7], offline: EPERM },
  { name: "its own processors", numbers: at(203, 122), args: [0], offline: "allow" },
  { name: "times by path", numbers: at(280, 88), args: [-100, 0x7f00_0000_1000n], offline: EPERM },
  { name: "times by a path at 2³²", numbers: at(280, 88), args: [-100, 1n << 32n], offline: EPERM },
  { name: "times of an open file", numbers: at(280, 88), args: [5, 0], offline: "allow" },
  { name: "the mode of an open file", numbers: at(91, 52), offline: EPERM, online: "allow" },
  { name: "a mode by path", numbers: at(268, 53), offline: EPERM },
  { name: "a thread's name", numbers: at(157, 167), args: [15], offline: "allow" },
  {
    name: "another signal at the parent's death",
    numbers: at(157, 167),
    args: [1],
    offline: EPERM,
  },
  { name: "io_uring", numbers: both(425), offline: EPERM },
  { name: "ptrace", numbers: at(101, 117), offline: EPERM },
  { name: "watching a path", numbers: at(254, 27), offline: EPERM },
];

for (const arch of ["x86_64", "aarch64"] as const) {
  Deno.test(`systemCallFilter() decides each call on ${arch}`, () => {
    const offline = { arch, pid: PID, hasNetwork: false, mayChangeModes: false };
    const online = { arch, pid: PID, hasNetwork: true, mayChangeModes: true };
    for (const { name, numbers, args = [], ...expected } of ROWS) {
      const call = { number: numbers[arch], args };
      assert.equal(verdict(offline, call), expected.offline, name);
      assert.equal(verdict(online, call), expected.online ?? expected.offline, `${name}, online`);
    }
  });

  Deno.test(`systemCallFilter() refuses every call of another architecture than ${arch}`, () => {
    const options = { arch, pid: PID, hasNetwork: true, mayChangeModes: true };
    const I386 = 0x40000003;
    for (const number of [0, 1, 20, 102]) {
      assert.equal(verdict(options, { number, arch: I386 }), EPERM);
    }
  });
}

Deno.test("systemCallFilter() refuses the calls of the x32 interface", () => {
  const options = { arch: "x86_64", pid: PID, hasNetwork: true, mayChangeModes: true } as const;
  assert.equal(verdict(options, { number: 0x40000000 }), EPERM);
  assert.equal(verdict(options, { number: 0x40000000 | 41, args: [1] }), EPERM);
});

Deno.test("systemCallFilter() fits what the kernel takes: 4096 instructions", () => {
  for (const arch of ["x86_64", "aarch64"] as const) {
    const program = systemCallFilter({ arch, pid: PID, hasNetwork: true, mayChangeModes: false });
    assert.ok(program.length / 8 < 4096);
  }
});
