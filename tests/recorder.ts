/**
 * @module
 * Requests of both protocols that replicas accepted, to be sent again, and what a sender sees of an outage.
 */
import assert from "node:assert/strict";
import type { Connection } from "../client/mod.ts";
import { waitUntil } from "./functions.ts";
import { pick, type Replica, statusOf } from "./replicas.ts";
import { connectTo, type registerProfile } from "./v2_client.ts";

/** What Redis has for a command: the default is missed now and then where other tests run. */
const TIMEOUT_MS = 1000;
/** Section of replicas whose outages are recorded. */
export const RECORDED = `Timeout=${TIMEOUT_MS}\n`;
/** Longest refusal that a sender may see while Redis gives no answer, in milliseconds. */
const REFUSAL_MS = TIMEOUT_MS + 50;
/** The same on a machine that is very busy; without a deadline, it would be for ever. */
const LONGEST_REFUSAL_MS = TIMEOUT_MS + 1250;
/** Longest time from an answer of Redis to an accepted request. */
const BACK_MS = 2000;

/**
 * Milliseconds that something takes, less those for which this process had to wait for a processor: the
 * servers wait as well where other tests run.
 */
async function timeOf(action: () => Promise<void>): Promise<number> {
  const TICK_MS = 10;
  let waitedMs = 0, lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    waitedMs += Math.max(0, nowMs - lastMs - 2 * TICK_MS);
    lastMs = nowMs;
  }, TICK_MS);
  const startMs = performance.now();
  await action().finally(() => clearInterval(timer));
  return performance.now() - startMs - 2 * waitedMs;
}

/** Requests of both protocols that were accepted, and a fresh one of each. */
export class Recorder {
  readonly bodies: string[] = [];
  readonly calls: Uint8Array<ArrayBuffer>[] = [];
  hellos = 0;
  readonly #replicas: readonly Replica[];
  readonly #seal: () => string;
  readonly #home: Connection;
  #count = 0;

  constructor(
    replicas: readonly Replica[],
    seal: () => string,
    profile: Awaited<ReturnType<typeof registerProfile>>,
  ) {
    this.#replicas = replicas;
    this.#seal = seal;
    this.#home = connectTo("http://127.0.0.1:1/v1", profile, {
      fetch: async (_, init): Promise<Response> => {
        const body = init.body as Uint8Array<ArrayBuffer>;
        const response = await fetch(`http://127.0.0.1:${pick(replicas).port}/v2`, init);
        if (body[0] === 1) this.hellos++;
        else if (response.status === 200) this.calls.push(body);
        return response;
      },
    });
  }

  /** Whether a new request of v1 is accepted. */
  async isAccepted(replica: Replica): Promise<boolean> {
    const body = this.#seal();
    const isAccepted = await statusOf(replica.server.url, body) === 200;
    if (isAccepted) this.bodies.push(body);
    return isAccepted;
  }

  /** Whether a new call of v2 runs. */
  async runs(): Promise<boolean> {
    const n = this.#count++;
    return await this.#home.call("once", { n }).then((result) => result === n, () => false);
  }

  /** Sends some accepted requests of both protocols. */
  async record(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      for (const replica of this.#replicas) {
        await waitUntil(() => this.isAccepted(replica), "an accepted request");
      }
      await waitUntil(() => this.runs(), "a call");
    }
  }

  /** Sends everything that was accepted to every replica again. */
  async replay(when: string): Promise<void> {
    for (const { port } of this.#replicas) {
      const all = [
        ...this.bodies.map((body) => statusOf(`http://127.0.0.1:${port}/v1`, body)),
        ...this.calls.map(async (body) => {
          const headers = { "content-type": "application/octet-stream" };
          const url = `http://127.0.0.1:${port}/v2`;
          const response = await fetch(url, { method: "POST", body, headers });
          await response.body?.cancel();
          return response.status;
        }),
      ];
      assert.deepEqual(new Set(await Promise.all(all)), new Set([401]), when);
    }
  }

  /** Refusals of new requests, each within its time. */
  async refusesFast(when: string): Promise<void> {
    const times: number[] = [];
    for (const { server } of this.#replicas) {
      times.push(
        await timeOf(async () => {
          assert.equal(await statusOf(server.url, this.#seal()), 401, when);
        }),
      );
    }
    // One of them at least got its turns in time where other tests run.
    assert.ok(Math.min(...times) < REFUSAL_MS, `${when}: refused after ${times} ms`);
    assert.ok(Math.max(...times) < LONGEST_REFUSAL_MS, `${when}: refused after ${times} ms`);
  }

  /** Waits until every replica accepts, and both protocols work. */
  async isBack(when: string): Promise<void> {
    const tookMs = await timeOf(async () => {
      for (const replica of this.#replicas) {
        await waitUntil(() => this.isAccepted(replica), `${when}: an accepted request`);
      }
    });
    assert.ok(tookMs < BACK_MS, `${when}: back after ${tookMs} ms`);
    await waitUntil(() => this.runs(), `${when}: a call`);
  }
}

/** Waits until no replica, or each, wants requests. */
export async function waitUntilReady(
  replicas: readonly Replica[],
  isReady: boolean,
): Promise<void> {
  for (const replica of replicas) {
    await waitUntil(async () => await replica.isReady() === isReady, `ready: ${isReady}`);
  }
}
