import assert from "node:assert/strict";
import fc from "fast-check";
import { type Placed, Places } from "../../../lib/limits/places.ts";

Deno.test("Places keeps what is in it, and uses places again", () => {
  const steps = fc.array(fc.option(fc.nat(20), { nil: undefined }), { maxLength: 200 });
  fc.assert(fc.property(steps, (removals) => {
    const places = new Places<Placed>();
    const expected = new Set<Placed>();
    let most = 0;
    for (const removal of removals) {
      const thing = [...expected][removal ?? -1];
      if (thing === undefined) {
        const added = { place: -1 };
        places.add(added);
        expected.add(added);
      } else {
        assert.equal(places.remove(thing), true);
        assert.equal(places.remove(thing), false, "once");
        expected.delete(thing);
      }
      most = Math.max(most, expected.size);
      assert.equal(places.size, expected.size);
      for (const each of expected) assert.equal(places.at(each.place), each);
      assert.ok([...expected].every(({ place }) => place < most));
    }
    assert.deepEqual(new Set(places), expected);
  }));
});
