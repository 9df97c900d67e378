/**
 * Replicas with a password, TLS and a wrong configuration; clients that are removed; a replica that stops.
 */
import assert from "node:assert/strict";
import { Authority } from "../authority.ts";
import { sealer } from "../captured.ts";
import { testIf } from "../conditions.ts";
import { waitUntil } from "../functions.ts";
import { freePort, msp, mspOk, ServerProcess, TempFolder } from "../program.ts";
import { HAS_REDIS, NO_REDIS, RedisServer } from "../redis_server.ts";
import { registerClient } from "../registered.ts";
import { MODULES, startReplicas, statusOf, stopAll } from "../replicas.ts";
import { connectTo, registerProfile } from "../v2_client.ts";

testIf(
  HAS_REDIS,
  NO_REDIS,
  "a client that is removed is refused by every replica within a second, and a replica that stops is not ready first",
  async () => {
    await using folder = await TempFolder.make();
    const password = "only-for-this-test-äß";
    await using redis = await RedisServer.start(folder, ["--requirepass", password]);
    const client = await registerClient(folder, "old");
    const profile = await registerProfile(folder, "new");
    const config = "PasswordFile=redis.password\nDrain=1\n";
    await folder.write("redis.password", `${password}\n`);
    const replicas = await startReplicas(folder, {
      redisPort: redis.port,
      modules: MODULES,
      config,
    });
    const [first, second] = replicas;
    assert.ok(first !== undefined && second !== undefined);
    try {
      const seal = await sealer(client, "once");
      const homes = replicas.map(({ server }) => connectTo(server.url, profile));
      for (const home of homes) await home.open();
      for (const { server } of replicas) assert.equal(await statusOf(server.url, seal()), 200);

      for (const name of ["old", "new"]) {
        await mspOk(["removeclient", await folder.read(`${name}.pub`), "--yes"], {
          cwd: folder.path,
        });
      }
      const removedMs = performance.now();
      for (const [i, { server }] of replicas.entries()) {
        await waitUntil(async () => await statusOf(server.url, seal()) === 401, "a refusal");
        await waitUntil(
          async () => await homes[i]?.call("once", {}).then(() => false, () => true) ?? false,
          "a refusal in v2",
        );
      }
      const tookMs = performance.now() - removedMs;
      assert.ok(tookMs < 2000, `refused after ${tookMs} ms`);

      const stopping = second.stop();
      await waitUntil(async () => !await second.isReady(), "a replica that is not ready");
      assert.match((await second.admin("/readyz")).text, /^not ready: the server is stopping\n$/);
      assert.equal((await second.admin("/healthz")).status, 200, "it still accepts requests");
      await stopping;
      await second.start();

      for (const { server } of replicas) assert.doesNotMatch(server.err, new RegExp(password));
      const cwd = folder.path;
      const fine = await msp(["doctor"], { cwd, env: { MSP_STATEPATH: "state-1" } });
      assert.match(fine.out, /^Redis at 127\.0\.0\.1:\d+ \(version \d\S*\) answers in \d/m);
      await redis.ask("-a", password, "config", "set", "maxmemory-policy", "allkeys-lru");
      const lru = await msp(["doctor"], { cwd });
      assert.match(
        lru.out,
        /wrong: Redis at [^\n]* drops keys[^\n]*allkeys-lru[^\n]*\n {2}remedy: set maxmemory-policy noeviction/,
      );
      assert.equal(lru.code, 1);
      const wrong = await msp(["doctor"], { cwd, env: { MSP_REDIS_PASSWORD: "not-it" } });
      assert.match(
        wrong.out,
        /wrong: Cannot use Redis at [^\n]*: it does not accept the user or the password/,
      );
      assert.doesNotMatch(wrong.out + wrong.err, /not-it/);
    } finally {
      await stopAll(replicas);
    }
  },
);

testIf(
  HAS_REDIS,
  NO_REDIS,
  "what is wrong with [Cluster] is said in a line, without a password, and tried again until it is right",
  async () => {
    await using folder = await TempFolder.make();
    const cwd = folder.path;
    await (await Authority.make(folder)).issue("tls", "redis");
    const tlsPort = freePort();
    const files = [
      "--tls-cert-file",
      "tls.pem",
      "--tls-key-file",
      "tls.key",
      "--tls-ca-cert-file",
      "ca.pem",
    ];
    await using redis = await RedisServer.start(folder, [
      ...["--requirepass", "right", "--tls-port", `${tlsPort}`, "--tls-auth-clients", "no"],
      ...files,
    ]);
    const at = `127.0.0.1:${redis.port}`;
    const client = await registerClient(folder);
    const refused: readonly (readonly [string, RegExp])[] = [
      [
        `Redis=redis://user:hidden@${at}`,
        /Redis = "redis:\/\/…@127[^"]*", expected [^\n]*; the password goes into MSP_REDIS_PASSWORD/,
      ],
      ["Redis=http://x", /Redis = "http:\/\/x", expected none, or a URL such as redis:/],
      [`Redis=redis://${at}\nPrefix=a b`, /Prefix = "a b", expected 1 to 32 letters/],
      [`Redis=redis://${at}\nOnFailure=maybe`, /OnFailure = "maybe", expected refuse or local/],
    ];
    for (const [lines, expected] of refused) {
      await folder.write("config/config.ini", `[Cluster]\n${lines}\n`);
      const { code, err } = await msp(["serve", "--port", "0"], { cwd });
      assert.equal(code, 1);
      assert.match(err, expected);
      assert.doesNotMatch(err, /hidden|at file:/);
    }
    await folder.write(
      "config/config.ini",
      `[Cluster]\nRedis=redis://${at}\nPasswordFile=password\n`,
    );
    await using server = await ServerProcess.start({ cwd });
    await server.waitForLog(/Cannot use Redis at [^\n]*: Cannot read [^\n]*\/password: not found/);
    await server.waitForLog(/INFO functions: Functions: /);
    const seal = await sealer(client);
    assert.equal(await statusOf(server.url, seal()), 401);
    await server.waitForLog(/Refused [^\n]*: the Redis server of \[Cluster\] cannot be asked/);
    await folder.write("password", "right\n");
    await server.waitForLog(/INFO server: Redis at [^\n]* can be used again/);
    await waitUntil(async () => await statusOf(server.url, seal()) === 200, "an accepted request");

    const tls = `Redis=rediss://${
      at.replace(`${redis.port}`, `${tlsPort}`)
    }\nPasswordFile=password\n`;
    for (
      const [lines, expected] of [
        [
          tls,
          /Cannot use Redis at [^\n]*: (?:its certificate is not from an authority that is trusted here|it closed the connection)/,
        ],
        [`${tls}CAFile=ca.pem\n`, /Listening on/],
      ] as const
    ) {
      await folder.write("config/config.ini", `[Cluster]\n${lines}`);
      const env = { MSP_STATEPATH: "state-tls" };
      await using other = await ServerProcess.start({ cwd, env, args: ["--log-dir", "log-tls"] });
      await other.waitForLog(expected);
      await other.waitForLog(/INFO functions: Functions: /);
      const status = lines === tls ? 401 : 200;
      assert.equal(await statusOf(other.url, seal()), status, other.err);
    }

    // Two servers with one state folder would share a journal.
    const other = await msp(["serve", "--port", "0"], { cwd });
    assert.equal(other.code, 1);
    assert.match(
      other.err,
      /another server \(process \d+\) uses it\n[^\n]*hint: [^\n]*MSP_STATEPATH/,
    );
  },
);
