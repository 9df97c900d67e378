/**
 * @module
 * Which rights each version of Landlock's interface handles: a right that it does not know is an error.
 */
import assert from "node:assert/strict";
import { handledRights, LATEST_ABI } from "../../../../lib/functions/wall/landlock.ts";

/** From Documentation/userspace-api/landlock.rst: how many rights of each kind an ABI knows. */
const ABIS: readonly { abi: number; fs: bigint; tcp: bigint; scope: bigint }[] = [
  { abi: 1, fs: 0x1fffn, tcp: 0n, scope: 0n },
  { abi: 2, fs: 0x3fffn, tcp: 0n, scope: 0n },
  { abi: 3, fs: 0x7fffn, tcp: 0n, scope: 0n },
  { abi: 4, fs: 0x7fffn, tcp: 3n, scope: 0n },
  { abi: 5, fs: 0xffffn, tcp: 3n, scope: 0n },
  { abi: 6, fs: 0xffffn, tcp: 3n, scope: 3n },
  { abi: 7, fs: 0xffffn, tcp: 3n, scope: 3n },
];

Deno.test("handledRights() has every right that an ABI knows", () => {
  assert.equal(ABIS.at(-1)?.abi, LATEST_ABI);
  for (const { abi, ...rights } of ABIS) assert.deepEqual(handledRights(abi), rights, `ABI ${abi}`);
});
