import assert from "node:assert/strict";
import { Pauses, Retry } from "../../lib/retry.ts";

const PAUSES: { why: string; options: object; attempts: number[]; pauses: number[] }[] = [
  {
    why: "doubles up to the longest pause",
    options: { firstPauseMs: 1, longestPauseMs: 6 },
    attempts: [0, 0, 0, 0, 0],
    pauses: [1, 2, 4, 6, 6],
  },
  {
    why: "never exceeds the longest pause, not even first",
    options: { firstPauseMs: 10, longestPauseMs: 5 },
    attempts: [0, 0],
    pauses: [5, 5],
  },
  {
    why: "rests ten times as long as an attempt took",
    options: { firstPauseMs: 1, longestPauseMs: 8 },
    attempts: [0, 100, 0.1],
    pauses: [1, 1000, 4],
  },
  { why: "has defaults", options: {}, attempts: [0, 0], pauses: [1000, 2000] },
];

Deno.test("Pauses.next() grows within its limits", () => {
  assert.ok(PAUSES.length > 0);
  for (const { why, options, attempts, pauses } of PAUSES) {
    const subject = new Pauses(options);
    assert.deepEqual(attempts.map((each) => subject.next(each)), pauses, why);
    subject.reset();
    assert.equal(subject.next(), pauses[0], `${why}, after a reset`);
  }
});

/** A thing that fails as often as it is told. */
class Flaky {
  readonly events: string[] = [];
  readonly retry: Retry;
  readonly recovered: Promise<void>;
  attempts = 0;
  failures: number;

  constructor(failures: number) {
    this.failures = failures;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.recovered = promise;
    this.retry = new Retry({
      firstPauseMs: 1,
      longestPauseMs: 4,
      attempt: () => {
        this.attempts++;
        if (this.failures-- > 0) throw new Error(`failure ${this.attempts}`);
      },
      onFault: (error) => this.events.push(`fault: ${error}`),
      onRecovered: () => {
        this.events.push("recovered");
        resolve();
      },
    });
  }
}

Deno.test("Retry.now() says nothing when the first attempt works", async () => {
  const flaky = new Flaky(0);
  assert.equal(await flaky.retry.now(), true);
  assert.deepEqual(flaky.events, []);
  assert.equal(flaky.retry.isFailing, false);
});

Deno.test("Retry tries until it works, and reports the outage once and its end once", async () => {
  const flaky = new Flaky(5);
  assert.equal(await flaky.retry.now(), false);
  assert.equal(flaky.retry.isFailing, true);
  await flaky.recovered;
  assert.equal(flaky.attempts, 6);
  assert.equal(flaky.retry.isFailing, false);
  assert.deepEqual(flaky.events, ["fault: Error: failure 1", "recovered"]);
});

Deno.test("Retry.failed() begins an outage of what worked, and a second one is reported again", async () => {
  const flaky = new Flaky(0);
  await flaky.retry.now();
  flaky.retry.failed(new Error("broke"));
  flaky.retry.failed(new Error("broke more"));
  await flaky.recovered;
  flaky.retry.failed(new Error("broke again"));
  flaky.retry.close();
  assert.deepEqual(flaky.events, ["fault: Error: broke", "recovered", "fault: Error: broke again"]);
});

Deno.test("Retry.now() skips the pause", async () => {
  let attempts = 0;
  const retry = new Retry({
    firstPauseMs: 1e9,
    longestPauseMs: 1e9,
    attempt: () => {
      if (++attempts === 1) throw new Error("first");
    },
  });
  assert.equal(await retry.now(), false);
  assert.equal(await retry.now(), true);
  assert.equal(attempts, 2);
});

Deno.test("Retry runs one attempt at a time", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let attempts = 0;
  const retry = new Retry({
    attempt(): Promise<void> {
      attempts++;
      return promise;
    },
  });
  const first = retry.now();
  await retry.now();
  assert.equal(attempts, 1);
  resolve();
  assert.equal(await first, true);
});

Deno.test("Retry.close() ends it: no attempt and no report follow", async () => {
  const { promise, reject } = Promise.withResolvers<void>();
  const events: string[] = [];
  const retry = new Retry({
    attempt: () => promise,
    firstPauseMs: 1,
    onFault: () => events.push("fault"),
    onRecovered: () => events.push("recovered"),
  });
  const running = retry.now();
  retry.close();
  reject(new Error("late"));
  await running;
  await retry.now();
  assert.deepEqual(events, []);
});
