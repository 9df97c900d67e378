import assert from "node:assert/strict";
import { ReplayGuard, type RequestFingerprints } from "../../../lib/guard/replay.ts";

let counter = 0;
function fresh(): Uint8Array {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  new DataView(bytes.buffer).setUint32(0, counter++);
  return bytes;
}

function request(): RequestFingerprints {
  return { window: [fresh(), fresh(), fresh()], entry: fresh() };
}

const TIME = { nowSeconds: 1000, expiresAtSeconds: 1030 };

Deno.test("ReplayGuard.admit() takes a request once", () => {
  const guard = new ReplayGuard();
  const first = request();
  assert.equal(guard.admit(first, TIME), "fresh");
  assert.equal(guard.admit(first, TIME), "seen");
  assert.equal(guard.admit(request(), TIME), "fresh");
});

Deno.test("ReplayGuard.admit() refuses any single value of an accepted request, in any place", () => {
  const guard = new ReplayGuard();
  const known = request();
  guard.admit(known, TIME);
  for (const value of [...known.window, known.entry]) {
    for (let place = 0; place < 4; place++) {
      const values = [fresh(), fresh(), fresh(), fresh()];
      values[place] = value;
      const [id, check, ts, entry] = values as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
      assert.equal(guard.admit({ window: [id, check, ts], entry }, TIME), "seen", `place ${place}`);
    }
  }
});

Deno.test("ReplayGuard.admit() remembers nothing of a request that it refuses", () => {
  const guard = new ReplayGuard();
  const known = request();
  guard.admit(known, TIME);
  const mixed = { window: [fresh(), fresh(), fresh()], entry: known.entry };
  assert.equal(guard.admit(mixed, TIME), "seen");
  assert.equal(guard.admit({ window: mixed.window, entry: fresh() }, TIME), "fresh");
});

Deno.test("ReplayGuard.admit() remembers the window to its last second, entries beyond it", () => {
  const guard = new ReplayGuard();
  const known = request();
  guard.admit(known, TIME);
  const replayed = (): RequestFingerprints => ({ window: known.window, entry: fresh() });
  assert.equal(guard.admit(replayed(), { nowSeconds: 1030, expiresAtSeconds: 1060 }), "seen");
  assert.equal(guard.admit(replayed(), { nowSeconds: 1031, expiresAtSeconds: 1061 }), "fresh");
  const spliced = { window: [fresh(), fresh(), fresh()], entry: known.entry };
  assert.equal(guard.admit(spliced, { nowSeconds: 90_000, expiresAtSeconds: 90_030 }), "seen");
});

Deno.test("ReplayGuard.admit() refuses replays when the clock jumps ahead and back", () => {
  const guard = new ReplayGuard();
  const known = request();
  guard.admit(known, TIME);
  guard.admit(request(), { nowSeconds: 5000, expiresAtSeconds: 5030 });
  assert.equal(guard.admit(known, TIME), "seen");
});

Deno.test("ReplayGuard.admit() forgets what expires first when the window is full, and says so", () => {
  const guard = new ReplayGuard({ window: 6, entry: 100 });
  const [late, early, next] = [request(), request(), request()];
  assert.equal(guard.admit(late, { nowSeconds: 1000, expiresAtSeconds: 1050 }), "fresh");
  assert.equal(guard.admit(early, { nowSeconds: 1000, expiresAtSeconds: 1010 }), "fresh");
  assert.equal(guard.admit(next, { nowSeconds: 1000, expiresAtSeconds: 1030 }), "fresh, crowded");
  const isSeen = (window: readonly Uint8Array[]): boolean =>
    guard.admit({ window, entry: fresh() }, { nowSeconds: 1000, expiresAtSeconds: 1001 }) ===
      "seen";
  assert.ok(isSeen(late.window), "what expires last stays");
  assert.ok(isSeen(next.window));
  assert.ok(!isSeen(early.window), "what expires first went");
});

Deno.test("ReplayGuard.admit() reuses expired places without crowding", () => {
  const guard = new ReplayGuard({ window: 6, entry: 4 });
  for (let now = 0; now < 1000; now += 10) {
    const time = { nowSeconds: now, expiresAtSeconds: now + 5 };
    assert.equal(guard.admit(request(), time), "fresh");
    assert.equal(guard.admit(request(), time), "fresh");
  }
});

Deno.test("ReplayGuard.admit() keeps the last entries only", () => {
  const guard = new ReplayGuard({ window: 300, entry: 3 });
  const all = [request(), request(), request(), request()];
  for (const each of all) guard.admit(each, TIME);
  const verdicts = all.toReversed().map(({ entry }) =>
    guard.admit({ window: [fresh(), fresh(), fresh()], entry }, TIME)
  );
  assert.deepEqual(verdicts, ["seen", "seen", "seen", "fresh"]);
});
