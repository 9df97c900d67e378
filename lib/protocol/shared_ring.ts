/**
 * @module
 * A ring of ticket keys that all replicas share, in Redis. Time is cut into epochs of the length of
 * `TicketLifetime`, and each has one key: the first replica that needs it sets it, the others read it. The
 * name of a key holds the `run_id` of the Redis server: when Redis restarts or another server takes over,
 * there is a new ring. The numbers that Redis may have forgotten belong to tickets that nobody opens any
 * more.
 *
 * Keys are wrapped with a key that derives from server2.key: Redis, or a thief of its dump, cannot open
 * tickets.
 */
import { fromBase64, toBase64, toHex } from "../../client/bytes.ts";
import { type LongNonceCipher, NONCE_BYTES } from "../../client/messages.ts";
import { RedisError } from "../redis/connection.ts";
import type { RedisLink, RedisSession } from "../redis/link.ts";
import { KEY_BYTES, KID_BYTES, MemoryRing, randomBytes } from "./ticket_ring.ts";
import type { TicketKey, TicketRing } from "./ticket_ring.ts";

/** The next key is fetched this long before its epoch begins, at most a quarter of an epoch. */
const AHEAD_MS = 30_000;
/** How often the ring is read again: a key may be due, or gone from Redis. */
const CHECK_MS = 1000;
const SERIALS_PER_MS = 4096;
/** The beginning of 2026: serials stay below 2^53 until the year 2095. */
const SERIALS_SINCE_MS = 1_767_225_600_000;
const encoder = new TextEncoder();

/** A run of the server in names of keys: 64 bits are enough to tell runs apart. */
export function shortRun(runId: string): string {
  return runId.slice(0, 16);
}

/** The parts of a {@link SharedRing}. */
export interface SharedRingParts {
  readonly link: RedisLink;
  readonly cipher: LongNonceCipher;
  /** Wraps the keys, 32 bytes. */
  readonly wrappingKey: Uint8Array;
  /** Begin of the names of keys; names server2.key, so that replicas with another one have their own ring. */
  readonly prefix: string;
  readonly lifetimeSeconds: number;
  /** Whether this replica issues tickets of its own while it has no shared key. */
  readonly isLocalEnough: boolean;
  /** Time between two readings of the ring. */
  readonly checkMs?: number;
}

/** A key that was read from Redis. */
export interface SharedKey extends TicketKey {
  /** What Redis knows it by. */
  readonly name: string;
  readonly epoch: number;
}

/** Keys that replicas share. */
export class SharedRing implements TicketRing {
  readonly #parts: SharedRingParts;
  readonly #lifetimeMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #runId: string | undefined;
  #keys: SharedKey[] = [];
  /** For tickets of this replica alone. */
  #own: MemoryRing | undefined;
  /** The clock of Redis, less that of this process, in milliseconds. */
  #offsetMs = Date.now() - performance.now();
  #hasDropped = false;
  #isFetching = false;
  #hasForgotten = false;
  #lastSerial = 0;

  constructor(parts: SharedRingParts) {
    this.#parts = parts;
    this.#lifetimeMs = parts.lifetimeSeconds * 1000;
    parts.link.prepare((session) => this.#fetch(session));
    this.#timer = setInterval(() => void this.#fetchNow(), parts.checkMs ?? CHECK_MS);
  }

  current(): TicketKey | undefined {
    const epoch = this.#epoch();
    const key = this.#keys.find((each) => each.epoch === epoch);
    if (key !== undefined || !this.#parts.isLocalEnough || this.#parts.link.isUp) return key;
    this.#own ??= new MemoryRing(this.#parts);
    return this.#own.current();
  }

  find(kid: number): TicketKey | undefined {
    return this.findShared(kid) ?? this.#own?.find(kid);
  }

  /** A key that other replicas have as well. */
  findShared(kid: number): SharedKey | undefined {
    return this.#keys.find((each) => each.kid === kid);
  }

  /** The run of Redis that these keys belong to. */
  get runId(): string | undefined {
    return this.#runId;
  }

  nextSerial(): number {
    // By the time, so that the tickets of all replicas have one order; a random part tells those of the
    // same millisecond apart.
    const random = new DataView(randomBytes(2).buffer).getUint16(0) % SERIALS_PER_MS;
    const serial = (Math.floor(this.#nowMs()) - SERIALS_SINCE_MS) * SERIALS_PER_MS + random;
    this.#lastSerial = Math.max(this.#lastSerial + 1, serial);
    return this.#lastSerial;
  }

  leftMs(key: TicketKey): number {
    const shared = this.findShared(key.kid);
    if (shared === undefined) return this.#own?.leftMs(key) ?? 0;
    return (shared.epoch + 2) * this.#lifetimeMs - this.#nowMs();
  }

  dropOld(): boolean {
    const oldest = this.#epoch() - 1;
    this.#drop((key) => key.epoch < oldest);
    const hasDropped = this.#own?.dropOld() || this.#hasDropped;
    this.#hasDropped = false;
    return hasDropped;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#drop(() => true);
    this.#own?.close();
  }

  /** Redis does not have a key of this ring any more: reads the ring again. */
  async refresh(): Promise<void> {
    await this.#fetchNow();
  }

  /** Numbers were used that Redis does not know: the next connection begins with a new ring. */
  forgetAll(): void {
    this.#hasForgotten = true;
  }

  async #fetchNow(): Promise<void> {
    const { link } = this.#parts;
    const { runId } = link;
    if (runId === undefined || this.#isFetching) return;
    this.#isFetching = true;
    try {
      await this.#fetch({ runId, ask: (command) => link.ask(command) });
    } catch {
      // The link has told why, and fetches the ring again once it works.
    } finally {
      this.#isFetching = false;
    }
  }

  /** The present epoch, and the next one shortly before it begins. */
  #wanted(): number[] {
    const epoch = this.#epoch();
    const aheadMs = Math.min(AHEAD_MS, this.#lifetimeMs / 4);
    return Math.floor((this.#nowMs() + aheadMs) / this.#lifetimeMs) > epoch
      ? [epoch, epoch + 1]
      : [epoch];
  }

  async #fetch({ runId, ask }: Pick<RedisSession, "runId" | "ask">): Promise<void> {
    this.#offsetMs = readTimeMs(await ask(["TIME"])) - performance.now();
    const wanted = this.#wanted();
    const epochs = [this.#epoch() - 1, ...wanted];
    if (this.#hasForgotten) {
      await ask(["DEL", ...epochs.map((epoch) => this.#nameOf(runId, epoch))]);
      this.#drop(() => true);
      this.#hasForgotten = false;
    }
    // In one turn: what is not there is set, then everything is read.
    const [, values] = await Promise.all([
      Promise.all(wanted.map((epoch) => {
        const name = this.#nameOf(runId, epoch);
        const leftMs = Math.ceil((epoch + 2) * this.#lifetimeMs - this.#nowMs());
        return ask(["SET", name, this.#wrap(name), "NX", "PX", `${leftMs}`]);
      })),
      ask(["MGET", ...epochs.map((epoch) => this.#nameOf(runId, epoch))]),
    ]);
    this.#use(runId, epochs, Array.isArray(values) ? values : []);
  }

  #use(runId: string, epochs: readonly number[], values: readonly unknown[]): void {
    const found = epochs.flatMap((epoch, i): SharedKey[] => {
      const name = this.#nameOf(runId, epoch), value = values[i];
      const key = typeof value === "string" ? this.#unwrap(name, value) : undefined;
      return key === undefined ? [] : [{ ...key, name, epoch }];
    });
    if (!found.some(({ epoch }) => epoch === this.#epoch())) {
      throw new RedisError("RING", "its ticket keys were not written with this server2.key");
    }
    const kids = new Set(found.map(({ kid }) => kid));
    this.#drop(({ kid, epoch }) =>
      !kids.has(kid) && epochs.includes(epoch) || this.#runId !== runId
    );
    for (const key of found) {
      if (this.findShared(key.kid) === undefined) this.#keys.push(key);
    }
    this.#runId = runId;
    if (this.#own !== undefined) {
      this.#own.close();
      this.#own = undefined;
      this.#hasDropped = true;
    }
  }

  #drop(isOver: (key: SharedKey) => boolean): void {
    const dropped = this.#keys.filter(isOver);
    if (dropped.length === 0) return;
    for (const { bytes } of dropped) bytes.fill(0);
    this.#keys = this.#keys.filter((key) => !dropped.includes(key));
    this.#hasDropped = true;
  }

  /** `kid in hex : nonce and sealed key in base64`; bound to its name. */
  #wrap(name: string): string {
    const nonce = randomBytes(NONCE_BYTES), key = randomBytes(KEY_BYTES);
    const kid = toHex(randomBytes(KID_BYTES));
    const { cipher, wrappingKey } = this.#parts;
    const ad = encoder.encode(`msp/2 ring ${name} ${kid}`);
    const sealed = cipher.seal(wrappingKey, nonce, { ad, plaintext: key });
    key.fill(0);
    return `${kid}:${toBase64(nonce)}:${toBase64(sealed)}`;
  }

  #unwrap(name: string, value: string): TicketKey | undefined {
    const [kid = "", nonceText = "", sealedText = ""] = value.split(":");
    const nonce = fromBase64(nonceText), sealed = fromBase64(sealedText);
    if (!/^[0-9a-f]{8}$/.test(kid) || nonce?.length !== NONCE_BYTES || !sealed) return undefined;
    const ad = encoder.encode(`msp/2 ring ${name} ${kid}`);
    const bytes = this.#parts.cipher.open(this.#parts.wrappingKey, nonce, { ad, sealed });
    return bytes && { kid: parseInt(kid, 16), bytes: Uint8Array.from(bytes) };
  }

  #nameOf(runId: string, epoch: number): string {
    const { prefix, lifetimeSeconds } = this.#parts;
    return `${prefix}:${shortRun(runId)}:ring:${lifetimeSeconds}:${epoch}`;
  }

  #epoch(): number {
    return Math.floor(this.#nowMs() / this.#lifetimeMs);
  }

  #nowMs(): number {
    return performance.now() + this.#offsetMs;
  }
}

/** @throws {RedisError} for anything but the seconds and microseconds of a usable clock */
function readTimeMs(reply: unknown): number {
  const [seconds, micros] = Array.isArray(reply) ? reply.map(Number) : [];
  const timeMs = (seconds ?? NaN) * 1000 + (micros ?? NaN) / 1000;
  if (timeMs >= 0 && (timeMs - SERIALS_SINCE_MS + 1) * SERIALS_PER_MS <= Number.MAX_SAFE_INTEGER) {
    return timeMs;
  }
  throw new RedisError("TIME", "its TIME is not between the years 1970 and 2095");
}
