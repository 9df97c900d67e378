/**
 * Replicas that share a Redis server: each request runs once among all of them, rates and invites count for
 * all of them, and replicas come and go without a failed call.
 */
import assert from "node:assert/strict";
import { CallError, type Connection } from "../../client/mod.ts";
import { sealer } from "../captured.ts";
import { isInstalled, testIf } from "../conditions.ts";
import { waitUntil } from "../functions.ts";
import { invite, joinBy } from "../invited.ts";
import { Nginx } from "../nginx.ts";
import { mspOk, TempFolder } from "../program.ts";
import { HAS_REDIS, NO_REDIS, RedisServer } from "../redis_server.ts";
import { registerClient } from "../registered.ts";
import {
  MODULES,
  PATIENT,
  pick,
  type Replica,
  startReplicas,
  statusOf,
  stopAll,
} from "../replicas.ts";
import { connectTo, registerProfile } from "../v2_client.ts";

/** By hand, with MSP_TEST_CLUSTER_REQUESTS=100000: some minutes. */
const REQUESTS = Number(Deno.env.get("MSP_TEST_CLUSTER_REQUESTS") ?? 1000);
const LANES = 32;

/** Runs a step many times, some of them at the same time. */
async function inLanes(count: number, step: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await step(next++);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** How often functions ran, on all replicas. */
async function countRuns(replicas: readonly Replica[]): Promise<number> {
  const each = await Promise.all(
    replicas.map((replica) => replica.metric("msp_function_calls_total", /outcome="ok"/)),
  );
  return each.reduce((sum, runs) => sum + runs, 0);
}

/** A client of the library whose calls each reach several random replicas at the same time. */
function connectToMany(
  replicas: readonly Replica[],
  profile: Awaited<ReturnType<typeof registerProfile>>,
  onSent: (body: Uint8Array<ArrayBuffer>, statuses: readonly number[]) => void,
): Connection {
  return connectTo("http://127.0.0.1:1/v1", profile, {
    async fetch(_, init): Promise<Response> {
      const targets = [pick(replicas), pick(replicas)];
      const responses = await Promise.all(
        targets.map(({ port }) => fetch(`http://127.0.0.1:${port}/v2`, init)),
      );
      onSent(init.body as Uint8Array<ArrayBuffer>, responses.map(({ status }) => status));
      const answer = responses.find(({ status }) => status === 200) ?? responses[0];
      assert.ok(answer !== undefined);
      await Promise.all(
        responses.filter((each) => each !== answer).map((each) => each.body?.cancel()),
      );
      return answer;
    },
  });
}

testIf(
  HAS_REDIS,
  NO_REDIS,
  `${REQUESTS} requests of each protocol that reach two random replicas at the same time run once each`,
  async () => {
    await using folder = await TempFolder.make();
    await using redis = await RedisServer.start(folder);
    const client = await registerClient(folder, "old");
    const profile = await registerProfile(folder, "new");
    const replicas = await startReplicas(folder, {
      redisPort: redis.port,
      modules: MODULES,
      config: PATIENT,
    });
    try {
      const seal = await sealer(client, "once");
      await inLanes(REQUESTS, async () => {
        const body = seal();
        const targets = [pick(replicas), pick(replicas)];
        const statuses = await Promise.all(targets.map(({ server }) => statusOf(server.url, body)));
        assert.deepEqual(statuses.sort(), [200, 401]);
      });
      assert.equal(await countRuns(replicas), REQUESTS, "v1");
      let hellos = 0;
      const home = connectToMany(replicas, profile, (body, statuses) => {
        if (body[0] === 1) hellos++;
        else assert.deepEqual([...statuses].sort(), [200, 401]);
      });
      await home.open();
      await inLanes(REQUESTS, async (n) => assert.equal(await home.call("once", { n }), n));
      assert.equal(await countRuns(replicas), 2 * REQUESTS, "v2");
      assert.equal(hellos, Math.ceil(REQUESTS / 65_536));
    } finally {
      await stopAll(replicas);
    }
  },
);

testIf(
  HAS_REDIS && isInstalled("nginx"),
  "redis-server or nginx is not installed",
  "replicas behind nginx that restart one after the other under load: no call fails; of one that is killed, only its calls in flight",
  async () => {
    await using folder = await TempFolder.make();
    await using redis = await RedisServer.start(folder);
    const profile = await registerProfile(folder);
    const replicas = await startReplicas(folder, {
      redisPort: redis.port,
      modules: MODULES,
      config: PATIENT,
    });
    try {
      await using nginx = await Nginx.start(folder, replicas.map(({ port }) => port));
      const hellos = new Set<Uint8Array>();
      const home = connectTo(nginx.url, profile, {
        fetch(url, init): Promise<Response> {
          const body = init.body as Uint8Array;
          if (body[0] === 1) hellos.add(body);
          return fetch(url, init);
        },
      });
      await home.open();
      let isOver = false, answered = 0;
      const failures: string[] = [];
      const lane = async (): Promise<void> => {
        for (let n = 0; !isOver; n++) {
          await home.call("once", { n }).then(
            (result) => {
              assert.equal(result, n);
              answered++;
            },
            (error) => void failures.push(`${error}`),
          );
        }
      };
      const load = Promise.all(Array.from({ length: 8 }, lane));
      for (const replica of replicas) {
        await replica.stop();
        await replica.start();
        // The next one stops once this one has work again.
        await waitUntil(
          async () => await replica.metric("msp_function_calls_total", /outcome="ok"/) > 0,
          "a call on the replica that started again",
        );
      }
      isOver = true;
      await load;
      const faults = replicas.map((replica) => replica.faults).join("\n");
      assert.equal(failures.length, 0, `${failures[0]}\n${faults}`);
      assert.ok(answered > 100, `${answered} calls`);
      assert.equal(hellos.size, 1, "tickets outlive a replica");

      const calls = Array.from(
        { length: 30 },
        () =>
          home.call("slow", {}).then(() => "ran", (error) => {
            assert.ok(error instanceof CallError, `${error}`);
            return error.executed;
          }),
      );
      const [first, ...others] = replicas;
      assert.ok(first !== undefined);
      await waitUntil(
        async () => await first.metric("msp_function_queue_length", /slow/) > 0,
        "calls in flight",
      );
      await first.kill();
      const ends = await Promise.all(calls);
      const lost = ends.filter((end) => end !== "ran");
      assert.deepEqual(new Set(lost), new Set(lost.length === 0 ? [] : ["maybe"]));
      // No call of another replica is lost, and none runs again there.
      const elsewhere = await Promise.all(
        others.map((each) => each.metric("msp_function_calls_total", /function="slow".*"ok"/)),
      );
      const ran = elsewhere.reduce((sum, each) => sum + each, 0);
      assert.ok(ends.length - lost.length >= ran, `${lost.length} lost, ${ran} ran elsewhere`);
      assert.ok(ran > 0);
      assert.equal(await home.call("once", { n: 1 }), 1);
    } finally {
      await stopAll(replicas);
    }
  },
);

testIf(
  HAS_REDIS,
  NO_REDIS,
  "rates and uses of invites count for all replicas together, and who joins at one can call the others at once",
  async () => {
    await using folder = await TempFolder.make();
    await using redis = await RedisServer.start(folder);
    const profile = await registerProfile(folder);
    await mspOk(["client", "1", "--rate", "20/h"], { cwd: folder.path });
    // With what the page says that the user needs, and nothing else.
    const page = await Deno.readTextFile(new URL("../../docs/cluster.md", import.meta.url));
    const [, rights = ""] = /ACL user needs these rights:\s+```text\s+([^`]+?)\s*```/.exec(page) ??
      [];
    const acl = ["acl", "setuser", "msp", "on", ">for-this-test", ...rights.split(/\s+/)];
    assert.equal(await redis.ask(...acl), "OK");
    const replicas = await startReplicas(folder, {
      redisPort: redis.port,
      user: "msp",
      env: { MSP_REDIS_PASSWORD: "for-this-test" },
      modules: MODULES,
      config: PATIENT,
    });
    const [first] = replicas;
    assert.ok(first !== undefined);
    try {
      const homes = replicas.map(({ server }) => connectTo(server.url, profile));
      const calls = homes.flatMap((home) =>
        Array.from({ length: 15 }, () => home.call("once", {}))
      );
      const ends = await Promise.allSettled(calls);
      assert.equal(ends.filter(({ status }) => status === "fulfilled").length, 20);
      for (const end of ends) {
        if (end.status === "rejected") assert.equal(end.reason.code, "busy", end.reason.message);
      }

      const link = await invite(folder, first.server.url, ["--uses", "2"]);
      assert.match(link, /127\.0\.0\.1:\d+/);
      const joins = await Promise.allSettled(
        replicas.flatMap(({ port }) =>
          [1, 2].map(() => joinBy(link.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`), {}))
        ),
      );
      const joined = joins.filter((join) => join.status === "fulfilled").map(({ value }) => value);
      assert.equal(joined.length, 2);
      assert.equal((await folder.names("sec")).filter((name) => /^client_/.test(name)).length, 3);
      // The ticket of one replica is good at the others before they have looked at the key store.
      const next = await joinBy(await invite(folder, first.server.url), {});
      let turn = 0;
      const home = connectTo(first.server.url, next.profile, {
        fetch: (_, init) =>
          fetch(`http://127.0.0.1:${replicas[turn++ % replicas.length]?.port}/v2`, init),
      });
      for (let n = 0; n < 4; n++) assert.equal(await home.call("once", { n }), n);
    } finally {
      await stopAll(replicas);
    }
  },
);
