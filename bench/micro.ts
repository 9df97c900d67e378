/**
 * @module
 * The micro part: pieces of a call in this process, without HTTP.
 */
import { setImmediate } from "node:timers";
import { Box, type SharedKey } from "../lib/crypto/box.ts";
import type { PublicKey } from "../lib/crypto/keys.ts";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { Keyring } from "../lib/keys/keyring.ts";
import { SenderSearch } from "../lib/keys/search.ts";
import { WorkBudget } from "../lib/limits/budget.ts";
import { FINGERPRINT_WORDS } from "../lib/replay/fingerprints.ts";
import { ReplayJournal } from "../lib/replay/journal.ts";
import type { Effort } from "./course.ts";
import type { Row } from "./rows.ts";
import { estimate, series } from "./statistics.ts";

/** Most keys that an installation is expected to have. */
const MANY_KEYS = 100_000;
const SOME_KEYS = 10_000;
const FEW_KEYS = 500;

/** Measures the pieces. */
export async function runMicro(folder: string, { rounds, isBrief }: Effort): Promise<Row[]> {
  return [
    ...await runCryptography(rounds, isBrief ? FEW_KEYS : SOME_KEYS),
    ...await runJournal(folder, rounds),
    await runLongestStretch(rounds, isBrief ? FEW_KEYS : MANY_KEYS),
  ];
}

function row(name: string, values: readonly number[], unit: Row["unit"] = "µs"): Row {
  return { name, unit, value: estimate(values) };
}

async function runCryptography(rounds: number, keyCount: number): Promise<Row[]> {
  const box = await Box.load();
  const server = generateKeyPair(), client = generateKeyPair();
  const key = box.deriveSharedKey(client.publicKey, server.privateKey) as SharedKey;
  const nonce = randomBytes(24);
  const id = box.seal(key, nonce, new Uint8Array(128));
  const short = box.seal(key, nonce, new Uint8Array(4));
  const values = [short, id, short, short];
  const unknown = randomBytes(44);
  const keyring = await keyringOf(keyCount);
  const { slotCount } = keyring;
  const derive = (): void => {
    const shared = box.deriveSharedKey(client.publicKey, server.privateKey);
    if (shared !== undefined) box.forget(shared);
  };
  const trials = series(() => void keyring.findInSlots(unknown, 0, slotCount), 5, rounds);
  return [
    row("open the four values", series(() => void box.openAll(key, values), 20_000, rounds)),
    row("seal an answer", series(() => void box.seal(key, nonce, randomAnswer), 20_000, rounds)),
    row("try one registered key", trials.map((micros) => micros / slotCount)),
    row("derive a shared key", series(derive, 500, rounds)),
  ];
}
const randomAnswer = new Uint8Array(44);

async function runJournal(folder: string, rounds: number): Promise<Row[]> {
  const journal = new ReplayJournal({
    folder: await Deno.makeTempDir({ dir: folder }),
    windowRequests: 1_300_000,
    entryRequests: 1_000_000,
    onRecord: () => {},
    observer: {
      fault: (_, what) => {
        throw new Error(what);
      },
      recovered: () => {},
    },
  });
  const claim = { sentAtSeconds: 0, expiresAtSeconds: 0 };
  const words = new Uint32Array(FINGERPRINT_WORDS);
  const settle = (each: number, i: number): void => {
    journal.append(words, claim);
    if (i % each === 0) journal.flush();
  };
  const rows = [
    row("claim a request on disk, alone", series((i) => settle(1, i), 5000, rounds)),
    row("claim a request on disk, 16 in a turn", series((i) => settle(16, i), 20_000, rounds)),
  ];
  journal.close();
  return rows;
}

/** How long a search for unknown senders holds the event loop at a stretch. */
async function runLongestStretch(rounds: number, keyCount: number): Promise<Row> {
  const search = new SenderSearch(await keyringOf(keyCount), new WorkBudget(1));
  let longest = 0, last = performance.now(), isOver = false;
  const turn = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(turn);
  };
  turn();
  const stretches: number[] = [];
  for (let round = 0; round < rounds; round++) {
    longest = 0;
    for (let i = 0; i < 5; i++) await search.find(randomBytes(44), true);
    stretches.push(longest);
  }
  isOver = true;
  const count = keyCount.toLocaleString("en");
  return row(`longest stretch of a search among ${count} keys`, stretches, "ms");
}

async function keyringOf(count: number): Promise<Keyring> {
  const keyring = new Keyring(await Box.load(), generateKeyPair().privateKey);
  for (let i = 0; i < count; i++) keyring.addKey(randomBytes(32) as PublicKey);
  return keyring;
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}
