/**
 * @module
 * The promise that a call of protocol v2 runs at most once, among all replicas: the numbers that were used
 * with a ticket are a bitmap in Redis. One script, in one turn, looks whether the key of the ticket is
 * still there, and sets the bit. The tickets of this server (tickets.ts) are asked first, and stay a second
 * layer.
 */
import { concat } from "../../client/bytes.ts";
import type { OnRedisFailure } from "../config/settings.ts";
import type { Observer } from "../observer.ts";
import type { RedisLink } from "../redis/link.ts";
import { scriptOf } from "../redis/script.ts";
import type { ClaimResult, Claims } from "../replay/claims.ts";
import { type SharedKey, type SharedRing, shortRun } from "./shared_ring.ts";
import { TicketClaims } from "./ticket_claims.ts";
import { KEY_BYTES, KID_BYTES } from "./ticket_ring.ts";
import type { Tickets } from "./tickets.ts";
import type { NumberClaim } from "./v2_exchange.ts";

const FRESH = 0, SEEN = 1, RETIRED = 2;
const SERIAL_BYTES = 8;
const TICKET_BYTES = KID_BYTES + SERIAL_BYTES;

/**
 * One step: uses a number of a ticket. A client's used tickets are a sorted set by serial; the one beyond
 * the limit ends the lowest, and those below the floor are not accepted.
 *
 * KEYS ring key, bitmap, tickets of the client, floor of the client. ARGV kid in hex, number, serial,
 * ticket (kid and serial as bytes), tickets of a client at most, begin of the names of its bitmaps.
 */
const USE = scriptOf(`
if redis.call('GETRANGE', KEYS[1], 0, 7) ~= ARGV[1] then return -1 end
local used = redis.call('SETBIT', KEYS[2], ARGV[2], 1)
if used == 1 then return ${SEEN} end
if redis.call('ZSCORE', KEYS[3], ARGV[4]) then return ${FRESH} end
local serial = tonumber(ARGV[3])
if serial < tonumber(redis.call('GET', KEYS[4]) or '0') then
  redis.call('DEL', KEYS[2])
  return ${RETIRED}
end
local left = redis.call('PTTL', KEYS[1]) + 1000
redis.call('ZADD', KEYS[3], serial, ARGV[4])
redis.call('PEXPIRE', KEYS[2], left)
redis.call('PEXPIRE', KEYS[3], 2 * left)
if redis.call('ZCARD', KEYS[3]) > tonumber(ARGV[5]) then
  local lowest = redis.call('ZPOPMIN', KEYS[3])
  redis.call('DEL', ARGV[6] .. lowest[1])
  redis.call('SET', KEYS[4], string.format('%.0f', tonumber(lowest[2]) + 1), 'PX', 2 * left)
  if lowest[1] == ARGV[4] then return ${RETIRED} end
end
return ${FRESH}`);

/** The parts of {@link SharedNumbers}. */
export interface SharedNumbersParts {
  readonly tickets: Tickets;
  readonly ring: SharedRing;
  readonly link: RedisLink;
  /** Begin of the names of keys. */
  readonly prefix: string;
  readonly ticketsPerClient: number;
  readonly onFailure: OnRedisFailure;
  readonly observer: Pick<Observer, "acceptedAlone">;
}

/** Claims numbers of tickets among all replicas. */
export class SharedNumbers implements Claims<NumberClaim> {
  readonly #parts: SharedNumbersParts;
  readonly #own: TicketClaims;
  readonly #encoder = new TextEncoder();

  constructor(parts: SharedNumbersParts) {
    this.#parts = parts;
    this.#own = new TicketClaims(parts.tickets);
    parts.link.prepare(async (session) => void await session.load(USE));
  }

  claim(claim: NumberClaim): ClaimResult | Promise<ClaimResult> {
    const own = this.#own.claim(claim);
    if (own !== "fresh") return own;
    const { ring, link, onFailure } = this.#parts;
    const key = ring.findShared(claim.ticket.kid);
    if (!link.isUp) return onFailure === "local" ? this.#claimAlone() : "redis_unavailable";
    // A ticket of this replica alone, from a time without Redis; or of another run, which may know numbers
    // that this one does not.
    return key !== undefined && link.runId === ring.runId
      ? this.#share(key, claim)
      : "unknown_ticket";
  }

  settle(): void {}

  #claimAlone(): ClaimResult {
    this.#parts.ring.forgetAll();
    this.#parts.observer.acceptedAlone();
    return "fresh";
  }

  async #share(key: SharedKey, { ticket, number }: NumberClaim): Promise<ClaimResult> {
    const { link, ring, prefix, ticketsPerClient, onFailure } = this.#parts;
    const place = `${prefix}:${shortRun(ring.runId ?? "")}`;
    const name = new Uint8Array(TICKET_BYTES);
    const view = new DataView(name.buffer);
    view.setUint32(0, ticket.kid);
    view.setBigUint64(KID_BYTES, BigInt(ticket.serial));
    const bitmaps = this.#keyOf(`${place}:b:`, ticket.publicKey);
    let reply: unknown;
    try {
      reply = await link.run(USE, {
        keys: [
          key.name,
          concat(bitmaps, name),
          this.#keyOf(`${place}:u:`, ticket.publicKey),
          this.#keyOf(`${place}:f:`, ticket.publicKey),
        ],
        args: [
          ticket.kid.toString(16).padStart(2 * KID_BYTES, "0"),
          `${number}`,
          `${ticket.serial}`,
          name,
          `${ticketsPerClient}`,
          bitmaps,
        ],
      });
    } catch {
      // The link has told why.
      return onFailure === "local" ? this.#claimAlone() : "redis_unavailable";
    }
    if (reply === FRESH) return "fresh";
    if (reply === SEEN) return "replayed";
    if (reply === RETIRED) return "retired_ticket";
    await ring.refresh();
    return "unknown_ticket";
  }

  #keyOf(begin: string, publicKey: Uint8Array): Uint8Array {
    return concat(this.#encoder.encode(begin), publicKey.subarray(0, KEY_BYTES));
  }
}
