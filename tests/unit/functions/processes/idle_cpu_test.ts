import assert from "node:assert/strict";
import { IdleCpu } from "../../../../lib/functions/processes/idle_cpu.ts";

interface Report {
  readonly atS: number;
  readonly isBusy?: boolean;
  /** When a call or a load began. */
  readonly usedAtS?: number;
  readonly cpuS?: number;
}

/** What each report brings, of a second of CPU time unless it says otherwise, where 3 s are too much. */
const CASES: { why: string; reports: Report[]; burned: (number | undefined)[] }[] = [
  {
    why: "time without a call adds up, once the second of the last call is over",
    reports: [1, 2, 3, 4, 5].map((atS) => ({ atS, usedAtS: 0.5 })),
    burned: [undefined, undefined, undefined, 3000, undefined],
  },
  {
    why: "time of calls does not count",
    reports: [1, 2, 3, 4, 5, 6].map((atS) => ({ atS, isBusy: true })),
    burned: Array(6).fill(undefined),
  },
  {
    why: "nor does a second in which a call ran and ended",
    reports: [10, 11, 12, 13, 14, 15].map((atS) => ({ atS, usedAtS: atS - 0.5 })),
    burned: Array(6).fill(undefined),
  },
  {
    why: "a pause begins it again",
    reports: [10, 11, 16, 17, 22, 23].map((atS) => ({ atS })),
    burned: Array(6).fill(undefined),
  },
  {
    why: "a report counts no more than the core could use",
    reports: [1, 1.1, 1.2, 2, 3, 4].map((atS) => ({ atS, cpuS: 1e6 })),
    burned: [undefined, undefined, undefined, undefined, undefined, 3000],
  },
];

Deno.test("IdleCpu.note() says when too much CPU time was used for no call", () => {
  for (const { why, reports, burned } of CASES) {
    const idleCpu = new IdleCpu(3000, 0, 1);
    const found = reports.map(({ atS, isBusy = false, usedAtS = -1000, cpuS = 1 }) =>
      idleCpu.note(1000 * cpuS, { nowMs: atS * 1000, isBusy, usedAtMs: usedAtS * 1000 })
    );
    assert.deepEqual(found, burned, why);
  }
});
