import assert from "node:assert/strict";
import fc from "fast-check";
import { FingerprintTable } from "../../../lib/guard/fingerprints.ts";

/** Few different first words, so that probing, collisions and wrapping around the end happen. */
function fingerprint(n: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, n % 3 === 0 ? 0xffffffff : n % 5, true);
  new DataView(bytes.buffer).setUint32(4, n, true);
  return bytes;
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
        table.put(slot, fingerprint(value));
        model.set(slot, value);
      }
      const present = new Set(model.values());
      for (let n = 0; n <= 20; n++) assert.equal(table.has(fingerprint(n)), present.has(n));
    }
  }));
});

Deno.test("FingerprintTable tells apart fingerprints that differ in any one byte", () => {
  const table = new FingerprintTable(4);
  const base = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  table.put(0, base);
  assert.ok(table.has(base));
  for (let i = 0; i < 8; i++) {
    const other = base.slice();
    other[i] = 0xff;
    assert.equal(table.has(other), false, `byte ${i}`);
  }
});
