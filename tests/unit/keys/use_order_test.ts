import assert from "node:assert/strict";
import fc from "fast-check";
import { UseOrder } from "../../../lib/keys/use_order.ts";

function list(order: UseOrder): number[] {
  const slots: number[] = [];
  for (let slot = order.newest; slot >= 0; slot = order.olderThan(slot)) slots.push(slot);
  return slots;
}

Deno.test("UseOrder behaves like an array that moves used elements to its front", () => {
  const step = fc.record({
    slot: fc.nat(200),
    other: fc.nat(200),
    action: fc.constantFrom("touch", "toggle", "moveAfter"),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const order = new UseOrder();
    let model: number[] = [];
    for (const { slot, other, action } of steps) {
      const isThere = model.includes(slot);
      if (action === "touch" && isThere) {
        order.touch(slot);
        model = [slot, ...model.filter((each) => each !== slot)];
      } else if (action === "moveAfter" && isThere) {
        if (slot === other || !model.includes(other)) continue;
        order.moveAfter(slot, other);
        model = model.filter((each) => each !== slot);
        model.splice(model.indexOf(other), 0, slot);
      } else if (action === "toggle" && isThere) {
        order.remove(slot);
        model = model.filter((each) => each !== slot);
      } else if (!isThere) {
        order.append(slot);
        model.push(slot);
      }
      assert.deepEqual(list(order), model);
    }
    for (const [i, slot] of model.entries()) {
      assert.equal(order.newerThan(slot), model[i - 1] ?? -1);
    }
  }));
});
