import assert from "node:assert/strict";
import { WorkBudget } from "../../../lib/limits/budget.ts";
import { FailureCounter, networkOf } from "../../../lib/limits/failures.ts";

Deno.test("WorkBudget gives a share of the time, and a burst after a pause", () => {
  let now = 0;
  const budget = new WorkBudget(0.25, () => now);
  assert.equal(budget.allowanceMs, 100);
  budget.spend(150);
  assert.equal(budget.allowanceMs, -50);
  assert.equal(budget.pauseMs, 200);
  now += 200;
  assert.equal(budget.pauseMs, 0);
  now += 10_000;
  assert.equal(budget.allowanceMs, 100, "no more than the burst");
});

Deno.test("FailureCounter counts by address and minute, within its limit", () => {
  const counter = new FailureCounter({ perMinute: 2, addresses: 10_000 });
  counter.add("192.0.2.1", 0);
  assert.ok(!counter.isOverLimit("192.0.2.1", 0));
  counter.add("192.0.2.1", 59);
  assert.ok(counter.isOverLimit("192.0.2.1", 59));
  assert.ok(!counter.isOverLimit("192.0.2.2", 59));
  assert.ok(!counter.isOverLimit("192.0.2.1", 60));
  counter.add("192.0.2.1", 60);
  assert.ok(!counter.isOverLimit("192.0.2.1", 60));
  for (let i = 0; i < 10_000; i++) counter.add(`10.0.${i >> 8}.${i & 255}`, 60);
  counter.add("192.0.2.1", 60);
  assert.ok(!counter.isOverLimit("192.0.2.1", 60), "the oldest was forgotten");
});

const NETWORKS = [
  { address: "192.0.2.1", network: "192.0.2.1" },
  { address: "2001:db8:1:2:3:4:5:6", network: "2001:db8:1:2::/64" },
  { address: "2001:db8::1", network: "2001:db8:0:0::/64" },
  { address: "::1", network: "0:0:0:0::/64" },
  { address: "2001:0db8::", network: "2001:db8:0:0::/64" },
  { address: "fe80::1:2:3:4", network: "fe80:0:0:0::/64" },
];

Deno.test("networkOf() is the address of IPv4 and the /64 network of IPv6", () => {
  assert.ok(NETWORKS.length > 0);
  for (const { address, network } of NETWORKS) assert.equal(networkOf(address), network);
});
