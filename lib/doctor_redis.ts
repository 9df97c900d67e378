/**
 * @module
 * Whether the Redis server of `[Cluster]` can do its part, for the doctor.
 */
import type { ClusterSettings } from "./config/settings.ts";
import type { Finding } from "./keys/findings.ts";
import { nameOf, RedisConnection, RedisError, targetOf } from "./redis/connection.ts";
import { readServerInfo } from "./redis/server_info.ts";

/** Asks Redis. @returns what is wrong, and what is good to know. */
export async function checkRedis(
  settings: ClusterSettings,
): Promise<{ readonly findings: readonly Finding[]; readonly facts: readonly string[] }> {
  const name = nameOf(settings.redis);
  const target = await targetOf(settings);
  let connection: RedisConnection | undefined;
  try {
    connection = await RedisConnection.open(target);
    const info = readServerInfo(await connection.ask(["INFO"]));
    const startedMs = performance.now();
    await connection.ask([
      "EVAL",
      "return redis.call('EXISTS', KEYS[1])",
      "1",
      `${settings.prefix}:doctor`,
    ]);
    const ms = (performance.now() - startedMs).toFixed(1);
    const findings: Finding[] = [];
    if (info.role !== "master") {
      findings.push({
        level: "wrong",
        what: `${name} is a replica, which accepts no writes`,
        remedy: "set [Cluster] Redis to its primary",
      });
    }
    if (info.evictionPolicy !== undefined && info.evictionPolicy !== "noeviction") {
      findings.push({
        level: "wrong",
        what:
          `${name} drops keys when its memory is full (maxmemory-policy ${info.evictionPolicy}): ` +
          "recorded requests would be accepted again",
        remedy: "set maxmemory-policy noeviction",
      });
    }
    if (target.password === undefined) {
      findings.push({
        level: "note",
        what: `${name} asks for no password`,
        remedy:
          "set one, and give it to the servers with MSP_REDIS_PASSWORD or [Cluster] PasswordFile",
      });
    }
    return { findings, facts: [`${name} (version ${info.version}) answers in ${ms} ms`] };
  } catch (error) {
    if (!(error instanceof RedisError)) throw error;
    const what = `Cannot use ${name}: ${error.message}`;
    const remedy = "check [Cluster] in config.ini, and whether Redis runs";
    return { findings: [{ level: "wrong", what, remedy }], facts: [] };
  } finally {
    connection?.close();
  }
}
