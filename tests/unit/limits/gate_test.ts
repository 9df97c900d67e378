import assert from "node:assert/strict";
import { RequestGate } from "../../../lib/limits/gate.ts";
import { RefusalClock } from "../../../lib/limits/refusal_clock.ts";

Deno.test("RequestGate.enter() counts each address, IPv6 by its network", () => {
  const gate = new RequestGate({ requests: 100, requestsPerAddress: 2, makeRoom: () => false });
  const refusal = "address_full";
  assert.equal(gate.enter("2001:db8::1"), undefined);
  assert.equal(gate.enter("2001:db8::2"), undefined);
  assert.equal(gate.enter("2001:db8::3")?.code, refusal);
  assert.equal(gate.enter("2001:db8:0:1::1"), undefined);
  assert.equal(gate.enter("192.0.2.1"), undefined);
  gate.leave("2001:db8::1");
  assert.equal(gate.enter("2001:db8::3"), undefined);
  assert.equal(gate.enter("2001:db8::3")?.code, refusal);
});

Deno.test("RequestGate.enter() asks for room when all slots are occupied", () => {
  let isThereRoom = true;
  const gate = new RequestGate({
    requests: 1,
    requestsPerAddress: 100,
    makeRoom: () => isThereRoom,
  });
  assert.equal(gate.enter("192.0.2.1"), undefined);
  assert.equal(gate.enter("192.0.2.2"), undefined);
  isThereRoom = false;
  assert.equal(gate.enter("192.0.2.3")?.code, "server_full");
  gate.leave("192.0.2.1");
  gate.leave("192.0.2.2");
  assert.equal(gate.enter("192.0.2.3"), undefined);
});

Deno.test("RefusalClock.hold() releases requests of one moment together, whenever they were refused", async () => {
  const clock = new RefusalClock();
  const start = performance.now();
  const begun = clock.begin();
  const times: number[] = [];
  const release = async (): Promise<void> => {
    await clock.hold(begun);
    times.push(performance.now() - start);
  };
  const early = release();
  // What takes longer to be refused is work that holds the event loop.
  while (performance.now() - start < 8);
  await Promise.all([early, release()]);
  const [first = 0, second = 0] = times;
  assert.ok(first >= 20, `${first} ms`);
  assert.ok(second - first < 10, `${second - first} ms apart`);
  clock.close();
});

Deno.test("RefusalClock.hold() releases a late request at the next tick", async () => {
  const clock = new RefusalClock();
  const begun = clock.begin();
  await clock.hold(begun);
  const start = performance.now();
  await clock.hold(begun);
  assert.ok(performance.now() - start < 500);
  clock.close();
});
