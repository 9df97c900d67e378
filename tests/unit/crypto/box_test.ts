import assert from "node:assert/strict";
import fc from "fast-check";
import nacl from "tweetnacl";
import { decodeBase64 } from "../../../lib/protocol/base64.ts";
import { Aead } from "../../../lib/crypto/aead.ts";
import { Box, type SharedKey } from "../../../lib/crypto/box.ts";
import type { PrivateKey, PublicKey } from "../../../lib/crypto/keys.ts";
import { ClientBox, generateKeyPair } from "../../../lib/crypto/nacl.ts";
import { NonceMark } from "../../../lib/crypto/nonce_mark.ts";
import { loadSodium } from "../../../lib/crypto/sodium.ts";

const box = await Box.load();
const server = generateKeyPair();

function derive(publicKey: PublicKey): SharedKey {
  const key = box.deriveSharedKey(publicKey, server.privateKey);
  assert.ok(key !== undefined);
  return key;
}

Deno.test("Box and tweetnacl open each other's values, and no changed ones", () => {
  const client = generateKeyPair();
  const key = derive(client.publicKey);
  const clientBox = new ClientBox(client.privateKey, server.publicKey);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (plaintext, position) => {
    const sealed = clientBox.seal(plaintext);
    assert.deepEqual(box.open(key, sealed), plaintext);
    const answer = box.seal(key, nacl.randomBytes(24), plaintext);
    assert.deepEqual(clientBox.open(answer), plaintext);
    const at = position % sealed.length;
    sealed[at] = (sealed[at] ?? 0) ^ 1;
    assert.equal(box.open(key, sealed), undefined);
    assert.equal(box.open(key, sealed.subarray(0, sealed.length - 1)), undefined);
  }));
});

Deno.test("Box.open() refuses values shorter than nonce and tag", () => {
  const key = derive(generateKeyPair().publicKey);
  for (let length = 0; length < 40; length++) {
    assert.equal(box.open(key, new Uint8Array(length)), undefined);
    assert.equal(box.findKey(Uint32Array.of(key), new Uint8Array(length)), -1);
  }
});

Deno.test("Box.seal() and open() grow with the plaintext", () => {
  const key = derive(generateKeyPair().publicKey);
  for (const length of [0, 1, 16_384, 16_385, 3_000_000]) {
    const plaintext = new Uint8Array(length).fill(7);
    const opened = box.open(key, box.seal(key, nacl.randomBytes(24), plaintext));
    assert.deepEqual(opened, plaintext);
  }
});

Deno.test("Box.openAll() opens all values or none, and other calls do not overwrite them", () => {
  const client = generateKeyPair();
  const key = derive(client.publicKey);
  const clientBox = new ClientBox(client.privateKey, server.publicKey);
  const values = [[1], [], [2, 3, 4], Array(200).fill(5)].map((each) => Uint8Array.from(each));
  const sealed = values.map((value) => clientBox.seal(value));
  const opened = box.openAll(key, sealed);
  box.hash(new Uint8Array(32), new Uint8Array(300).fill(9));
  box.seal(key, nacl.randomBytes(24), new Uint8Array(300).fill(9));
  box.open(key, sealed[3] ?? new Uint8Array());
  assert.deepEqual(opened?.map((each) => each.slice()), values);
  for (let i = 0; i < sealed.length; i++) {
    const tampered = sealed.map((each) => each.slice());
    const value = tampered[i] ?? new Uint8Array();
    value[30] = (value[30] ?? 0) ^ 1;
    assert.equal(box.openAll(key, tampered), undefined);
  }
  assert.equal(box.openAll(key, [new Uint8Array(39)]), undefined);
  const large = clientBox.seal(new Uint8Array(9000));
  assert.equal(box.openAll(key, [large, large]), undefined, "more than the heap has room for");
});

Deno.test("Box.findKey() finds the same sender as tweetnacl, and no other", () => {
  const clients = Array.from({ length: 50 }, () => generateKeyPair());
  const keys = clients.map(({ publicKey }) => derive(publicKey));
  const stranger = new ClientBox(generateKeyPair().privateKey, server.publicKey);
  for (const [index, { privateKey }] of clients.entries()) {
    const sealed = new ClientBox(privateKey, server.publicKey).seal(new Uint8Array(4));
    assert.equal(box.findKey(Uint32Array.from(keys), sealed), index);
    assert.equal(box.findKey(Uint32Array.from(keys.toSpliced(index, 1)), sealed), -1);
  }
  assert.equal(box.findKey(Uint32Array.from(keys), stranger.seal(new Uint8Array(4))), -1);
});

Deno.test("Box.findKey() takes an empty slot for no key, not for a key of zeros", () => {
  const nonce = nacl.randomBytes(24);
  const sealed = new Uint8Array([
    ...nonce,
    ...nacl.secretbox(new Uint8Array(4), nonce, new Uint8Array(32)),
  ]);
  assert.equal(box.findKey(Uint32Array.of(0, 0), sealed), -1);
});

Deno.test("Box.forget() leaves no usable key behind", () => {
  const client = generateKeyPair();
  const key = derive(client.publicKey);
  const sealed = new ClientBox(client.privateKey, server.publicKey).seal(new Uint8Array(4));
  assert.ok(box.open(key, sealed) !== undefined);
  box.forget(key);
  assert.equal(box.open(key, sealed), undefined);
  const nonce = nacl.randomBytes(24);
  const zeros = nacl.secretbox(new Uint8Array(4), nonce, new Uint8Array(32));
  assert.equal(box.open(key, new Uint8Array([...nonce, ...zeros])), undefined, "no key of zeros");
});

/** RFC 7748 §6.1 and https://cr.yp.to/ecdh.html#validate: every point of low order, in each of its forms. */
const LOW_ORDER_POINTS = [
  { why: "0", hex: "00".repeat(32) },
  { why: "1", hex: "01" + "00".repeat(31) },
  { why: "order 8", hex: "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800" },
  { why: "order 8", hex: "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157" },
  { why: "p - 1", hex: "ec" + "ff".repeat(30) + "7f" },
  { why: "p", hex: "ed" + "ff".repeat(30) + "7f" },
  { why: "p + 1", hex: "ee" + "ff".repeat(30) + "7f" },
];

Deno.test("Box.deriveSharedKey() refuses every point of low order", () => {
  assert.equal(LOW_ORDER_POINTS.length, 7);
  for (const { why, hex } of LOW_ORDER_POINTS) {
    const point = Uint8Array.from(
      hex.match(/../g) ?? [],
      (byte) => parseInt(byte, 16),
    ) as PublicKey;
    assert.equal(box.deriveSharedKey(point, server.privateKey), undefined, why);
    point[31] = (point[31] ?? 0) | 0x80;
    assert.equal(box.deriveSharedKey(point, server.privateKey), undefined, `${why}, high bit set`);
  }
});

Deno.test("Box.deriveSharedKey() agrees with the wire vectors", async () => {
  const vectors = JSON.parse(
    await Deno.readTextFile(new URL("../../vectors/v1.json", import.meta.url)),
  );
  assert.equal(vectors.clients.length, 3);
  for (const { pub, shared } of vectors.clients) {
    const key = box.deriveSharedKey(
      decodeBase64(pub) as PublicKey,
      decodeBase64(vectors.server.key) as PrivateKey,
    );
    assert.ok(key !== undefined);
    const nonce = nacl.randomBytes(24);
    const known = nacl.secretbox(
      new Uint8Array(9),
      nonce,
      decodeBase64(shared) ?? new Uint8Array(),
    );
    assert.deepEqual(box.seal(key, nonce, new Uint8Array(9)).subarray(24), known);
  }
});

Deno.test("Box.shortHash() is SipHash-2-4", () => {
  // Appendix A of the SipHash paper (Aumasson, Bernstein, 2012).
  const key = Uint8Array.from({ length: 16 }, (_, i) => i);
  const data = Uint8Array.from({ length: 15 }, (_, i) => i);
  const out = new Uint32Array(4);
  box.shortHash(box.keepShortHashKey(key), { data, length: 15 }, { out, at: 1 });
  assert.deepEqual([...out], [0, 0x49be45e5, 0xa129ca61, 0]);
});

Deno.test("NonceMark.make() never creates a nonce twice", () => {
  const mark = new NonceMark(box, server.privateKey);
  const nonces = Array.from({ length: 3000 }, () => mark.make().toString());
  assert.equal(new Set(nonces).size, 3000);
  assert.ok(!nonces.some((nonce) => nonce.startsWith("0,0,0,0,0,0,0,0,")), "random, not wiped");
});

Deno.test("NonceMark.isOwn() recognizes its own nonces, even after a restart, and no others", () => {
  const mark = new NonceMark(box, server.privateKey);
  const again = new NonceMark(box, server.privateKey);
  const other = new NonceMark(box, generateKeyPair().privateKey);
  for (let i = 0; i < 100; i++) {
    const nonce = mark.make();
    assert.equal(nonce.length, 24);
    assert.ok(again.isOwn(nonce));
    assert.ok(!other.isOwn(nonce));
    assert.ok(!mark.isOwn(nacl.randomBytes(24)));
    nonce[i % 24] = (nonce[i % 24] ?? 0) ^ 1;
    assert.ok(!mark.isOwn(nonce));
  }
});

Deno.test("Box.sealView() and Aead.views give what seal() and open() give", async () => {
  const sodium = await loadSodium();
  const aead = new Aead(sodium);
  const shared = derive(generateKeyPair().publicKey);
  const nonce = nacl.randomBytes(24), key = nacl.randomBytes(32), ad = nacl.randomBytes(7);
  for (const length of [0, 1, 44, 20_000]) {
    const plaintext = nacl.randomBytes(length);
    const copy = box.seal(shared, nonce, plaintext);
    assert.deepEqual(box.sealView(shared, nonce, plaintext), copy);
    const sealed = aead.seal(key, nonce, { ad, plaintext });
    assert.deepEqual(aead.views.seal(key, nonce, { ad, plaintext }), sealed);
    assert.deepEqual(aead.views.open(key, nonce, { ad, sealed }), Uint8Array.from(plaintext));
    const tampered = sealed.with(0, (sealed[0] ?? 0) ^ 1);
    assert.equal(aead.views.open(key, nonce, { ad, sealed: tampered }), undefined);
  }
});
