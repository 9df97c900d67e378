import assert from "node:assert/strict";
import { Box } from "../../../lib/crypto/box.ts";
import type { SecretHex } from "../../../lib/crypto/keys.ts";
import { ClientBox, generateKeyPair } from "../../../lib/crypto/nacl.ts";
import { Keyring } from "../../../lib/keyring/keyring.ts";
import { SenderFinder } from "../../../lib/keyring/sender.ts";
import type { SealedRequest } from "../../../lib/protocol/v1.ts";

const box = await Box.load();
const server = generateKeyPair();
const clients = Array.from({ length: 20 }, () => generateKeyPair());
const secrets = ["ab".repeat(64), "cd".repeat(64)] as SecretHex[];
const content = {
  clients: clients.map(({ publicKey }, i) => ({ path: `client_${i}.pub`, publicKey })),
  secrets,
  faults: [],
};

function sealAs(index: number, entry = "ping"): SealedRequest {
  const privateKey = clients[index]?.privateKey ?? generateKeyPair().privateKey;
  const clientBox = new ClientBox(privateKey, server.publicKey);
  const seal = (text: string): Uint8Array => clientBox.seal(new TextEncoder().encode(text));
  return { id: seal("id"), check: seal("crc"), ts: seal("ts"), entry: seal(entry) };
}

Deno.test("SenderFinder.find() finds each client, whoever used the address before", () => {
  const keyring = new Keyring(box, server.privateKey, content);
  const finder = new SenderFinder(box, keyring);
  for (const index of [3, 3, 0, 19, 3, 7]) {
    const sender = finder.find(sealAs(index), "192.0.2.1");
    assert.equal(sender?.key, keyring.sharedKeys[index]);
    assert.equal(new TextDecoder().decode(sender?.opened.entry), "ping");
    if (sender !== undefined) finder.remember("192.0.2.1", sender.key);
  }
  assert.equal(finder.find(sealAs(-1), "192.0.2.1"), undefined, "a stranger");
});

Deno.test("SenderFinder.find() takes no request whose values are of two clients", () => {
  const finder = new SenderFinder(box, new Keyring(box, server.privateKey, content));
  for (const name of ["id", "check", "ts", "entry"] as const) {
    const mixed = { ...sealAs(1), [name]: sealAs(2)[name] };
    assert.equal(finder.find(mixed, "192.0.2.1"), undefined, name);
  }
});

Deno.test("SenderFinder.remember() is bounded", () => {
  const keyring = new Keyring(box, server.privateKey, content);
  const finder = new SenderFinder(box, keyring);
  const [key] = keyring.sharedKeys;
  assert.ok(key !== undefined);
  for (let i = 0; i < 10_500; i++) finder.remember(`10.0.${i >> 8}.${i & 255}`, key);
  assert.equal(finder.addressCount, 10_000);
  assert.ok(
    finder.find(sealAs(0), "10.0.0.0") !== undefined,
    "who was forgotten is found by search",
  );
});

Deno.test("Keyring.isRegisteredSecret() knows the registered secrets as they are written", () => {
  const keyring = new Keyring(box, server.privateKey, content);
  const isRegistered = (text: string): boolean =>
    keyring.isRegisteredSecret(new TextEncoder().encode(text));
  for (const secret of secrets) assert.ok(isRegistered(secret));
  for (
    const text of ["", "AB".repeat(64), "ab".repeat(63), `${"ab".repeat(64)}\n`, "ef".repeat(64)]
  ) {
    assert.ok(!isRegistered(text));
  }
});
