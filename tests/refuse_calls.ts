/**
 * @module
 * Becomes a program for which the kernel refuses some system calls, as an older one or a service unit
 * does: `refuse_calls.ts 444=38,126=1 PROGRAM ARGUMENTS` (number of the call, number of the error). Holds
 * for its children too.
 */
import { Libc } from "../lib/functions/wall/libc.ts";
import { PR_SET_SECCOMP, SECCOMP_MODE_FILTER } from "../lib/functions/wall/seccomp.ts";

const PR_SET_NO_NEW_PRIVS = 38;

const [refused = "", path = "", ...args] = Deno.args;
/** linux/filter.h: loads the number of the call; returns an error for some, allows the others. */
const program: (readonly [code: number, jt: number, jf: number, k: number])[] = [
  [0x20, 0, 0, 0],
  ...refused.split(",").map((pair) => pair.split("=").map(Number)).flatMap(
    ([call = 0, errno = 0]) => [[0x15, 0, 1, call], [0x06, 0, 0, 0x00050000 | errno]] as const,
  ),
  [0x06, 0, 0, 0x7fff0000],
];

const bytes = new Uint8Array(8 * program.length);
const view = new DataView(bytes.buffer);
program.forEach(([code, jt, jf, k], i) => {
  view.setUint16(8 * i, code, true);
  view.setUint8(8 * i + 2, jt);
  view.setUint8(8 * i + 3, jf);
  view.setUint32(8 * i + 4, k, true);
});
const libc = Libc.open();
const fprog = new BigUint64Array([BigInt(program.length), libc.copy(bytes)]);
libc.prctl("no new privileges", PR_SET_NO_NEW_PRIVS, 1);
const address = libc.copy(new Uint8Array(fprog.buffer));
libc.prctl("filter", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address);
const env = Object.entries(Deno.env.toObject()).map((pair) => pair.join("="));
libc.execute(path, args, env);
