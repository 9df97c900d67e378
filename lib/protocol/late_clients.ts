/**
 * @module
 * The holder of a ticket that replicas share, who is not registered here yet: this replica may be loading
 * its keys, and another one may have registered the client a moment ago.
 */
import type { ClientRecord, Keyring } from "../keys/keyring.ts";
import type { Soon } from "./protocol.ts";

/** Milliseconds between two readings of the key store. A client that was removed can ask, too. */
const PAUSE_MS = 300;

/** Looks for clients again. */
export class LateClients {
  readonly #keyring: Pick<Keyring, "recordOf" | "whenLoaded">;
  readonly #reload: (() => Promise<void>) | undefined;
  #reading: Promise<void> = Promise.resolve();
  #readMs = -Infinity;

  /** @param reload reads the key store; absent where tickets are of this server alone */
  constructor(
    keyring: Pick<Keyring, "recordOf" | "whenLoaded">,
    reload: (() => Promise<void>) | undefined,
  ) {
    this.#keyring = keyring;
    this.#reload = reload;
  }

  /** The client with a public key, after the key store was read again: one reading for all who ask. */
  find(publicKey: Uint8Array): Soon<ClientRecord | undefined> {
    if (this.#reload === undefined) return undefined;
    const nowMs = performance.now();
    if (nowMs - this.#readMs > PAUSE_MS) {
      this.#readMs = nowMs;
      // What cannot be read is reported there.
      this.#reading = this.#keyring.whenLoaded().then(this.#reload).catch(() => {});
    }
    return this.#reading.then(() => this.#keyring.recordOf(publicKey));
  }
}
