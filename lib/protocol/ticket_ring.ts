/**
 * @module
 * The ring of keys that seal the tickets of protocol v2 (docs/protocol-v2.md §5): a key for new tickets,
 * and the previous one, which still opens its own. This one is in the memory of one server;
 * shared_ring.ts has one for several.
 */
/** Bytes of the name of a key. */
export const KID_BYTES = 4;
/** Bytes of a key. */
export const KEY_BYTES = 32;

type Bytes = Uint8Array<ArrayBuffer>;

/** A key of the ring. */
export interface TicketKey {
  readonly kid: number;
  readonly bytes: Bytes;
}

/** The keys of tickets. */
export interface TicketRing {
  /** The key for new tickets; `undefined` where there is none now. */
  current(): TicketKey | undefined;
  /** The key with a name, if it is in the ring. */
  find(kid: number): TicketKey | undefined;
  /** A number for a ticket: higher than those of the tickets that the same client got earlier. */
  nextSerial(): number;
  /** Milliseconds until a key is dropped. */
  leftMs(key: TicketKey): number;
  /** Wipes keys whose time is over. @returns whether any key was dropped since the last call. */
  dropOld(): boolean;
  /** Wipes all keys. */
  close(): void;
}

/** Random bytes from the system. */
export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** How long keys live. */
export interface RingOptions {
  /** A new key comes after this time; the previous one is kept for as long again. */
  readonly lifetimeSeconds: number;
  /** Milliseconds, never backwards. */
  readonly clock?: () => number;
  readonly randomBytes?: (length: number) => Bytes;
}

interface DatedKey extends TicketKey {
  readonly madeAtMs: number;
}

/** Keys in the memory of this server alone. */
export class MemoryRing implements TicketRing {
  readonly #lifetimeMs: number;
  readonly #clock: () => number;
  readonly #randomBytes: (length: number) => Bytes;
  /** Oldest first; two at most. */
  #keys: DatedKey[] = [];
  #lastSerial = 0;

  constructor(options: RingOptions) {
    this.#lifetimeMs = options.lifetimeSeconds * 1000;
    this.#clock = options.clock ?? (() => performance.now());
    this.#randomBytes = options.randomBytes ?? randomBytes;
  }

  current(): DatedKey {
    const now = this.#clock();
    const newest = this.#keys.at(-1);
    if (newest !== undefined && now < newest.madeAtMs + this.#lifetimeMs) return newest;
    const key = { kid: this.#newKid(), bytes: this.#randomBytes(KEY_BYTES), madeAtMs: now };
    this.#keys.push(key);
    return key;
  }

  find(kid: number): DatedKey | undefined {
    return this.#keys.find((each) => each.kid === kid);
  }

  nextSerial(): number {
    return ++this.#lastSerial;
  }

  leftMs({ kid }: TicketKey): number {
    return (this.find(kid)?.madeAtMs ?? 0) + 2 * this.#lifetimeMs - this.#clock();
  }

  dropOld(): boolean {
    const now = this.#clock();
    const [oldest] = this.#keys;
    if (oldest === undefined || now < oldest.madeAtMs + 2 * this.#lifetimeMs) return false;
    this.#drop((key) => now >= key.madeAtMs + 2 * this.#lifetimeMs);
    return true;
  }

  close(): void {
    this.#drop(() => true);
  }

  #drop(isOver: (key: DatedKey) => boolean): void {
    for (const key of this.#keys) if (isOver(key)) key.bytes.fill(0);
    this.#keys = this.#keys.filter((key) => !isOver(key));
  }

  /** Not that of a key in use. */
  #newKid(): number {
    for (;;) {
      const kid = new DataView(this.#randomBytes(KID_BYTES).buffer).getUint32(0);
      if (this.find(kid) === undefined) return kid;
    }
  }
}
