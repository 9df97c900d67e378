/**
 * @module
 * The rates of clients (`rate` in a client's file), counted for all replicas together, in Redis. Only calls
 * of clients that have a rate ask. While Redis cannot be asked, the count of this server alone holds.
 */
import type { RedisLink } from "../redis/link.ts";
import { scriptOf } from "../redis/script.ts";
import type { ClientRecord } from "./keyring.ts";

/** Counts calls of clients among all replicas. */
export interface RateCounter {
  /**
   * Counts a call against the rates of a client.
   *
   * @returns 0 when it may be made, or the milliseconds after which it may
   */
  count(client: ClientRecord): Promise<number>;
}

/**
 * One step: a leaky bucket for each rate, as the time at which it is empty, in microseconds. A call is counted
 * in all of them or in none.
 *
 * KEYS buckets. ARGV for each: calls, seconds of its period. The reply is the time to wait in microseconds.
 */
const COUNT = scriptOf(`
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local wait = 0
local next = {}
for i, key in ipairs(KEYS) do
  local period = ARGV[2 * i] * 1000000
  local interval = period / ARGV[2 * i - 1]
  local empty = tonumber(redis.call('GET', key) or '0')
  next[i] = math.max(empty, now) + interval
  wait = math.max(wait, next[i] - period - now)
end
-- A rest below a microsecond is the error of the division.
if wait >= 1 then return math.ceil(wait) end
for i, key in ipairs(KEYS) do
  local left = math.ceil((next[i] - now) / 1000) + 1
  redis.call('SET', key, string.format('%.3f', next[i]), 'PX', left)
end
return 0`);

/** Rates in Redis. */
export class SharedRates implements RateCounter {
  readonly #link: RedisLink;
  readonly #prefix: string;

  /** @param prefix begin of the names of keys */
  constructor(link: RedisLink, prefix: string) {
    this.#link = link;
    this.#prefix = `${prefix}:rate:`;
    link.prepare(async (session) => void await session.load(COUNT));
  }

  async count({ policy: { rates }, publicKeyBase64 }: ClientRecord): Promise<number> {
    if (rates.length === 0) return 0;
    // A rate that is changed begins to count from zero.
    const keys = rates.map(({ calls, perSeconds }) =>
      `${this.#prefix}${publicKeyBase64}:${calls}/${perSeconds}`
    );
    const args = rates.flatMap(({ calls, perSeconds }) => [`${calls}`, `${perSeconds}`]);
    try {
      const waitMicros = await this.#link.run(COUNT, { keys, args });
      return typeof waitMicros === "number" ? waitMicros / 1000 : 0;
    } catch {
      // The link has told why. The request was claimed, and counted by this server.
      return 0;
    }
  }
}
