import assert from "node:assert/strict";
import fc from "fast-check";
import { Box } from "../../../lib/crypto/box.ts";
import type { ClaimResult, NonceClaim } from "../../../lib/replay/claims.ts";
import { MemoryClaims } from "../../../lib/replay/memory.ts";

const box = await Box.load();

type Nonces = NonceClaim["nonces"];

function fresh(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(24));
}

function freshNonces(): Nonces {
  return [fresh(), fresh(), fresh(), fresh()];
}

/** A request with some of its nonces replaced. */
function withNonce(nonces: Nonces, place: number, nonce: Uint8Array): Nonces {
  return nonces.map((each, i) => i === place ? nonce : each) as unknown as Nonces;
}

interface Sizes {
  readonly windowRequests: number;
  readonly entryRequests: number;
}

class Claimer {
  readonly claims: MemoryClaims;
  limitsReached = 0;

  constructor(sizes: Sizes = { windowRequests: 1000, entryRequests: 1000 }) {
    const observer = {
      limitReached: (): void => void this.limitsReached++,
      fault: assert.fail,
      recovered: assert.fail,
    };
    this.claims = new MemoryClaims({ box, ...sizes, observer });
  }

  claim(
    nonces: Nonces,
    claim: { owner?: number; now?: number; expires?: number; ttl?: number } = {},
  ): ClaimResult {
    const { owner = 1, now = 1000, ttl = 30 } = claim;
    const { expires = now + ttl } = claim;
    return this.claims.claim({
      nonces,
      owner,
      sentAtSeconds: expires - ttl,
      expiresAtSeconds: expires,
      nowSeconds: now,
    });
  }
}

Deno.test("MemoryClaims.claim() accepts a request once", () => {
  const claimer = new Claimer();
  const first = freshNonces();
  assert.equal(claimer.claim(first), "fresh");
  assert.equal(claimer.claim(first), "replayed");
  assert.equal(claimer.claim(freshNonces()), "fresh");
});

Deno.test("MemoryClaims.claim() compares the first 24 bytes of each value", () => {
  const claimer = new Claimer();
  const nonces = freshNonces();
  const sealed = nonces.map((each) => Uint8Array.of(...each, 1, 2)) as unknown as Nonces;
  const resealed = nonces.map((each) => Uint8Array.of(...each, 3)) as unknown as Nonces;
  assert.equal(claimer.claim(sealed), "fresh");
  assert.equal(claimer.claim(resealed), "replayed");
});

Deno.test("MemoryClaims.claim() refuses any nonce of an accepted request, in any place", () => {
  const claimer = new Claimer();
  const known = freshNonces();
  claimer.claim(known);
  for (const nonce of known) {
    for (let place = 0; place < 4; place++) {
      assert.equal(claimer.claim(withNonce(freshNonces(), place, nonce)), "replayed", `${place}`);
    }
  }
});

Deno.test("MemoryClaims.claim() remembers nothing of a request that it refuses", () => {
  const claimer = new Claimer();
  const known = freshNonces(), mixed = withNonce(freshNonces(), 3, known[3]);
  claimer.claim(known);
  assert.equal(claimer.claim(mixed), "replayed");
  assert.equal(claimer.claim(withNonce(mixed, 3, fresh())), "fresh");
});

Deno.test("MemoryClaims.claim() remembers the window to its last second, entries beyond it", () => {
  const claimer = new Claimer();
  const known = freshNonces();
  claimer.claim(known, { now: 1000, expires: 1030 });
  assert.equal(claimer.claim(withNonce(known, 3, fresh()), { now: 1030 }), "replayed");
  const spliced = withNonce(freshNonces(), 3, known[3]);
  assert.equal(claimer.claim(withNonce(known, 3, fresh()), { now: 1031 }), "fresh");
  assert.equal(claimer.claim(spliced, { now: 90_000 }), "replayed");
});

Deno.test("MemoryClaims.claim() refuses replays when the clock jumps ahead and back", () => {
  const claimer = new Claimer();
  const known = freshNonces();
  claimer.claim(known);
  claimer.claim(freshNonces(), { now: 5000 });
  assert.equal(claimer.claim(known), "replayed");
});

Deno.test("MemoryClaims.claim() forgets nothing that has not expired: it refuses when the window is full", () => {
  const claimer = new Claimer({ windowRequests: 100, entryRequests: 1000 });
  const accepted: Nonces[] = [];
  for (let owner = 0; owner < 100; owner++) {
    const nonces = freshNonces();
    if (claimer.claim(nonces, { owner, ttl: 100, expires: 1030 + owner }) === "fresh") {
      accepted.push(nonces);
    }
  }
  assert.equal(accepted.length, 100, "one each, to the last place");
  assert.equal(claimer.claim(freshNonces(), { owner: 1000 }), "memory_full");
  assert.equal(claimer.limitsReached, 1);
  for (const each of accepted) assert.equal(claimer.claim(withNonce(each, 3, fresh())), "replayed");
  assert.deepEqual(claimer.claims.fill.window, { used: 100, capacity: 100 });
  assert.equal(claimer.claim(freshNonces(), { now: 1031 }), "fresh", "some have expired");
});

Deno.test("MemoryClaims.claim() leaves room for other clients, however many requests one client sends", () => {
  const claimer = new Claimer({ windowRequests: 900, entryRequests: 1000 });
  const take = (owner: number): number => {
    let count = 0;
    while (claimer.claim(freshNonces(), { owner }) === "fresh") count++;
    return count;
  };
  assert.equal(take(1), 800, "8/9 for one that is alone");
  assert.equal(take(2), 89);
  for (let owner = 3; owner < 10; owner++) {
    assert.equal(claimer.claim(freshNonces(), { owner }), "fresh", `owner ${owner}`);
  }
  assert.equal(claimer.claim(freshNonces(), { owner: 1 }), "memory_full");
  const later = { owner: 1, now: 1031 };
  for (let i = 0; i < 100; i++) assert.equal(claimer.claim(freshNonces(), later), "fresh");
});

Deno.test("MemoryClaims.claim() reuses expired slots", () => {
  const claimer = new Claimer({ windowRequests: 6, entryRequests: 4 });
  for (let now = 1000; now < 2000; now += 10) {
    for (let i = 0; i < 2; i++) {
      assert.equal(claimer.claim(freshNonces(), { now, expires: now + 5 }), "fresh");
    }
  }
  assert.equal(claimer.limitsReached, 0);
});

Deno.test("MemoryClaims.claim() keeps only the latest entries", () => {
  const claimer = new Claimer({ windowRequests: 100, entryRequests: 3 });
  const all = [freshNonces(), freshNonces(), freshNonces(), freshNonces()];
  for (const each of all) claimer.claim(each);
  const results = all.toReversed().map(([, , , entry]) =>
    claimer.claim(withNonce(freshNonces(), 3, entry))
  );
  assert.deepEqual(results, ["replayed", "replayed", "replayed", "fresh"]);
});

Deno.test("MemoryClaims.claim() remembers a request that is too early until its time is over", () => {
  const claimer = new Claimer();
  const early = freshNonces();
  const time = { now: 1000, expires: 1000 + 3600 + 30 };
  assert.equal(claimer.claim(early, time), "fresh");
  assert.equal(
    claimer.claim(withNonce(early, 3, fresh()), { now: 4600, expires: 4630 }),
    "replayed",
  );
  const muchTooEarly = { now: 1000, expires: 1000 + 100_000 };
  assert.equal(claimer.claim(freshNonces(), muchTooEarly), "memory_full");
});

Deno.test("MemoryClaims.claim() gives requests that are too early a small share", () => {
  const claimer = new Claimer({ windowRequests: 900, entryRequests: 1000 });
  let count = 0;
  while (claimer.claim(freshNonces(), { now: 1000, expires: 80_000 }) === "fresh") count++;
  assert.equal(count, 100);
  assert.equal(claimer.limitsReached, 0);
  assert.equal(claimer.claim(freshNonces()), "fresh");
});

Deno.test("MemoryClaims.claim() stays fast when every second of the longest RequestTTL is in use", () => {
  const ttl = 86_400, now = 1_800_000_000, count = 2 * ttl + 1;
  const claimer = new Claimer({ windowRequests: 2 * count, entryRequests: count });
  for (let expires = now; expires <= now + 2 * ttl; expires++) {
    assert.equal(claimer.claim(freshNonces(), { now, ttl, expires }), "fresh");
  }
  const start = performance.now();
  for (let later = 1; later <= 1000; later++) {
    const claim = { now: now + later, ttl, expires: now + later + 2 * ttl };
    assert.equal(claimer.claim(freshNonces(), claim), "fresh");
  }
  const milliseconds = performance.now() - start;
  assert.ok(milliseconds < 1000, `1,000 claims took ${milliseconds} ms`);
  assert.equal(claimer.claims.fill.window.used, count);
});

Deno.test("MemoryClaims.claim() behaves like a list of all requests, in any order", () => {
  const request = fc.record({
    nonces: fc.tuple(fc.nat(30), fc.nat(30), fc.nat(30), fc.nat(30)),
    expires: fc.integer({ min: 1000, max: 1100 }),
    now: fc.integer({ min: 1000, max: 1050 }),
  });
  const nonceOf = (n: number, place: number): Uint8Array => {
    const nonce = new Uint8Array(24);
    nonce[0] = n;
    nonce[1] = place;
    return nonce;
  };
  fc.assert(fc.property(fc.array(request, { maxLength: 60 }), (requests) => {
    const claimer = new Claimer({ windowRequests: 1000, entryRequests: 1000 });
    const window = new Map<string, number>();
    const entries = new Set<string>();
    let latest = 0;
    for (const { nonces, expires, now } of requests) {
      // Nothing that has expired may come back to life when the clock jumps back.
      latest = Math.max(latest, now);
      const values = nonces.map(nonceOf) as unknown as Nonces;
      const names = values.map(String);
      const isLive = (name: string): boolean => (window.get(name) ?? 0) >= now;
      const isSurelyKnown = names.some((name) => entries.has(name) || isLive(name));
      const mayBeKnown = names.some((name) => entries.has(name) || window.has(name));
      const result = claimer.claim(values, { now, expires });
      if (isSurelyKnown && latest === now) assert.equal(result, "replayed");
      if (!mayBeKnown) assert.equal(result, "fresh");
      if (result !== "fresh") continue;
      for (const name of names.slice(0, 3)) window.set(name, expires);
      entries.add(names[3] ?? "");
    }
  }));
});

Deno.test("MemoryClaims.settle() resolves when the claims of a turn are on disk, for one write", async () => {
  const folder = await Deno.makeTempDir({ prefix: "msp-test-" });
  const observer = { limitReached: assert.fail, fault: assert.fail, recovered: assert.fail };
  const nowSeconds = 1_000_000;
  const open = (now: number): MemoryClaims =>
    new MemoryClaims({
      box,
      windowRequests: 1000,
      entryRequests: 1000,
      journal: { folder },
      observer,
      nowSeconds: () => now,
    });
  const claim = (claims: MemoryClaims, nonces: Nonces): ClaimResult =>
    claims.claim({
      nonces,
      owner: 1,
      sentAtSeconds: nowSeconds + 10,
      expiresAtSeconds: nowSeconds + 40,
      nowSeconds,
    });
  const bytesInFolder = (): number =>
    Array.from(Deno.readDirSync(folder)).reduce(
      (sum, { name }) => sum + Deno.statSync(`${folder}/${name}`).size,
      0,
    );
  const first = open(nowSeconds), requests = [freshNonces(), freshNonces()];
  const before = bytesInFolder();
  const settled = requests.map((nonces) => {
    assert.equal(claim(first, nonces), "fresh");
    return first.settle();
  });
  assert.equal(settled[0], settled[1], "both wait for the same write");
  assert.equal(bytesInFolder(), before, "which has not happened yet");
  await settled[0];
  assert.ok(bytesInFolder() > before);
  // Without a close: as after a kill.
  const second = open(nowSeconds + 1);
  for (const nonces of requests) assert.equal(claim(second, nonces), "replayed");
  assert.notEqual(first.settle(), settled[0], "later claims get a write of their own");
  await first.settle();
  first.close();
  second.close();
  await Deno.remove(folder, { recursive: true });
});
