import assert from "node:assert/strict";
import { Box } from "../../../lib/crypto/box.ts";
import type { SecretHex } from "../../../lib/crypto/keys.ts";
import { ClientBox, generateKeyPair } from "../../../lib/crypto/nacl.ts";
import { WorkBudget } from "../../../lib/limits/budget.ts";
import { FailureCounter } from "../../../lib/limits/failures.ts";
import { Keyring } from "../../../lib/keys/keyring.ts";
import { SenderSearch } from "../../../lib/keys/search.ts";
import { SenderFinder } from "../../../lib/keys/sender.ts";
import type { SealedRequest } from "../../../lib/protocol/v1.ts";

const box = await Box.load();
const server = generateKeyPair();
const clients = Array.from({ length: 400 }, () => generateKeyPair());
const ADDRESS = "192.0.2.1";
const NOW = 1_000_000;

function makeFinder(options: { failuresPerMinute?: number; budget?: WorkBudget } = {}): {
  keyring: Keyring;
  search: SenderSearch;
  finder: SenderFinder;
} {
  const keyring = new Keyring(box, server.privateKey);
  for (const { publicKey } of clients) keyring.addKey(publicKey);
  const search = new SenderSearch(keyring, options.budget ?? new WorkBudget(1));
  const failures = new FailureCounter({
    perMinute: options.failuresPerMinute ?? 1000,
    addresses: 10_000,
  });
  return {
    keyring,
    search,
    finder: new SenderFinder({ box, keyring, search, failures, maxAddresses: 10_000 }),
  };
}

function sealAs(index: number): SealedRequest {
  const privateKey = clients[index]?.privateKey ?? generateKeyPair().privateKey;
  const clientBox = new ClientBox(privateKey, server.publicKey);
  const seal = (text: string): Uint8Array => clientBox.seal(new TextEncoder().encode(text));
  return { id: seal("id"), check: seal("crc"), ts: seal("ts"), entry: seal(`ping ${index}`) };
}

/** Finds a sender as the server does, and says on which way. */
async function find(
  finder: SenderFinder,
  index: number,
): Promise<"likely" | "search" | "none" | "busy"> {
  const request = sealAs(index);
  const likely = finder.findLikely(request, ADDRESS, NOW);
  assert.ok(likely !== "tampered");
  const result = likely ?? await finder.search(request.check, ADDRESS, NOW);
  if (result === "none") finder.noteFailure(ADDRESS, NOW);
  if (typeof result === "string") return result;
  const sender = likely ?? finder.open({ after: -1, ...result }, request);
  assert.equal(new TextDecoder().decode(sender?.opened.entry), `ping ${index}`);
  if (sender !== undefined) finder.remember(ADDRESS, sender, NOW);
  return likely === undefined ? "search" : "likely";
}

Deno.test("SenderFinder finds each client, whoever used the address before, and no stranger", async () => {
  const { finder } = makeFinder();
  assert.equal(await find(finder, 399), "search");
  assert.equal(await find(finder, 399), "likely");
  for (const index of [0, 200, 399, 0]) assert.notEqual(await find(finder, index), "none");
  assert.equal(await find(finder, -1), "none");
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

Deno.test("SenderFinder gives whom it searched for the place of when the request arrived", async () => {
  const { finder } = makeFinder();
  const senders = Array.from({ length: 380 }, (_, i) => i);
  for (let cycle = 0; cycle < 2; cycle++) for (const index of senders) await find(finder, index);
  for (const index of senders.slice(0, 20)) await find(finder, index);
  // The twentieth is searched for while 300 others go on.
  const late = sealAs(20);
  const found = await finder.search(late.check, ADDRESS, NOW);
  assert.ok(typeof found !== "string");
  for (const index of senders.slice(21, 320)) await find(finder, index);
  const sender = finder.open(found, late);
  assert.ok(sender !== undefined);
  finder.remember(ADDRESS, sender, NOW);
  for (const index of senders.slice(320)) assert.equal(await find(finder, index), "likely");
  for (const index of senders) assert.equal(await find(finder, index), "likely", `client ${index}`);
});

Deno.test("SenderFinder goes on where it was after one that came out of turn, or follows it", async () => {
  const { finder } = makeFinder();
  const senders = Array.from({ length: 380 }, (_, i) => i);
  for (let cycle = 0; cycle < 2; cycle++) for (const index of senders) await find(finder, index);
  for (const index of senders.slice(0, 100)) await find(finder, index);
  assert.equal(await find(finder, 300), "search", "out of turn");
  for (const index of senders.slice(100, 110)) assert.equal(await find(finder, index), "likely");
  assert.equal(await find(finder, 200), "search", "out of turn");
  for (const index of senders.slice(201, 290)) assert.equal(await find(finder, index), "likely");
});

Deno.test("SenderFinder keeps those who were heard from in reach when new ones come", async () => {
  const { finder } = makeFinder();
  for (let newcomer = 100; newcomer < 140; newcomer++) {
    for (const index of [1, 2, 3]) await find(finder, index);
    await find(finder, newcomer);
    for (const index of [2, 1, 3]) assert.equal(await find(finder, index), "likely");
  }
});

Deno.test("SenderFinder takes no request whose values are of two clients", () => {
  const { finder } = makeFinder();
  for (const name of ["id", "check", "ts", "entry"] as const) {
    const mixed = { ...sealAs(1), [name]: sealAs(2)[name] };
    assert.equal(finder.open({ slot: 1, after: -1 }, mixed), undefined, name);
    assert.equal(finder.open({ slot: 2, after: -1 }, mixed), undefined, name);
    assert.equal(finder.findLikely(mixed, ADDRESS, NOW), "tampered", name);
  }
});

Deno.test("SenderFinder.remember() is bounded", () => {
  const { finder } = makeFinder();
  const sender = finder.open({ slot: 0, after: -1 }, sealAs(0));
  assert.ok(sender !== undefined);
  for (let i = 0; i < 10_500; i++) finder.remember(`10.0.${i >> 8}.${i & 255}`, sender, NOW);
  assert.equal(finder.addressCount, 10_000);
});

Deno.test("SenderFinder knows keys from when they are added until they are removed", async () => {
  const { keyring, finder } = makeFinder();
  assert.equal(await find(finder, 300), "search");
  keyring.removeKey(300);
  assert.equal(keyring.size, 399);
  assert.equal(await find(finder, 300), "none");
  assert.equal(finder.open({ slot: 300, after: -1 }, sealAs(300)), undefined);
  keyring.removeKey(300);
  assert.equal(keyring.size, 399, "a second time does nothing");
  const client = clients[300] ?? generateKeyPair();
  assert.equal(keyring.addKey(client.publicKey), 300, "the slot is used again");
  assert.notEqual(await find(finder, 300), "none");
});

Deno.test("SenderFinder finds who stays, while keys come and go during the search", async () => {
  const { keyring, finder } = makeFinder();
  const requests = Array.from({ length: 40 }, (_, i) => find(finder, 350 + i));
  for (let slot = 0; slot < 300; slot++) {
    keyring.removeKey(slot);
    if (slot % 3 === 0) keyring.addKey(generateKeyPair().publicKey);
    if (slot % 50 === 0) await Promise.resolve();
  }
  for (const result of await Promise.all(requests)) assert.notEqual(result, "none");
});

Deno.test("SenderFinder.search() looks into so many strangers of an address a minute", async () => {
  const { finder } = makeFinder({ failuresPerMinute: 3 });
  const results = [];
  for (let i = 0; i < 5; i++) results.push(await find(finder, -1));
  assert.deepEqual(results, ["none", "none", "none", "busy", "busy"]);
  const { check } = sealAs(-1);
  assert.equal(await finder.search(check, "198.51.100.1", NOW), "none", "another address");
  assert.equal(await finder.search(check, ADDRESS, NOW + 60), "none", "another minute");
});

Deno.test("SenderSearch.find() refuses strangers beyond the budget, and lets trusted addresses wait", async () => {
  let now = 0;
  const budget = new WorkBudget(0.25, () => now);
  const { keyring, search } = makeFinder({ budget });
  budget.spend(110);
  const { check } = sealAs(300);
  assert.equal(await search.find(check, false), "busy");
  const trusted = search.find(check, true);
  now += 10_000;
  assert.equal(await trusted, 300);
  assert.equal(keyring.size, 400);
});

Deno.test("SenderSearch.find() queues a bounded number of searches", async () => {
  const { search } = makeFinder();
  const { check } = sealAs(-1);
  const results = await Promise.all(Array.from({ length: 100 }, () => search.find(check, true)));
  assert.equal(results.filter((result) => result === "none").length, 64);
  assert.equal(results.filter((result) => result === "busy").length, 36);
});

Deno.test("SenderSearch.find() waits for keys that are still being loaded", async () => {
  const { keyring, search } = makeFinder();
  const late = generateKeyPair();
  const sealed = new ClientBox(late.privateKey, server.publicKey).seal(new Uint8Array(4));
  search.isLoading = true;
  const result = search.find(sealed, false);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  const slot = keyring.addKey(late.publicKey);
  search.isLoading = false;
  assert.equal(await result, slot);
});

Deno.test("Keyring.isRegisteredSecret() knows the registered secrets as they are written", () => {
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
