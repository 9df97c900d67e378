import assert from "node:assert/strict";
import fc from "fast-check";
import { FingerprintTable } from "../../../lib/replay/fingerprints.ts";

/** Few different low words, so that probing, collisions and wrapping around the end happen. */
function fingerprint(n: number): [low: number, high: number] {
  return [n % 3 === 0 ? 0xffffffff : n % 5, n];
}

Deno.test("FingerprintTable behaves like a set under any puts and removals", () => {
  const slots = 8;
  const step = fc.record({ slot: fc.nat(slots - 1), value: fc.nat(20) });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const table = new FingerprintTable(slots);
    const model = new Map<number, number>();
    for (const { slot, value } of steps) {
      if (model.has(slot)) {
        table.remove(slot);
        model.delete(slot);
      } else if (![...model.values()].includes(value)) {
        table.put(slot, ...fingerprint(value));
        model.set(slot, value);
      }
      const present = new Set(model.values());
      for (let n = 0; n <= 20; n++) assert.equal(table.has(...fingerprint(n)), present.has(n));
    }
  }));
});

Deno.test("FingerprintTable tells apart fingerprints that differ in any one bit", () => {
  const table = new FingerprintTable(4);
  table.put(0, 0xdeadbeef, 0xfeedc0de);
  assert.ok(table.has(0xdeadbeef, 0xfeedc0de));
  for (let bit = 0; bit < 32; bit++) {
    assert.equal(table.has((0xdeadbeef ^ 1 << bit) >>> 0, 0xfeedc0de), false, `low bit ${bit}`);
    assert.equal(table.has(0xdeadbeef, (0xfeedc0de ^ 1 << bit) >>> 0), false, `high bit ${bit}`);
  }
});
