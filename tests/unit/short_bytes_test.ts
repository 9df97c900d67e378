/**
 * @module
 * Memory that is used again: padded as the client's library pads, and never given twice.
 */
import assert from "node:assert/strict";
import { padText } from "../../client/messages.ts";
import { RandomPool } from "../../lib/crypto/random_pool.ts";
import { Padding } from "../../lib/protocol/padding.ts";
import { ShortBytes } from "../../lib/short_bytes.ts";

Deno.test("Padding.pad() gives what padText() gives, whatever was padded before", () => {
  const padding = new Padding();
  const texts = ["", "x", "x".repeat(64), "€".repeat(2048), "x".repeat(63), "ü".repeat(2049), "y"];
  for (const text of texts) assert.deepEqual(padding.pad(text), padText(text), `${text.length}`);
});

Deno.test("ShortBytes.take() gives every byte once", () => {
  const memory = new ShortBytes();
  const taken = Array.from({ length: 500 }, (_, i) => memory.take(1 + i % 3000).fill(i % 251));
  taken.forEach((bytes, i) => {
    assert.equal(bytes.length, 1 + i % 3000);
    assert.ok(bytes.every((byte) => byte === i % 251), `${i}`);
  });
});

Deno.test("RandomPool gives every draw other bytes, also across the end of its pool", () => {
  const pool = new RandomPool();
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const bytes = new Uint8Array(24);
    pool.fill(bytes, 20);
    assert.deepEqual([...bytes.subarray(20)], [0, 0, 0, 0]);
    seen.add(bytes.join());
  }
  assert.equal(seen.size, 2000);
});
