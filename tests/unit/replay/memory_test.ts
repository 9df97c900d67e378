import assert from "node:assert/strict";
import { capacitiesFor, ReplayGuard as Guard } from "../../../lib/replay/memory.ts";

/** Fingerprint of one nonce. */
type Fingerprint = readonly [low: number, high: number];

/** Fingerprints of a request's four nonces. */
interface RequestFingerprints {
  readonly window: readonly Fingerprint[];
  readonly entry: Fingerprint;
}

let counter = 0;
function fresh(): Fingerprint {
  const [low = 0] = crypto.getRandomValues(new Uint32Array(1));
  return [low, counter++];
}

function request(): RequestFingerprints {
  return { window: [fresh(), fresh(), fresh()], entry: fresh() };
}

class ReplayGuard extends Guard {
  see({ window, entry }: RequestFingerprints, time: typeof TIME): string {
    return this.admit(Uint32Array.from([...window, entry].flat()), time);
  }
}

const TIME = { nowSeconds: 1000, expiresAtSeconds: 1030 };

Deno.test("ReplayGuard.admit() takes a request once", () => {
  const guard = new ReplayGuard(capacitiesFor(500_000, 1_000_000));
  const first = request();
  assert.equal(guard.see(first, TIME), "fresh");
  assert.equal(guard.see(first, TIME), "seen");
  assert.equal(guard.see(request(), TIME), "fresh");
});

Deno.test("ReplayGuard.admit() refuses any single value of an accepted request, in any place", () => {
  const guard = new ReplayGuard(capacitiesFor(500_000, 1_000_000));
  const known = request();
  guard.see(known, TIME);
  for (const value of [...known.window, known.entry]) {
    for (let place = 0; place < 4; place++) {
      const values = [fresh(), fresh(), fresh(), fresh()];
      values[place] = value;
      const [id, check, ts, entry] = values as [Fingerprint, Fingerprint, Fingerprint, Fingerprint];
      assert.equal(guard.see({ window: [id, check, ts], entry }, TIME), "seen", `place ${place}`);
    }
  }
});

Deno.test("ReplayGuard.admit() remembers nothing of a request that it refuses", () => {
  const guard = new ReplayGuard(capacitiesFor(500_000, 1_000_000));
  const known = request();
  guard.see(known, TIME);
  const mixed = { window: [fresh(), fresh(), fresh()], entry: known.entry };
  assert.equal(guard.see(mixed, TIME), "seen");
  assert.equal(guard.see({ window: mixed.window, entry: fresh() }, TIME), "fresh");
});

Deno.test("ReplayGuard.admit() remembers the window to its last second, entries beyond it", () => {
  const guard = new ReplayGuard(capacitiesFor(500_000, 1_000_000));
  const known = request();
  guard.see(known, TIME);
  const replayed = (): RequestFingerprints => ({ window: known.window, entry: fresh() });
  assert.equal(guard.see(replayed(), { nowSeconds: 1030, expiresAtSeconds: 1060 }), "seen");
  assert.equal(guard.see(replayed(), { nowSeconds: 1031, expiresAtSeconds: 1061 }), "fresh");
  const spliced = { window: [fresh(), fresh(), fresh()], entry: known.entry };
  assert.equal(guard.see(spliced, { nowSeconds: 90_000, expiresAtSeconds: 90_030 }), "seen");
});

Deno.test("ReplayGuard.admit() refuses replays when the clock jumps ahead and back", () => {
  const guard = new ReplayGuard(capacitiesFor(500_000, 1_000_000));
  const known = request();
  guard.see(known, TIME);
  guard.see(request(), { nowSeconds: 5000, expiresAtSeconds: 5030 });
  assert.equal(guard.see(known, TIME), "seen");
});

Deno.test("ReplayGuard.admit() forgets what expires first when the window is full, and says so", () => {
  const guard = new ReplayGuard({ window: 6, entry: 100 });
  const [late, early, next] = [request(), request(), request()];
  assert.equal(guard.see(late, { nowSeconds: 1000, expiresAtSeconds: 1050 }), "fresh");
  assert.equal(guard.see(early, { nowSeconds: 1000, expiresAtSeconds: 1010 }), "fresh");
  assert.equal(guard.see(next, { nowSeconds: 1000, expiresAtSeconds: 1030 }), "fresh, crowded");
  const isSeen = (window: readonly Fingerprint[]): boolean =>
    guard.see({ window, entry: fresh() }, { nowSeconds: 1000, expiresAtSeconds: 1001 }) ===
      "seen";
  assert.ok(isSeen(late.window), "what expires last stays");
  assert.ok(isSeen(next.window));
  assert.ok(!isSeen(early.window), "what expires first went");
});

Deno.test("ReplayGuard.admit() reuses expired places without crowding", () => {
  const guard = new ReplayGuard({ window: 6, entry: 4 });
  for (let now = 0; now < 1000; now += 10) {
    const time = { nowSeconds: now, expiresAtSeconds: now + 5 };
    assert.equal(guard.see(request(), time), "fresh");
    assert.equal(guard.see(request(), time), "fresh");
  }
});

Deno.test("ReplayGuard.admit() keeps the last entries only", () => {
  const guard = new ReplayGuard({ window: 300, entry: 3 });
  const all = [request(), request(), request(), request()];
  for (const each of all) guard.see(each, TIME);
  const verdicts = all.toReversed().map(({ entry }) =>
    guard.see({ window: [fresh(), fresh(), fresh()], entry }, TIME)
  );
  assert.deepEqual(verdicts, ["seen", "seen", "seen", "fresh"]);
});
