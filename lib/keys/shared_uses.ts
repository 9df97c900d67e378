/**
 * @module
 * The uses of invites, counted for all replicas together, in Redis. The files of invites count as well, under
 * the lock of the key store; but a volume that several machines share may have no locks.
 */
import type { RedisLink } from "../redis/link.ts";
import { scriptOf } from "../redis/script.ts";
import type { Invite } from "./invite_files.ts";

/** `taken`: this key may use the invite; `closed`: others have used it; `unavailable`: nobody can tell now. */
export type UseOutcome = "taken" | "closed" | "unavailable";

/** Counts the uses of invites among all replicas. */
export interface UseCounter {
  /** Uses an invite for a key. The same key may use it again. */
  take(invite: Invite, publicKeyBase64: string): Promise<UseOutcome>;
  /** Gives a use back: the key was not registered. */
  giveBack(invite: Invite, publicKeyBase64: string): Promise<void>;
}

/** For this long after its end, an invite is remembered. */
const KEPT_SECONDS = 86_400;

/**
 * One step: uses an invite for a key.
 *
 * KEYS set of the keys that used it. ARGV key, uses, seconds to remember it, keys that its file has.
 */
const TAKE = scriptOf(`
for i = 4, #ARGV do redis.call('SADD', KEYS[1], ARGV[i]) end
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then
  if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
  redis.call('SADD', KEYS[1], ARGV[1])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1`);

/** Uses in Redis. */
export class SharedUses implements UseCounter {
  readonly #link: RedisLink;
  readonly #prefix: string;

  /** @param prefix begin of the names of keys */
  constructor(link: RedisLink, prefix: string) {
    this.#link = link;
    this.#prefix = `${prefix}:invite:`;
    link.prepare(async (session) => void await session.load(TAKE));
  }

  async take(invite: Invite, publicKeyBase64: string): Promise<UseOutcome> {
    const { uses, expires, redeemed } = invite;
    const leftSeconds = Math.ceil((expires.getTime() - Date.now()) / 1000);
    const args = [
      publicKeyBase64,
      `${uses}`,
      `${Math.max(1, leftSeconds + KEPT_SECONDS)}`,
      ...redeemed.map((each) => each.publicKeyBase64),
    ];
    try {
      const reply = await this.#link.run(TAKE, { keys: [this.#keyOf(invite)], args });
      return reply === 1 ? "taken" : "closed";
    } catch {
      return "unavailable";
    }
  }

  async giveBack(invite: Invite, publicKeyBase64: string): Promise<void> {
    // Where this fails, the invite has one use less.
    await this.#link.ask(["SREM", this.#keyOf(invite), publicKeyBase64]).catch(() => {});
  }

  #keyOf({ tokenSha256 }: Invite): string {
    return `${this.#prefix}${tokenSha256}`;
  }
}
