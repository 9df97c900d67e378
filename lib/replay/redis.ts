/**
 * @module
 * Accepted requests of protocol v1 that all replicas share, in Redis. One script claims the four nonces
 * of a request, all or none. The nonces are the names of keys as they are: so every replica writes the
 * same names, also while server.key is replaced. The memory and the journal of this server are asked
 * first, and stay a second layer.
 *
 * A mark in Redis says for which run of the server the memory is complete, and since when. Where it is
 * missing or of another run, Redis has forgotten: requests dated before that are refused. As long as they
 * could be accepted, they could have been accepted before.
 */
import { NONCE_BYTES } from "../crypto/box.ts";
import type { OnRedisFailure } from "../config/settings.ts";
import type { Observer } from "../observer.ts";
import type { RedisLink, RedisSession } from "../redis/link.ts";
import { scriptOf } from "../redis/script.ts";
import type { ClaimResult, Claims, NonceClaim } from "./claims.ts";

/** Seconds for which Redis remembers an `entry` nonce; the memory of each replica does so for longer. */
const ENTRY_SECONDS = 3600;

/**
 * The mark, `RUN SINCE LATEST`: of a new run where there is none, since now. A run that another replica
 * found first keeps its mark, moved on to what this replica knows.
 *
 * KEYS mark. ARGV run, since when this replica knows that something may be missing (0 for never), now.
 */
const MARK = scriptOf(`
local run, since, latest = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) (%d+) (%d+)$')
local known = tonumber(ARGV[2])
if run == ARGV[1] then since = math.max(tonumber(since), known)
else
  since = math.max(tonumber(ARGV[3]), tonumber(redis.call('TIME')[1]), known)
  latest = '0'
end
redis.call('SET', KEYS[1], string.format('%s %d %s', ARGV[1], since, latest))
return since`);

/** Replies of {@link CLAIM} that are no time. */
const FORGOTTEN = -1, SEEN = -2, PREDATES = -3;
/**
 * One step: claims a request. The reply is the latest time in any accepted request, or why not.
 *
 * KEYS mark, id, check, ts, entry. ARGV run, time in the request, seconds for the first three, seconds for
 * the last, 1 when the request is refused for being early.
 */
const CLAIM = scriptOf(`
local run, since, latest = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) (%d+) (%d+)$')
if run ~= ARGV[1] then return ${FORGOTTEN} end
if redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[4], KEYS[5]) > 0 then return ${SEEN} end
local sent = tonumber(ARGV[2])
latest = tonumber(latest)
if sent < tonumber(since) then return ${PREDATES} end
for i = 2, 4 do redis.call('SET', KEYS[i], '', 'EX', ARGV[3]) end
redis.call('SET', KEYS[5], '', 'EX', ARGV[4])
if sent > latest and ARGV[5] == '0' then
  latest = sent
  redis.call('SET', KEYS[1], string.format('%s %s %d', run, since, latest))
end
return latest`);

/** The parts of {@link RedisClaims}. */
export interface RedisClaimsParts {
  /** What this server remembers by itself. */
  readonly own: Claims<NonceClaim>;
  readonly link: RedisLink;
  /** Begin of the names of keys. */
  readonly prefix: string;
  readonly onFailure: OnRedisFailure;
  readonly observer: Pick<Observer, "acceptedAlone">;
  readonly nowSeconds?: () => number;
}

/** Claims that all replicas share. */
export class RedisClaims implements Claims<NonceClaim> {
  readonly #parts: RedisClaimsParts;
  readonly #nowSeconds: () => number;
  readonly #mark: string;
  readonly #noncePrefix: Uint8Array;
  /** The run that was asked last. */
  #runId: string | undefined;
  /** The latest time in a request that any replica accepted, as far as this one knows. */
  #latest = 0;
  /** Whether requests were accepted that Redis does not know. */
  #hasAcceptedAlone = false;

  constructor(parts: RedisClaimsParts) {
    this.#parts = parts;
    this.#nowSeconds = parts.nowSeconds ?? (() => Math.floor(Date.now() / 1000));
    this.#mark = `${parts.prefix}:1:mark`;
    this.#noncePrefix = new TextEncoder().encode(`${parts.prefix}:1:n:`);
    parts.link.prepare(async (session) => {
      await Promise.all([MARK, CLAIM].map((script) => session.load(script)));
      await this.#writeMark(session);
    });
  }

  claim(claim: NonceClaim): ClaimResult | Promise<ClaimResult> {
    // Before anything is waited for: the nonces are valid during this call only.
    const keys = claim.nonces.map((nonce) => this.#keyOf(nonce));
    const own = this.#parts.own.claim(claim);
    if (own instanceof Promise) {
      return own.then((result) => result === "fresh" ? this.#share(keys, claim) : result);
    }
    return own === "fresh" ? this.#share(keys, claim) : own;
  }

  settle(): void | Promise<void> {
    return this.#parts.own.settle();
  }

  async #share(keys: Uint8Array[], claim: NonceClaim): Promise<ClaimResult> {
    const { link, onFailure, observer } = this.#parts;
    const { runId } = link;
    const { sentAtSeconds, expiresAtSeconds, nowSeconds } = claim;
    const ttlSeconds = expiresAtSeconds - sentAtSeconds;
    const isEarly = sentAtSeconds > nowSeconds + ttlSeconds;
    // The clock of another replica may be behind this one by as much as that of a client.
    const seconds = Math.max(1, expiresAtSeconds - nowSeconds + ttlSeconds);
    let reply: unknown;
    try {
      reply = await link.run(CLAIM, {
        keys: [this.#mark, ...keys],
        args: [
          runId ?? "",
          `${sentAtSeconds}`,
          `${seconds}`,
          `${Math.max(ENTRY_SECONDS, seconds)}`,
          isEarly ? "1" : "0",
        ],
      });
    } catch {
      // The link has told why.
      if (onFailure === "refuse") return "redis_unavailable";
      if (!isEarly) this.#latest = Math.max(this.#latest, sentAtSeconds);
      this.#hasAcceptedAlone = true;
      observer.acceptedAlone();
      return "fresh";
    }
    if (reply === SEEN) return "replayed";
    if (reply === PREDATES) return "predates_memory";
    if (reply === FORGOTTEN || typeof reply !== "number") return await this.#begin();
    this.#latest = Math.max(this.#latest, reply);
    return "fresh";
  }

  /** Somebody removed what Redis remembered: it is complete from now on. */
  async #begin(): Promise<ClaimResult> {
    const { link } = this.#parts;
    const { runId } = link;
    if (runId === undefined) return "redis_unavailable";
    try {
      await this.#writeMark({ runId, run: (script, call) => link.run(script, call) });
    } catch {
      return "redis_unavailable";
    }
    return "predates_memory";
  }

  async #writeMark({ runId, run }: Pick<RedisSession, "runId" | "run">): Promise<void> {
    // What was accepted under an earlier run, or without Redis, is dated this at most.
    const isOther = this.#runId !== undefined && this.#runId !== runId;
    const known = isOther || this.#hasAcceptedAlone ? this.#latest + 1 : 0;
    const now = Math.max(this.#nowSeconds(), this.#latest + 1);
    await run(MARK, { keys: [this.#mark], args: [runId, `${known}`, `${now}`] });
    this.#runId = runId;
    this.#hasAcceptedAlone = false;
  }

  #keyOf(nonce: Uint8Array): Uint8Array {
    const key = new Uint8Array(this.#noncePrefix.length + NONCE_BYTES);
    key.set(this.#noncePrefix);
    key.set(nonce.subarray(0, NONCE_BYTES), this.#noncePrefix.length);
    return key;
  }
}
