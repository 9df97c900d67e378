/**
 * @module
 * Fills a keyring from the key store: what takes long (reading a file takes 0.01 ms, deriving a
 * shared key 0.1 ms) goes on in the background, so that the server listens at once.
 */
import { join } from "node:path";
import { setImmediate } from "node:timers";
import type { Keyring } from "./keyring.ts";
import { readClientKey, type StoreFault } from "./store_reader.ts";

/** Loading before the first request: about 1,000 keys. */
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

/** Client files, in their order. */
export interface ClientFiles {
  readonly folder: string;
  readonly names: readonly string[];
}

/** Registers the keys in client files; returns when it is done or goes on in the background. */
export function loadKeys(keyring: Keyring, files: ClientFiles, events: LoadEvents): void {
  const { folder, names } = files;
  let next = 0;
  function slice(milliseconds: number): void {
    const end = performance.now() + milliseconds;
    while (next < names.length && performance.now() < end) {
      const fault = loadKey(keyring, join(folder, names[next++] ?? ""));
      if (fault !== undefined) events.onFault(fault);
    }
    if (next < names.length) setImmediate(() => slice(SLICE_MS));
    else events.onDone();
  }
  slice(FIRST_SLICE_MS);
}

function loadKey(keyring: Keyring, path: string): StoreFault | undefined {
  const key = readClientKey(path);
  if ("state" in key) return key;
  if (keyring.addKey(key) !== undefined) return undefined;
  return { path, state: "a point of low order, no safe key, skipped" };
}
