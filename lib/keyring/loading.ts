/**
 * @module
 * Fills a keyring from the key store: what takes long (a shared key takes 0.1 ms) goes on in the
 * background, so that the server listens at once.
 */
import { setImmediate } from "node:timers";
import type { Keyring } from "./keyring.ts";
import type { StoredClient, StoreFault } from "./store.ts";

/** Keys that are loaded before the first request: about 1,000. */
const FIRST_SLICE_MS = 100;
/** How long loading holds the event loop at a stretch. */
const SLICE_MS = 5;

/** What happens while keys are loaded. */
export interface LoadEvents {
  /** A key cannot be used. */
  readonly onFault: (fault: StoreFault) => void;
  /** All keys are in the keyring. */
  readonly onDone: () => void;
}

/** Registers the keys of clients; returns when it is done or goes on in the background. */
export function loadKeys(
  keyring: Keyring,
  clients: readonly StoredClient[],
  { onFault, onDone }: LoadEvents,
): void {
  let next = 0;
  function slice(milliseconds: number): void {
    const end = performance.now() + milliseconds;
    while (next < clients.length && performance.now() < end) {
      const client = clients[next++];
      if (client === undefined || keyring.addKey(client.publicKey) !== undefined) continue;
      onFault({ path: client.path, state: "a point of low order, no safe key, skipped" });
    }
    if (next < clients.length) setImmediate(() => slice(SLICE_MS));
    else onDone();
  }
  slice(FIRST_SLICE_MS);
}
