/**
 * @module
 * What several servers with one key store share in Redis (docs/cluster.md): the requests of protocol v1
 * that were accepted, the ticket keys of protocol v2 and the numbers of calls that were used, the rates of
 * clients and the uses of invites.
 */
import { keyIdOf } from "../client/messages.ts";
import { toHex } from "../client/bytes.ts";
import type { SharedTickets } from "./composition.ts";
import type { ClusterSettings, Settings } from "./config/settings.ts";
import type { Aead } from "./crypto/aead.ts";
import { hashPair } from "./crypto/digest.ts";
import type { KeyPair } from "./crypto/keys.ts";
import { SharedRates } from "./keys/shared_rates.ts";
import { SharedUses } from "./keys/shared_uses.ts";
import type { Observer } from "./observer.ts";
import { SharedNumbers } from "./protocol/shared_numbers.ts";
import { SharedRing } from "./protocol/shared_ring.ts";
import { RedisLink } from "./redis/link.ts";
import type { Claims, NonceClaim } from "./replay/claims.ts";
import { RedisClaims } from "./replay/redis.ts";

const RING_LABEL = new TextEncoder().encode("msp/2 ring");
const WRAPPING_KEY_BYTES = 32;

/** What a replica brings along. */
export interface ClusterParts extends Pick<Settings, "v2"> {
  readonly cluster: ClusterSettings;
  readonly aead: Aead;
  /** Of protocol v2, unless that is off. */
  readonly pair2: KeyPair | undefined;
  /** What this server remembers by itself. */
  readonly own: Claims<NonceClaim>;
  readonly observer: Observer;
}

/** A replica's share of the cluster. */
export class Cluster {
  readonly #link: RedisLink;
  readonly #settings: ClusterSettings;
  /** Of protocol v1. */
  readonly claims: Claims<NonceClaim>;
  /** Of protocol v2; nothing when it is off. */
  readonly tickets: SharedTickets | undefined;
  readonly rates: SharedRates;
  /** Of invites. */
  readonly uses: SharedUses;

  constructor(parts: ClusterParts) {
    const { cluster, observer, own, pair2 } = parts;
    const { prefix, onFailure } = cluster;
    this.#settings = cluster;
    this.#link = new RedisLink({ settings: cluster, observer });
    this.claims = new RedisClaims({ own, link: this.#link, prefix, onFailure, observer });
    this.rates = new SharedRates(this.#link, prefix);
    this.uses = new SharedUses(this.#link, prefix);
    this.tickets = pair2 && shareTickets(parts, this.#link, pair2);
  }

  /** Whether Redis can be asked. */
  get isUp(): boolean {
    return this.#link.isUp;
  }

  /** Connects. A failure is reported and tried again; requests are refused meanwhile. */
  async open(): Promise<void> {
    await this.#link.open();
  }

  /** Why other replicas should get the requests. */
  get notReady(): string | undefined {
    return this.#link.isUp || this.#settings.onFailure === "local"
      ? undefined
      : "Redis cannot be asked";
  }

  /** Gives proxies the time to notice that this replica is stopping. */
  async drain(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#settings.drainSeconds * 1000));
  }

  /** Ends the connection. */
  close(): void {
    this.#link.close();
  }
}

function shareTickets(
  { cluster, v2, aead, observer }: ClusterParts,
  link: RedisLink,
  { privateKey, publicKey }: KeyPair,
): SharedTickets {
  const { onFailure } = cluster;
  const { ticketLifetimeSeconds: lifetimeSeconds, ticketsPerClient } = v2;
  const prefix = `${cluster.prefix}:2:${toHex(keyIdOf(publicKey, hashPair))}`;
  const ring = new SharedRing({
    link,
    cipher: aead,
    wrappingKey: aead.hkdf(RING_LABEL, privateKey).slice(0, WRAPPING_KEY_BYTES),
    prefix,
    lifetimeSeconds,
    isLocalEnough: onFailure === "local",
  });
  return {
    ring,
    claims: (tickets) =>
      new SharedNumbers({ tickets, ring, link, prefix, ticketsPerClient, onFailure, observer }),
  };
}
