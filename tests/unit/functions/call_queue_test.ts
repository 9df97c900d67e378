import assert from "node:assert/strict";
import { type CallLimits, CallQueue, WorkerSlot } from "../../../lib/functions/call_queue.ts";
import type { CallOutcome, ToHost } from "../../../lib/functions/messages.ts";
import type { CallResult } from "../../../lib/functions/types.ts";

/** A worker that writes down what it is sent. */
class RecordingSlot extends WorkerSlot {
  readonly sent: ToHost[];

  constructor(worker = 0) {
    const sent: ToHost[] = [];
    super(worker, (message) => sent.push(message));
    this.sent = sent;
  }

  /** Ids of the calls that it got, message by message. */
  get batches(): readonly (readonly number[])[] {
    return this.sent.flatMap((message) => message[0] === "call" ? [message[2]] : []);
  }

  get ids(): number[] {
    return this.batches.flat();
  }
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

function answer(ids: readonly number[], text = "done"): CallOutcome[] {
  return ids.map((id) => [id, "text", text]);
}

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
  assert.equal(queue.length, 1);
  queue.useSlots([slot]);
  assert.deepEqual(slot.batches.length, 1);
  queue.receive(slot, true, answer(slot.ids));
  assert.deepEqual(await settled(result), { ok: true, text: "done", isJson: false });
  assert.equal(queue.length, 0);
});

Deno.test("CallQueue.call() passes params on as text, and leaves them out when there are none", () => {
  const queue = makeQueue();
  const slot = new RecordingSlot();
  queue.useSlots([slot]);
  queue.call({ params: '{"a":1}' });
  queue.call({});
  queue.receive(slot, true, []);
  assert.deepEqual(slot.sent.map((message) => message.slice(3)), [[[['{"a":1}']]], []]);
});

const OUTCOMES: { outcome: (id: number) => CallOutcome; result: CallResult }[] = [
  { outcome: (id) => [id, "json", "{}"], result: { ok: true, text: "{}", isJson: true } },
  {
    outcome: (id) => [id, "error", "Error: no"],
    result: { ok: false, code: "function_failed", detail: "Error: no", executed: "yes" },
  },
  {
    outcome: (id) => [id, "public", "It is locked", "1"],
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
    outcome: (id) => [id, "params", "the member a", "/x"],
    result: {
      ok: false,
      code: "function_params",
      detail: "expected the member a",
      executed: "no",
      data: { path: "/x", expected: "the member a" },
    },
  },
  {
    outcome: (id) => [id, "large", ""],
    result: {
      ok: false,
      code: "function_result_too_large",
      executed: "yes",
      detail: "100 bytes",
      data: { maxResultBytes: 100 },
    },
  },
];

Deno.test("CallQueue.receive() tells results from errors", async () => {
  for (const { outcome, result } of OUTCOMES) {
    const queue = makeQueue();
    const slot = new RecordingSlot();
    queue.useSlots([slot]);
    const call = queue.call({});
    queue.receive(slot, true, slot.ids.map(outcome));
    assert.deepEqual(await settled(call), result);
  }
});

Deno.test("CallQueue.receive() believes a worker only what it was asked", async () => {
  const queue = makeQueue();
  const [slot, other] = [new RecordingSlot(0), new RecordingSlot(1)];
  queue.useSlots([slot]);
  const call = queue.call({});
  queue.receive(other, true, answer(slot.ids, "forged"));
  assert.equal(queue.length, 1);
  queue.receive(slot, true, [...answer(slot.ids), ...answer(slot.ids, "again"), [
    9e9,
    "text",
    "x",
  ]]);
  assert.deepEqual(await settled(call), { ok: true, text: "done", isJson: false });
});

Deno.test("CallQueue gives a worker the next calls when it has taken the last ones, then more at once", () => {
  const queue = makeQueue();
  const slot = new RecordingSlot();
  queue.useSlots([slot]);
  for (let i = 0; i < 20; i++) queue.call({});
  assert.deepEqual(slot.batches.map(({ length }) => length), [1]);
  for (let i = 0; i < 4; i++) queue.receive(slot, true, answer(slot.batches.at(-1) ?? []));
  assert.deepEqual(slot.batches.map(({ length }) => length), [1, 2, 4, 8, 5]);
});

Deno.test("CallQueue spreads calls over the workers, to the one that runs the fewest", () => {
  const queue = makeQueue();
  const slots = [0, 1, 2].map((worker) => new RecordingSlot(worker));
  queue.useSlots(slots);
  for (let i = 0; i < 6; i++) {
    queue.call({});
    // They take a call at once and run it for long.
    for (const slot of slots) if (slot.busySinceMs !== undefined) queue.receive(slot, true, []);
  }
  assert.deepEqual(slots.map(({ ids }) => ids.length), [2, 2, 2]);
});

Deno.test("CallQueue refuses calls beyond its limit at once", () => {
  const queue = makeQueue({ queueLimit: 2 });
  queue.call({});
  queue.call({});
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
  assert.deepEqual(slot.sent.at(-1), ["abort", 0, slot.ids]);
  assert.equal(slot.awaited, 0);
  queue.receive(slot, true, answer(slot.ids));
  assert.equal(slot.running, 0);
  assert.equal(slot.ids.length, 1, "what waited is never sent");
});

Deno.test("CallQueue.stuckness() sees a worker that keeps calls, and one that leaves them behind", () => {
  const queue = makeQueue({ timeoutMs: 100, queueLimit: 2 });
  const slot = new RecordingSlot();
  queue.useSlots([slot]);
  queue.call({});
  assert.equal(queue.stuckness(performance.now()), undefined);
  assert.equal(queue.stuckness(performance.now() + 101), "is stuck");
  for (let i = 0; i < 3; i++) {
    queue.receive(slot, true, []);
    queue.expire(performance.now() + 101);
    if (i < 2) queue.call({});
  }
  assert.equal(queue.stuckness(performance.now()), "leaves calls behind");
});

Deno.test("CallQueue: calls that wait go to the next workers, those that run never do", async () => {
  const queue = makeQueue();
  const [old, next] = [new RecordingSlot(0), new RecordingSlot(1)];
  queue.useSlots([old]);
  const running = queue.call({});
  const waiting = queue.call({});
  queue.useSlots([next]);
  assert.deepEqual([old.ids.length, next.ids.length], [1, 1]);
  assert.notDeepEqual(old.ids, next.ids);
  queue.failSlots([old], "its process ended");
  assert.deepEqual(await settled(running), {
    ok: false,
    code: "function_failed",
    detail: "its process ended",
    executed: "maybe",
  });
  queue.receive(next, true, answer(next.ids));
  assert.equal((await settled(waiting)).ok, true);
});

Deno.test("CallQueue.failWaiting() leaves calls that run alone", async () => {
  const queue = makeQueue();
  const slot = new RecordingSlot();
  queue.useSlots([slot]);
  queue.call({});
  const waiting = queue.call({});
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
  queue.failAll("forbidden");
  const results = await Promise.all(calls.map(settled));
  assert.deepEqual(results.map((each) => !each.ok && each.executed), ["maybe", "no"]);
  assert.deepEqual(slot.sent.at(-1), ["abort", 0, slot.ids]);
});

Deno.test("CallQueue tells who calls only where the function may know", () => {
  for (const tellsCaller of [true, false]) {
    const queue = makeQueue({ tellsCaller });
    const slot = new RecordingSlot();
    queue.useSlots([slot]);
    queue.call({ client: "Anna" });
    assert.deepEqual(slot.sent[0]?.slice(3), tellsCaller ? [[[null, "Anna"]]] : []);
  }
});
