import assert from "node:assert/strict";
import { type CallLimits, CallQueue } from "../../../../lib/functions/calls/call_queue.ts";
import { WorkerSlot } from "../../../../lib/functions/calls/worker_slot.ts";
import {
  type CallNumber,
  type HostedCall,
  ResultWriter,
  type WrittenOutcome,
} from "../../../../lib/functions/wire/frames.ts";
import type { CallResult } from "../../../../lib/functions/types.ts";

/** A worker that writes down what it is sent. */
class RecordingSlot extends WorkerSlot {
  /** The calls that it got, message by message. */
  readonly batches: (readonly HostedCall[])[] = [];
  readonly aborted: CallNumber[] = [];

  constructor(worker = 0) {
    super(worker, {
      calls: (_, calls) => void this.batches.push([...calls]),
      abort: (_, { place, serial }) => void this.aborted.push({ place, serial }),
    });
  }

  get calls(): HostedCall[] {
    return this.batches.flat();
  }
}

type Answer = readonly [CallNumber, WrittenOutcome];

/** Has a worker report how calls ended. */
function report(
  queue: CallQueue,
  slot: WorkerSlot,
  hasReturned: boolean,
  answers: readonly Answer[],
): boolean {
  let isAsked = true;
  const writer = new ResultWriter(({ written }) => isAsked = queue.receive(slot, written));
  for (const [call, outcome] of answers) writer.add(call, outcome);
  writer.send(hasReturned);
  return isAsked;
}

const LIMITS: CallLimits = {
  timeoutMs: 60_000,
  queueLimit: 1000,
  maxResultBytes: 100,
  maxParamsBytes: 100,
  tellsCaller: false,
};

function makeQueue(limits: Partial<CallLimits> = {}): CallQueue {
  return new CallQueue({ ...LIMITS, ...limits });
}

function answer(calls: readonly CallNumber[], text = "done"): Answer[] {
  return calls.map((call) => [call, { kind: "text", text }]);
}

/** Calls of one turn of the event loop go to a worker together, at its end. */
async function dispatched(): Promise<void> {
  await Promise.resolve();
}

const DONE: CallResult = { ok: true, bytes: new TextEncoder().encode("done"), isJson: false };

/** The result of a call that must have one by now. */
async function settled(result: CallResult | Promise<CallResult>): Promise<CallResult> {
  let isPending = true;
  void Promise.resolve(result).then(() => isPending = false);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(isPending, false, "the call has no result yet");
  return await result;
}

Deno.test("CallQueue.call() waits for a worker, then takes its result", async () => {
  const queue = makeQueue();
  const slot = new RecordingSlot();
  const result = queue.call({});
  await dispatched();
  assert.equal(queue.length, 1);
  queue.useSlots([slot]);
  assert.deepEqual(slot.batches.length, 1);
  report(queue, slot, true, answer(slot.calls));
  assert.deepEqual(await settled(result), DONE);
  assert.equal(queue.length, 0);
});

Deno.test("CallQueue.call() passes params on as text, and leaves them out when there are none", async () => {
  const queue = makeQueue();
  const slot = new RecordingSlot();
  queue.useSlots([slot]);
  queue.call({ params: '{"a":1}' });
  await dispatched();
  await Promise.resolve();
  queue.call({});
  await dispatched();
  report(queue, slot, true, []);
  assert.deepEqual(slot.calls.map(({ params }) => params), ['{"a":1}', undefined]);
});

const OUTCOMES: { outcome: WrittenOutcome; result: CallResult }[] = [
  {
    outcome: { kind: "json", text: "{}" },
    result: { ok: true, bytes: new TextEncoder().encode("{}"), isJson: true },
  },
  {
    outcome: { kind: "error", text: "Error: no" },
    result: { ok: false, code: "function_failed", detail: "Error: no", executed: "yes" },
  },
  {
    outcome: { kind: "public", text: "It is locked", more: "1" },
    result: {
      ok: false,
      code: "function_failed",
      detail: "It is locked",
      executed: "yes",
      message: "It is locked",
      messageData: "1",
    },
  },
  {
    outcome: { kind: "params", text: "the member a", more: "/x" },
    result: {
      ok: false,
      code: "function_params",
      detail: "expected the member a",
      executed: "no",
      data: { path: "/x", expected: "the member a" },
    },
  },
  ...[
    { kind: "large", text: "" },
    { kind: "text", text: "x".repeat(101) },
    { kind: "json", text: "é".repeat(51) },
    { kind: "public", text: "x".repeat(51), more: "x".repeat(50) },
  ].map((outcome) => ({
    outcome: outcome as WrittenOutcome,
    result: {
      ok: false,
      code: "function_result_too_large",
      executed: "yes",
      detail: "100 bytes",
      data: { maxResultBytes: 100 },
    } as const,
  })),
  {
    outcome: { kind: "error", text: "é".repeat(9000) },
    result: { ok: false, code: "function_failed", detail: "é".repeat(2000), executed: "yes" },
  },
];

Deno.test("CallQueue.receive() tells results from errors", async () => {
  for (const { outcome, result } of OUTCOMES) {
    const queue = makeQueue();
    const slot = new RecordingSlot();
    queue.useSlots([slot]);
    const call = queue.call({});
    await dispatched();
    report(queue, slot, true, slot.calls.map((each) => [each, outcome]));
    assert.deepEqual(await settled(call), result);
  }
});

Deno.test("CallQueue.receive() believes a worker only what it was asked", async () => {
  const queue = makeQueue();
  const [slot, other] = [new RecordingSlot(0), new RecordingSlot(1)];
  queue.useSlots([slot]);
  const call = queue.call({});
  await dispatched();
  assert.equal(report(queue, other, true, answer(slot.calls, "forged")), false);
  assert.equal(queue.length, 1);
  const { place = 0, serial = 0 } = slot.calls[0] ?? {};
  const forged = [{ place: 4e9, serial }, { place, serial: serial + 1 }];
  for (const each of forged) assert.equal(report(queue, slot, false, answer([each])), false);
  assert.equal(queue.length, 1);
  const twice = [...answer(slot.calls), ...answer(slot.calls, "again")];
  assert.equal(report(queue, slot, true, twice), false);
  assert.equal(report(queue, slot, false, []), false, "nothing was asked");
  assert.equal(report(queue, slot, true, []), false, "it is free already");
  assert.equal(slot.running, 0);
  assert.deepEqual(await settled(call), DONE);
});

Deno.test("CallQueue gives a worker the next calls when it has taken the last ones, then more at once", async () => {
  const queue = makeQueue();
  const slot = new RecordingSlot();
  queue.useSlots([slot]);
  for (let i = 0; i < 20; i++) queue.call({});
  await dispatched();
  assert.deepEqual(slot.batches.map(({ length }) => length), [1]);
  for (let i = 0; i < 4; i++) report(queue, slot, true, answer(slot.batches.at(-1) ?? []));
  assert.deepEqual(slot.batches.map(({ length }) => length), [1, 2, 4, 8, 5]);
});

Deno.test("CallQueue spreads calls over the workers, to the one that runs the fewest", async () => {
  const queue = makeQueue();
  const slots = [0, 1, 2].map((worker) => new RecordingSlot(worker));
  queue.useSlots(slots);
  for (let i = 0; i < 6; i++) {
    queue.call({});
    await dispatched();
    // They take a call at once and run it for long.
    for (const slot of slots) if (slot.busySinceMs !== undefined) report(queue, slot, true, []);
  }
  assert.deepEqual(slots.map(({ calls }) => calls.length), [2, 2, 2]);
});

Deno.test("CallQueue refuses calls beyond its limit at once", async () => {
  const queue = makeQueue({ queueLimit: 2 });
  queue.call({});
  await dispatched();
  queue.call({});
  await dispatched();
  assert.deepEqual(queue.call({}), {
    ok: false,
    code: "function_busy",
    detail: "2 calls wait or run",
    executed: "no",
    data: { retryAfterMs: 1000 },
  });
  const large = makeQueue().call({ params: "é".repeat(51) });
  assert.ok(!(large instanceof Promise) && !large.ok && large.code === "function_params");
});

Deno.test("CallQueue.expire() answers calls that wait and calls that run, and tells the worker", async () => {
  const queue = makeQueue({ timeoutMs: 10 });
  const slot = new RecordingSlot();
  queue.useSlots([slot]);
  const calls = [queue.call({}), queue.call({})];
  await dispatched();
  queue.expire(performance.now());
  assert.equal(queue.length, 2, "too early");
  queue.expire(performance.now() + 11);
  const results = await Promise.all(calls.map(settled));
  assert.deepEqual(results, [
    { ok: false, code: "function_timed_out", executed: "yes", data: { timeoutMs: 10 } },
    {
      ok: false,
      code: "function_busy",
      detail: "no worker was free for the call's Timeout",
      executed: "no",
      data: { retryAfterMs: 1000 },
    },
  ]);
  assert.deepEqual(slot.aborted, slot.calls.map(({ place, serial }) => ({ place, serial })));
  assert.equal(slot.awaited, 0);
  report(queue, slot, true, answer(slot.calls));
  assert.equal(slot.running, 0);
  assert.equal(slot.calls.length, 1, "what waited is never sent");
});

Deno.test("CallQueue.stuckness() sees a worker that keeps calls, and one that leaves them behind", async () => {
  const queue = makeQueue({ timeoutMs: 100, queueLimit: 2 });
  const slot = new RecordingSlot();
  queue.useSlots([slot]);
  queue.call({});
  await dispatched();
  assert.equal(queue.stuckness(performance.now()), undefined);
  assert.equal(queue.stuckness(performance.now() + 101), "is stuck");
  for (let i = 0; i < 3; i++) {
    report(queue, slot, true, []);
    queue.expire(performance.now() + 101);
    if (i < 2) queue.call({});
    await dispatched();
  }
  assert.equal(queue.stuckness(performance.now()), "leaves calls behind");
});

Deno.test("CallQueue: calls that wait go to the next workers, those that run never do", async () => {
  const queue = makeQueue();
  const [old, next] = [new RecordingSlot(0), new RecordingSlot(1)];
  queue.useSlots([old]);
  const running = queue.call({});
  await dispatched();
  const waiting = queue.call({});
  await dispatched();
  queue.useSlots([next]);
  assert.deepEqual([old.calls.length, next.calls.length], [1, 1]);
  assert.notDeepEqual(old.calls, next.calls);
  queue.failSlots([old], "its process ended");
  assert.deepEqual(await settled(running), {
    ok: false,
    code: "function_failed",
    detail: "its process ended",
    executed: "maybe",
  });
  report(queue, next, true, answer(next.calls));
  assert.equal((await settled(waiting)).ok, true);
});

Deno.test("CallQueue.failWaiting() leaves calls that run alone", async () => {
  const queue = makeQueue();
  const slot = new RecordingSlot();
  queue.useSlots([slot]);
  queue.call({});
  await dispatched();
  const waiting = queue.call({});
  await dispatched();
  queue.failWaiting("gone");
  assert.deepEqual(await settled(waiting), {
    ok: false,
    code: "function_failed",
    detail: "gone",
    executed: "no",
  });
  assert.equal(queue.length, 1);
});

Deno.test("CallQueue.failAll() answers calls that run too, and tells their workers", async () => {
  const queue = makeQueue();
  const slot = new RecordingSlot();
  queue.useSlots([slot]);
  const calls = [queue.call({}), queue.call({})];
  await dispatched();
  queue.failAll("forbidden");
  const results = await Promise.all(calls.map(settled));
  assert.deepEqual(results.map((each) => !each.ok && each.executed), ["maybe", "no"]);
  assert.deepEqual(slot.aborted, slot.calls.map(({ place, serial }) => ({ place, serial })));
});

Deno.test("CallQueue tells who calls only where the function may know", async () => {
  for (const tellsCaller of [true, false]) {
    const queue = makeQueue({ tellsCaller });
    const slot = new RecordingSlot();
    queue.useSlots([slot]);
    queue.call({ client: "Anna" });
    await dispatched();
    assert.deepEqual(slot.calls.map(({ client }) => client), [tellsCaller ? "Anna" : undefined]);
  }
});
