import assert from "node:assert/strict";
import { Box } from "../../../lib/crypto/box.ts";
import { fingerprintOf } from "../../../lib/crypto/digest.ts";
import type { PublicKey, SecretHex } from "../../../lib/crypto/keys.ts";
import { ClientBox, generateKeyPair } from "../../../lib/crypto/nacl.ts";
import { WorkBudget } from "../../../lib/limits/budget.ts";
import type { ReachedLimit } from "../../../lib/observer.ts";
import { type ClientRecord, Keyring } from "../../../lib/keys/keyring.ts";
import { SenderSearch } from "../../../lib/keys/search.ts";
import { type SealedValues, type Sender, SenderFinder } from "../../../lib/keys/sender.ts";

const box = await Box.load();
const server = generateKeyPair();
const clients = Array.from({ length: 400 }, () => generateKeyPair());
const ADDRESS = "192.0.2.1";
const NOW = 1_000_000;

const HERE = { address: ADDRESS, nowSeconds: NOW };

interface Made {
  readonly keyring: Keyring;
  readonly records: readonly ClientRecord[];
  readonly search: SenderSearch;
  readonly finder: SenderFinder;
  /** What the observer was told. */
  readonly newAddresses: string[];
  readonly limits: ReachedLimit[];
}

function makeFinder(
  options: { failuresPerMinute?: number; budget?: WorkBudget; maxAddresses?: number } = {},
): Made {
  const keyring = new Keyring(box, server.privateKey);
  const records = clients.map(({ publicKey }) => keyring.addKey(publicKey))
    .filter((record) => record !== undefined);
  const search = new SenderSearch(keyring, options.budget ?? new WorkBudget(1));
  const newAddresses: string[] = [];
  const limits: ReachedLimit[] = [];
  const finder = new SenderFinder({
    box,
    keyring,
    search,
    failuresPerMinute: options.failuresPerMinute ?? 1000,
    maxAddresses: options.maxAddresses ?? 10_000,
    addressTtlSeconds: 300,
    observer: {
      newAddress: (address) => newAddresses.push(address),
      limitReached: (limit) => limits.push(limit),
    },
  });
  return { keyring, records, search, finder, newAddresses, limits };
}

/** Values as client `index` seals them; of an unknown sender for -1. */
function sealAs(index: number): [Uint8Array, Uint8Array, Uint8Array, Uint8Array] {
  const privateKey = clients[index]?.privateKey ?? generateKeyPair().privateKey;
  const clientBox = new ClientBox(privateKey, server.publicKey);
  const seal = (text: string): Uint8Array => clientBox.seal(new TextEncoder().encode(text));
  return [seal("crc"), seal("id"), seal("ts"), seal(`ping ${index}`)];
}

/** Finds a sender as the server does, and says on which way. */
async function find(
  finder: SenderFinder,
  index: number,
  arrival = HERE,
): Promise<"likely" | "search" | "unknown_sender" | "search_limit"> {
  const result = finder.find(sealAs(index), arrival);
  const sender = await result;
  if (typeof sender === "string") return sender;
  assert.equal(new TextDecoder().decode(sender.opened[3]), `ping ${index}`);
  finder.accepted(sender, arrival);
  return result instanceof Promise ? "search" : "likely";
}

/** A request whose sender is found at once. */
function findLikely(finder: SenderFinder, values: SealedValues): Sender | string {
  const result = finder.find(values, HERE);
  assert.ok(!(result instanceof Promise));
  return result;
}

Deno.test("SenderFinder finds each client, whichever client used the address last, and no unknown sender", async () => {
  const { finder } = makeFinder();
  assert.equal(await find(finder, 399), "search");
  assert.equal(await find(finder, 399), "likely");
  for (const index of [0, 200, 399, 0]) {
    assert.notEqual(await find(finder, index), "unknown_sender");
  }
  assert.equal(await find(finder, -1), "unknown_sender");
  assert.equal(await find(finder, 0), "likely");
});

Deno.test("SenderFinder expects clients to take turns in the same order", async () => {
  const { finder } = makeFinder();
  const senders = Array.from({ length: 350 }, (_, i) => (i * 37) % 397);
  for (const index of senders) await find(finder, index);
  const [first = 0, ...others] = senders;
  await find(finder, first);
  for (const index of others) assert.equal(await find(finder, index), "likely", `client ${index}`);
  for (const index of senders) assert.equal(await find(finder, index), "likely", `client ${index}`);
  // Neighbours change places, as they do when they come over several connections.
  const swapped = senders.map((_, i) => senders[i ^ 1] ?? 0);
  for (const index of swapped) assert.equal(await find(finder, index), "likely", `client ${index}`);
});

Deno.test("SenderFinder gives a searched sender the position of when its request arrived", async () => {
  const { finder, keyring, records } = makeFinder();
  const senders = Array.from({ length: 380 }, (_, i) => i);
  for (let cycle = 0; cycle < 2; cycle++) for (const index of senders) await find(finder, index);
  for (const index of senders.slice(0, 20)) await find(finder, index);
  // Registered again behind others, the twentieth is searched for, while 300 others go on.
  const record = records[20], publicKey = clients[20]?.publicKey;
  assert.ok(record !== undefined && publicKey !== undefined);
  keyring.removeKey(record);
  for (let i = 0; i < 200; i++) keyring.addKey(generateKeyPair().publicKey);
  keyring.addKey(publicKey);
  const late = await finder.find(sealAs(20), HERE);
  assert.ok(typeof late !== "string" && late.after === 19);
  for (const index of senders.slice(21, 320)) await find(finder, index);
  finder.accepted(late, HERE);
  for (const index of senders.slice(320)) assert.equal(await find(finder, index), "likely");
  for (const index of senders) assert.equal(await find(finder, index), "likely", `client ${index}`);
});

Deno.test("SenderFinder resumes its order after a client that came out of turn, or follows that client", async () => {
  const { finder } = makeFinder();
  const senders = Array.from({ length: 380 }, (_, i) => i);
  for (let cycle = 0; cycle < 2; cycle++) for (const index of senders) await find(finder, index);
  for (const index of senders.slice(0, 100)) await find(finder, index);
  assert.equal(await find(finder, 300), "search", "out of turn");
  for (const index of senders.slice(100, 110)) assert.equal(await find(finder, index), "likely");
  assert.equal(await find(finder, 200), "search", "out of turn");
  for (const index of senders.slice(201, 290)) assert.equal(await find(finder, index), "likely");
});

Deno.test("SenderFinder keeps recent senders within reach when new ones come", async () => {
  const { finder } = makeFinder();
  for (let newcomer = 100; newcomer < 140; newcomer++) {
    for (const index of [1, 2, 3]) await find(finder, index);
    await find(finder, newcomer);
    for (const index of [2, 1, 3]) assert.equal(await find(finder, index), "likely");
  }
});

Deno.test("SenderFinder refuses a request with values of two clients", async () => {
  const { finder } = makeFinder();
  await find(finder, 1);
  for (let place = 0; place < 4; place++) {
    for (const [mine, other] of [[1, 2], [2, 1], [1, -1], [350, 1]] as const) {
      const values = sealAs(mine);
      values[place] = sealAs(other)[place] ?? new Uint8Array();
      assert.equal(await finder.find(values, HERE), "unknown_sender", `${place} of ${other}`);
    }
  }
});

Deno.test("SenderFinder.find() gives copies after a search, which later requests do not change", async () => {
  const { finder } = makeFinder();
  const values = sealAs(300);
  const search = finder.find(values, HERE);
  assert.ok(search instanceof Promise);
  const sealed = values.map((each) => each.slice());
  for (const each of values) each.fill(0);
  const found = await search;
  assert.ok(typeof found !== "string");
  findLikely(finder, sealAs(1));
  assert.deepEqual(found.sealed, sealed);
  assert.equal(new TextDecoder().decode(found.opened[3]), "ping 300");
});

Deno.test("SenderFinder.find() tells the record of the key", async () => {
  const { finder, records, keyring } = makeFinder();
  const found = await finder.find(sealAs(300), HERE);
  assert.ok(typeof found !== "string");
  assert.equal(found.client, records[300]);
  assert.equal(found.client.fingerprint, fingerprintOf(clients[300]?.publicKey as PublicKey));
  assert.equal(found.key, keyring.keyAt(300));
});

Deno.test("SenderFinder remembers a bounded number of addresses, and says when it forgets one", async () => {
  const { finder, limits } = makeFinder({ maxAddresses: 100 });
  const sender = findLikely(finder, sealAs(0));
  assert.ok(typeof sender !== "string");
  for (let i = 0; i < 100; i++) finder.accepted(sender, { ...HERE, address: `10.0.0.${i}` });
  assert.deepEqual(limits, []);
  finder.accepted(sender, { ...HERE, address: "10.0.1.0" });
  assert.deepEqual([limits, finder.addressCount], [["sender_addresses"], 100]);
  const muchLater = { address: "10.0.1.1", nowSeconds: NOW + 4000 };
  finder.accepted(sender, muchLater);
  assert.deepEqual(limits, ["sender_addresses"], "an hour later an address is of no use");
  assert.equal(await find(finder, 1, muchLater), "likely");
});

Deno.test("SenderFinder.accepted() tells new addresses from those of the last IPAddressTTL seconds", () => {
  const { finder, newAddresses } = makeFinder();
  const sender = findLikely(finder, sealAs(0));
  assert.ok(typeof sender !== "string");
  for (
    const [address, nowSeconds, isNew] of [
      ["192.0.2.1", 1000, true],
      ["192.0.2.1", 1000, false],
      ["192.0.2.1", 1300, false],
      ["192.0.2.1", 1601, true],
      ["2001:db8::1", 1601, true],
    ] as const
  ) {
    const before = newAddresses.length;
    finder.accepted(sender, { address, nowSeconds });
    assert.deepEqual(newAddresses.slice(before), isNew ? [address] : [], `${nowSeconds}`);
  }
});

Deno.test("Keyring knows keys from when they are added until they are removed", async () => {
  const { keyring, finder, records } = makeFinder();
  assert.equal(await find(finder, 300), "search");
  const record = records[300], publicKey = clients[300]?.publicKey;
  assert.ok(record !== undefined && publicKey !== undefined);
  keyring.removeKey(record);
  assert.equal(keyring.size, 399);
  assert.equal(await find(finder, 300), "unknown_sender");
  keyring.removeKey(record);
  assert.equal(keyring.size, 399, "a second time does nothing");
  const next = keyring.addKey(publicKey);
  assert.equal(next?.slot, 300, "the slot is used again");
  assert.ok(next !== undefined && keyring.isRegistered(next));
  assert.ok(!keyring.isRegistered(record), "the key that had the slot before is not registered");
  keyring.removeKey(record);
  assert.ok(keyring.isRegistered(next), "removing it again does not remove its successor");
  assert.notEqual(await find(finder, 300), "unknown_sender");
});

Deno.test("SenderFinder finds a remaining key while others come and go during the search", async () => {
  const { keyring, finder, records } = makeFinder();
  const requests = Array.from({ length: 40 }, (_, i) => find(finder, 350 + i));
  for (const [slot, record] of records.slice(0, 300).entries()) {
    keyring.removeKey(record);
    if (slot % 3 === 0) keyring.addKey(generateKeyPair().publicKey);
    if (slot % 50 === 0) await Promise.resolve();
  }
  for (const result of await Promise.all(requests)) assert.equal(result, "search");
});

Deno.test("SenderFinder searches for a limited number of unknown senders of an address a minute", async () => {
  const { finder } = makeFinder({ failuresPerMinute: 3 });
  const results = [];
  for (let i = 0; i < 5; i++) results.push(await find(finder, -1));
  const unknown = "unknown_sender", limit = "search_limit";
  assert.deepEqual(results, [unknown, unknown, unknown, limit, limit]);
  assert.equal(await find(finder, -1, { ...HERE, address: "198.51.100.1" }), unknown);
  assert.equal(await find(finder, -1, { ...HERE, nowSeconds: NOW + 60 }), unknown);
});

Deno.test("SenderSearch.find() refuses unknown senders beyond the budget, and lets trusted addresses wait", async () => {
  let now = 0;
  const budget = new WorkBudget(0.25, () => now);
  const { keyring, search } = makeFinder({ budget });
  budget.spend(110);
  const [check] = sealAs(300);
  assert.equal(await search.find(check, false), "busy");
  const trusted = search.find(check, true);
  now += 10_000;
  assert.equal(await trusted, 300);
  assert.equal(keyring.size, 400);
});

Deno.test("SenderSearch.find() queues a limited number of searches", async () => {
  const { search } = makeFinder();
  const [check] = sealAs(-1);
  const results = await Promise.all(Array.from({ length: 100 }, () => search.find(check, true)));
  assert.equal(results.filter((result) => result === "none").length, 64);
  assert.equal(results.filter((result) => result === "busy").length, 36);
});

Deno.test("SenderSearch.find() waits for keys that are still being loaded", async () => {
  const { keyring, search } = makeFinder();
  const late = generateKeyPair();
  const sealed = new ClientBox(late.privateKey, server.publicKey).seal(new Uint8Array(4));
  keyring.isLoading = true;
  const result = search.find(sealed, false);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  const record = keyring.addKey(late.publicKey);
  keyring.isLoading = false;
  assert.equal(await result, record?.slot);
});

Deno.test("Keyring.isRegisteredSecret() accepts registered secrets exactly as written", () => {
  const keyring = new Keyring(box, server.privateKey);
  const isRegistered = (text: string): boolean =>
    keyring.isRegisteredSecret(new TextEncoder().encode(text));
  const secrets = Array.from({ length: 500 }, (_, i) => i.toString(16).padStart(128, "0"));
  for (const secret of [...secrets, ...secrets]) keyring.addSecret(secret as SecretHex);
  assert.equal(keyring.secretCount, 500);
  for (const secret of secrets) assert.ok(isRegistered(secret));
  for (
    const text of [
      "",
      secrets[255]?.toUpperCase() ?? "",
      "0".repeat(127),
      `${secrets[0]}\n`,
      "b".repeat(128),
    ]
  ) {
    assert.ok(!isRegistered(text));
  }
});
