import assert from "node:assert/strict";
import fc from "fast-check";
import nacl from "tweetnacl";
import { Box } from "../../lib/crypto/box.ts";
import type { PublicKey } from "../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../lib/crypto/nacl.ts";
import { Keyring } from "../../lib/keys/keyring.ts";

const KEYS = 1000;
const CASES = 10_000;

Deno.test("the search agrees with tweetnacl on 10,000 cases among 1,000 keys: no miss, no false accept", async () => {
  const box = await Box.load();
  const server = generateKeyPair();
  const keyring = new Keyring(box, server.privateKey);
  const clients = Array.from({ length: KEYS }, () => nacl.box.keyPair());
  for (const { publicKey } of clients) keyring.addKey(publicKey as PublicKey);
  const shared = clients.map(({ publicKey }) => nacl.box.before(publicKey, server.privateKey));
  const one = fc.record({
    client: fc.nat(KEYS - 1),
    plaintext: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    tamperAt: fc.option(fc.nat(), { freq: 3 }),
    isStranger: fc.boolean(),
  });
  let found = 0;
  fc.assert(
    fc.property(one, ({ client, plaintext, tamperAt, isStranger }) => {
      const key = isStranger && tamperAt === null ? nacl.randomBytes(32) : shared[client];
      assert.ok(key !== undefined);
      const nonce = nacl.randomBytes(24);
      const boxed = nacl.box.after(plaintext, nonce, key);
      const sealed = new Uint8Array([...nonce, ...boxed]);
      if (tamperAt !== null) {
        const at = tamperAt % sealed.length;
        sealed[at] = (sealed[at] ?? 0) ^ (1 << (tamperAt % 8));
      }
      const slot = keyring.findInSlots(sealed, 0, keyring.slotCount);
      // tweetnacl decides about the one that could be right; every other key would be a false accept.
      const opened = nacl.box.open.after(
        sealed.subarray(24),
        sealed.subarray(0, 24),
        shared[client] ?? key,
      );
      assert.equal(slot, opened === null ? -1 : client);
      if (slot >= 0) {
        found++;
        const sharedKey = keyring.keyAt(slot);
        assert.ok(sharedKey !== undefined);
        assert.deepEqual(box.open(sharedKey, sealed), opened);
      }
    }),
    { numRuns: CASES },
  );
  assert.ok(found > CASES / 10, `${found} were found`);
});
