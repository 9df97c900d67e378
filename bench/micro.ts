/**
 * @module
 * The parts of a request in this process, without HTTP.
 */
import { setImmediate } from "node:timers";
import nacl from "tweetnacl";
import { Box, type SharedKey } from "../lib/crypto/box.ts";
import type { PublicKey } from "../lib/crypto/keys.ts";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { WorkBudget } from "../lib/limits/budget.ts";
import { ReplayJournal } from "../lib/replay/journal.ts";
import { FINGERPRINT_WORDS } from "../lib/replay/fingerprints.ts";
import { Keyring } from "../lib/keys/keyring.ts";
import { SenderSearch } from "../lib/keys/search.ts";
import { median, microseconds } from "./statistics.ts";

/**
 * Milliseconds for which searches for strangers among 100,000 keys hold the event loop at most, the
 * median of some series.
 */
export async function runLongestStretch(): Promise<number> {
  const box = await Box.load();
  const keyring = new Keyring(box, generateKeyPair().privateKey);
  for (let i = 0; i < 100_000; i++) {
    keyring.addKey(crypto.getRandomValues(new Uint8Array(32)) as PublicKey);
  }
  const search = new SenderSearch(keyring, new WorkBudget(1));
  let longest = 0, last = performance.now(), isOver = false;
  const turn = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(turn);
  };
  turn();
  const series: number[] = [];
  for (let i = 0; i < 7; i++) {
    longest = 0;
    for (let j = 0; j < 5; j++) await search.find(nacl.randomBytes(44), true);
    series.push(longest);
  }
  isOver = true;
  return median(series);
}

/** Microseconds by part. */
export async function runMicro(): Promise<Record<string, number>> {
  const box = await Box.load();
  const server = generateKeyPair(), client = generateKeyPair();
  const key = box.deriveSharedKey(client.publicKey, server.privateKey) as SharedKey;
  const naclKey = nacl.box.before(client.publicKey, server.privateKey);
  const nonce = nacl.randomBytes(24);
  const secret = box.seal(key, nonce, new Uint8Array(128));
  const check = box.seal(key, nonce, new Uint8Array(4));
  const stranger = nacl.randomBytes(44);
  const values = [check, secret, check, check];
  const keyring = new Keyring(box, server.privateKey);
  for (let i = 0; i < 10_000; i++) {
    keyring.addKey(crypto.getRandomValues(new Uint8Array(32)) as PublicKey);
  }
  const folder = await Deno.makeTempDir({ prefix: "msp-journal-" });
  const journal = new ReplayJournal(folder, {
    recordsPerFile: 500_000,
    observer: {
      fault: (_, what) => {
        throw new Error(what);
      },
    },
  });
  const words = new Uint32Array(FINGERPRINT_WORDS);
  const remember = (each: number, i: number): void => {
    journal.append(words, 0);
    if (i % each === 0) journal.flush();
  };
  const journalFigures = {
    "remember a request on disk, alone": microseconds((i) => remember(1, i), 5000),
    "remember a request on disk, 16 in a turn": microseconds((i) => remember(16, i), 20_000),
  };
  journal.close();
  await Deno.remove(folder, { recursive: true });
  const trials = (): void => void keyring.findInSlots(stranger, 0, keyring.slotCount);
  return {
    "open the four values": microseconds(() => void box.openAll(key, values), 20_000),
    "open the four values, tweetnacl": microseconds(() => {
      for (const each of values) nacl.box.open.after(each.subarray(24), nonce, naclKey);
    }, 1000),
    ...journalFigures,
    "seal an answer": microseconds(() => void box.seal(key, nonce, new Uint8Array(44)), 20_000),
    "try one key of 10,000": microseconds(trials, 5) / keyring.slotCount,
    "try one key, tweetnacl": microseconds(
      () => void nacl.box.open.after(stranger.subarray(24), stranger.subarray(0, 24), naclKey),
      2000,
    ),
    "derive a shared key": microseconds(() => {
      box.forget(box.deriveSharedKey(client.publicKey, server.privateKey) as SharedKey);
    }, 500),
    "derive a shared key, tweetnacl": microseconds(
      () => void nacl.box.before(client.publicKey, server.privateKey),
      100,
    ),
  };
}
