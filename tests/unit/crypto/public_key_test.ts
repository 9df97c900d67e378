import assert from "node:assert/strict";
import { ed25519 } from "@noble/curves/ed25519.js";
import { Box } from "../../../lib/crypto/box.ts";
import { formatKey, type PublicKey } from "../../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../../lib/crypto/nacl.ts";
import { canonicalPublicKey, publicKeyFault } from "../../../lib/crypto/public_key.ts";

const box = await Box.load();
const P = 2n ** 255n - 19n;
const TOP_BIT = 2n ** 255n;
const PAIR = generateKeyPair();

function fromNumber(value: bigint): PublicKey {
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++) bytes[i] = Number(value >> BigInt(8 * i) & 0xffn);
  return bytes as PublicKey;
}

function toNumber(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

/** The u coordinate of a point of Edwards25519. */
function toMontgomery(point: { readonly y: bigint }): PublicKey {
  const { Fp } = ed25519.Point;
  return Fp.toBytes(Fp.div(Fp.add(Fp.ONE, point.y), Fp.sub(Fp.ONE, point.y))) as PublicKey;
}

const OF_ORDER_8 = ed25519.Point.fromHex(
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
);
const LOW_ORDER = [
  0n,
  1n,
  P - 1n,
  P,
  P + 1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
];

const KEYS: readonly { what: string; key: PublicKey; fault: RegExp | undefined }[] = [
  { what: "a pair's", key: PAIR.publicKey, fault: undefined },
  { what: "the base point", key: fromNumber(9n), fault: undefined },
  ...LOW_ORDER.flatMap((u) => [
    { what: `low order ${u}`, key: fromNumber(u), fault: /low order/ },
    { what: `low order ${u}, top bit`, key: fromNumber(u + TOP_BIT), fault: /low order/ },
  ]),
  {
    what: "the top bit",
    key: fromNumber(toNumber(PAIR.publicKey) + TOP_BIT),
    fault: /not in canonical form/,
  },
  { what: "9 + p", key: fromNumber(P + 9n), fault: /not in canonical form/ },
  { what: "2^255 - 1", key: fromNumber(TOP_BIT - 1n), fault: /not in canonical form/ },
  { what: "all bits", key: fromNumber(2n * TOP_BIT - 1n), fault: /not in canonical form/ },
  { what: "on the twist", key: fromNumber(2n), fault: /not the public key of any key pair/ },
  {
    what: "a base point with a part of order 8",
    key: toMontgomery(ed25519.Point.BASE.add(OF_ORDER_8).toAffine()),
    fault: /not the public key of any key pair/,
  },
];

Deno.test("publicKeyFault() accepts canonical points of prime order, and nothing else", () => {
  assert.ok(KEYS.length > 15);
  for (const { what, key, fault } of KEYS) {
    const found = publicKeyFault(box, key);
    if (fault === undefined) assert.equal(found, undefined, what);
    else assert.match(found ?? "", fault, what);
  }
});

Deno.test("publicKeyFault() accepts 300 public keys, and few of 300 private keys", () => {
  const pairs = Array.from({ length: 300 }, generateKeyPair);
  for (const { publicKey } of pairs) assert.equal(publicKeyFault(box, publicKey), undefined);
  const keys = pairs.map(({ privateKey }) => new Uint8Array(privateKey) as PublicKey);
  const accepted = keys.filter((key) => publicKeyFault(box, key) === undefined);
  // 1 of 32 is expected; 40 of 300 come once in a billion runs.
  assert.ok(accepted.length < 40, String(accepted.length));
});

Deno.test("canonicalPublicKey() gives every text of a key the same bytes", () => {
  const texts = [PAIR.publicKey, fromNumber(toNumber(PAIR.publicKey) + TOP_BIT)];
  for (const key of texts) {
    assert.equal(formatKey(canonicalPublicKey(key)), formatKey(PAIR.publicKey));
  }
  assert.deepEqual(canonicalPublicKey(fromNumber(P + 9n)), fromNumber(9n));
});
