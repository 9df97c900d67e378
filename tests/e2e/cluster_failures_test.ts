/**
 * Replicas whose Redis server dies, hangs, forgets and is replaced: nothing runs twice.
 */
import assert from "node:assert/strict";
import { sealer } from "../captured.ts";
import { testIf } from "../conditions.ts";
import { waitUntil } from "../functions.ts";
import { TempFolder } from "../program.ts";
import { RECORDED, Recorder, waitUntilReady } from "../recorder.ts";
import { HAS_REDIS, NO_REDIS, RedisServer } from "../redis_server.ts";
import { registerClient } from "../registered.ts";
import { MODULES, startReplicas, statusOf, stopAll } from "../replicas.ts";
import { connectTo, registerProfile } from "../v2_client.ts";

testIf(
  HAS_REDIS,
  NO_REDIS,
  "Redis that is killed, stopped, emptied or replaced: nothing runs twice, refusals are fast, service is back at once",
  async () => {
    await using folder = await TempFolder.make();
    await using redis = await RedisServer.start(folder);
    const client = await registerClient(folder, "old");
    const profile = await registerProfile(folder, "new");
    const replicas = await startReplicas(folder, {
      redisPort: redis.port,
      modules: MODULES,
      config: RECORDED,
    });
    try {
      const recorder = new Recorder(replicas, await sealer(client, "once"), profile);
      await recorder.record();
      assert.equal(recorder.hellos, 1);

      await redis.kill();
      await waitUntilReady(replicas, false);
      await recorder.refusesFast("killed");
      await recorder.replay("killed");
      await redis.startAgain();
      await recorder.isBack("started again, empty");
      await recorder.replay("started again, empty");
      assert.equal(recorder.hellos, 2, "one hello after the restart");

      await recorder.record();
      redis.signal("SIGSTOP");
      await recorder.refusesFast("stopped");
      await waitUntilReady(replicas, false);
      await recorder.refusesFast("stopped for longer");
      redis.signal("SIGCONT");
      await recorder.isBack("continued");
      await recorder.replay("continued");
      assert.equal(recorder.hellos, 2, "the tickets are still valid");

      await redis.ask("flushall");
      await recorder.replay("emptied");
      await recorder.isBack("emptied");
      await recorder.replay("emptied, and in use again");

      await using next = await RedisServer.start(folder, [
        "--replicaof",
        `127.0.0.1 ${redis.port}`,
      ]);
      await waitUntil(
        async () => /master_link_status:up/.test(await next.ask("info", "replication")),
        "a replica of Redis",
      );
      // It does not get the last requests, as a replica that lags.
      await next.ask("replicaof", "no", "one");
      await recorder.record();
      const { hellos } = recorder;
      const { port } = redis;
      await redis.kill();
      await next.moveTo(port);
      await recorder.isBack("another server took over");
      await recorder.replay("another server took over");
      assert.equal(recorder.hellos, hellos + 1, "one hello after the failover");
      for (const { server } of replicas) {
        assert.match(
          server.err,
          /ERROR server: Cannot use Redis at 127\.0\.0\.1:\d+: [^\n]*; requests are refused/,
        );
        assert.doesNotMatch(server.err, /internal error|Uncaught|at file:/);
      }
    } finally {
      redis.signal("SIGCONT");
      await stopAll(replicas);
    }
  },
);

testIf(
  HAS_REDIS,
  NO_REDIS,
  "OnFailure=local: without Redis each replica accepts by its own memory, and nothing of that when Redis is back",
  async () => {
    await using folder = await TempFolder.make();
    await using redis = await RedisServer.start(folder);
    const client = await registerClient(folder, "old");
    const profile = await registerProfile(folder, "new");
    const config = "OnFailure=local\n";
    const replicas = await startReplicas(folder, {
      redisPort: redis.port,
      modules: MODULES,
      config,
    });
    try {
      const seal = await sealer(client, "once");
      await redis.kill();
      const [first, second, third] = replicas;
      assert.ok(first !== undefined && second !== undefined && third !== undefined);
      await waitUntil(async () => await first.metric("msp_redis_up") === 0, "an outage");
      await waitUntil(async () => await second.metric("msp_redis_up") === 0, "an outage");
      const body = seal();
      assert.equal(await statusOf(first.server.url, body), 200);
      assert.equal(await statusOf(first.server.url, body), 401, "its own memory");
      assert.equal(await statusOf(second.server.url, body), 200, "as documented");
      const calls: Uint8Array<ArrayBuffer>[] = [];
      const home = connectTo(first.server.url, profile, {
        fetch(url, init): Promise<Response> {
          calls.push(init.body as Uint8Array<ArrayBuffer>);
          return fetch(url, init);
        },
      });
      assert.equal(await home.call("once", { n: 7 }), 7, "a ticket of this replica");
      assert.equal(await first.metric("msp_accepted_alone_total"), 2);
      assert.ok(await first.isReady(), "it goes on serving");
      await first.server.waitForLog(
        /ERROR server: Cannot use Redis [^\n]*a recorded request can run once on each replica/,
      );
      await redis.startAgain();
      for (const { server } of [first, second, third]) {
        await server.waitForLog(/INFO server: Redis at [^\n]* can be used again/);
      }
      for (const { server } of replicas) {
        assert.equal(await statusOf(server.url, body), 401);
        const headers = { "content-type": "application/octet-stream" };
        const url = server.url.replace("/v1", "/v2");
        const response = await fetch(url, { method: "POST", body: calls.at(-1) ?? null, headers });
        await response.body?.cancel();
        assert.equal(response.status, 401);
      }
      assert.equal(await home.call("once", { n: 8 }, { idempotent: true }), 8);
    } finally {
      await stopAll(replicas);
    }
  },
);
