import assert from "node:assert/strict";
import { SILENT } from "../../../lib/observer.ts";
import { SharedRing } from "../../../lib/protocol/shared_ring.ts";
import { Tickets } from "../../../lib/protocol/tickets.ts";
import { RedisLink } from "../../../lib/redis/link.ts";
import { testIf } from "../../conditions.ts";
import { waitUntil } from "../../functions.ts";
import { TempFolder } from "../../program.ts";
import { HAS_REDIS, NO_REDIS, RedisServer } from "../../redis_server.ts";
import { IMPLEMENTATIONS } from "../../v2_vectors.ts";

const { cipher } = IMPLEMENTATIONS[1] ?? {};
assert.ok(cipher);
const sodium = cipher;
const SESSION = {
  publicKey: new Uint8Array(32).fill(1),
  callKey: new Uint8Array(32).fill(2),
  answerKey: new Uint8Array(32).fill(3),
};

/** A replica, as far as tickets go. */
async function replicaOf(
  port: number,
  { wrappingKey = new Uint8Array(32), lifetimeSeconds = 2 } = {},
): Promise<{ link: RedisLink; ring: SharedRing; tickets: Tickets; [Symbol.dispose]: () => void }> {
  const redis = { host: "127.0.0.1", port, isTls: false, database: 0 };
  const none = { password: undefined, passwordFile: undefined, caFile: undefined };
  const settings = { redis, ...none, timeoutMs: 10_000, onFailure: "refuse" } as const;
  const link = new RedisLink({ settings, observer: SILENT });
  const parts = { link, cipher: sodium, prefix: "t", lifetimeSeconds, isLocalEnough: false };
  const ring = new SharedRing({ ...parts, wrappingKey, checkMs: 20 });
  const tickets = new Tickets({ cipher: sodium, lifetimeSeconds, ticketsPerClient: 16, ring });
  await link.open();
  const close = (): void => {
    tickets.close();
    link.close();
  };
  return { link, ring, tickets, [Symbol.dispose]: close };
}

testIf(
  HAS_REDIS,
  NO_REDIS,
  "SharedRing has the same keys on all replicas, changes them in time, and drops them after two lifetimes",
  async () => {
    await using folder = await TempFolder.make();
    await using redis = await RedisServer.start(folder);
    using first = await replicaOf(redis.port);
    using second = await replicaOf(redis.port);
    const { ticket } = first.tickets.issue(SESSION);
    const kid = first.ring.current()?.kid;
    let closedAt = 0;
    for (const begin = performance.now(); closedAt === 0;) {
      // Before, at and after each change: what one replica issues, the other one opens.
      const fresh = first.tickets.issue(SESSION);
      assert.ok(fresh.lifetimeSeconds <= 4);
      assert.ok(second.tickets.open(fresh.ticket), "a ticket of the other replica");
      if (second.tickets.open(ticket) === undefined) closedAt = performance.now() - begin;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(closedAt > 1900 && closedAt < 4500, `${closedAt} ms`);
    assert.notEqual(first.ring.current()?.kid, kid);
    const names = (await redis.ask("keys", "t:*:ring:*")).split("\n");
    assert.ok(names.length <= 3, `${names.length} keys`);
  },
);

testIf(
  HAS_REDIS,
  NO_REDIS,
  "SharedRing cannot be read with another server2.key, and changed keys are not used",
  async () => {
    await using folder = await TempFolder.make();
    await using redis = await RedisServer.start(folder);
    using replica = await replicaOf(redis.port, { lifetimeSeconds: 3600 });
    assert.ok(replica.tickets.canIssue);
    {
      // Gone again before the ring is renewed: with the same names it could be the first to set a key.
      using other = await replicaOf(redis.port, {
        wrappingKey: new Uint8Array(32).fill(9),
        lifetimeSeconds: 3600,
      });
      assert.equal(other.link.isUp, false);
      assert.equal(other.tickets.canIssue, false);
    }
    // Two in the last half minute of an hour.
    const names = (await redis.ask("keys", "t:*:ring:*")).split("\n");
    for (const name of names) {
      const [kid, nonce = "", sealed = ""] = (await redis.ask("get", name)).split(":");
      await redis.ask("set", name, `${kid}:${nonce}:${sealed.slice(0, -4)}AAAA`);
    }
    using late = await replicaOf(redis.port, { lifetimeSeconds: 3600 });
    assert.equal(late.tickets.canIssue, false);
    await redis.ask("del", ...names);
    await waitUntil(() => Promise.resolve(late.tickets.canIssue), "a new ring");
    await waitUntil(
      () => Promise.resolve(replica.ring.current()?.kid === late.ring.current()?.kid),
      "the same ring",
    );
  },
);

/** Replies to TIME that no Redis gives, or one whose clock is far ahead: serials would not fit. */
const WRONG_TIMES: readonly unknown[] = [
  null,
  7,
  [],
  [null],
  ["1795700000"],
  ["abc", "0"],
  ["-1", "0"],
  ["4000000000", "0"],
  ["99999999999999999999", "0"],
];

Deno.test("SharedRing refuses a time that no clock shows, and goes on when it is right again", async () => {
  let time: unknown = null;
  const stored = new Map<string, string>();
  const session = {
    runId: "a".repeat(40),
    ask([command = "", name = "", value = "", ...names]: readonly string[]): Promise<unknown> {
      if (command === "TIME") return Promise.resolve(time);
      if (command === "SET" && !stored.has(name)) stored.set(name, value);
      const all = [name, value, ...names].map((each) => stored.get(each) ?? null);
      return Promise.resolve(command === "MGET" ? all : "OK");
    },
  };
  let prepare: ((each: typeof session) => Promise<void>) | undefined;
  const link = {
    ...session,
    isUp: false,
    prepare: (part: typeof prepare): void => void (prepare = part),
  } as unknown as RedisLink;
  const parts = { link, cipher: sodium, prefix: "t", lifetimeSeconds: 60, checkMs: 1_000_000 };
  const ring = new SharedRing({ ...parts, wrappingKey: new Uint8Array(32), isLocalEnough: true });
  const tickets = new Tickets({ cipher: sodium, lifetimeSeconds: 60, ticketsPerClient: 16, ring });
  const serials: number[] = [];
  const issue = (): void => {
    const serial = tickets.open(tickets.issue(SESSION).ticket)?.serial ?? NaN;
    assert.ok(Number.isSafeInteger(serial), `${serial}`);
    serials.push(serial);
  };
  for (time of WRONG_TIMES) {
    await assert.rejects(prepare?.(session) ?? Promise.resolve(), /TIME/, JSON.stringify(time));
    assert.equal(stored.size, 0);
    issue();
  }
  time = [`${Math.floor(Date.now() / 1000)}`, "999999"];
  await prepare?.(session);
  issue();
  assert.deepEqual(serials, [...new Set(serials)].toSorted((a, b) => a - b), "each one higher");
  tickets.close();
});
