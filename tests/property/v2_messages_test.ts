/**
 * Protocol v2 under any bytes: what was not sealed by the other side is refused, whichever bit differs,
 * and both sets of primitives are the same function.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../client/bytes.ts";
import {
  callNonce,
  openAnswer,
  padText,
  prologueOf,
  readCall,
  readHello,
  readWelcomePayload,
  sealAnswer,
  sealCall,
  WELCOME_STATUSES,
  writeWelcomePayload,
} from "../../client/messages.ts";
import { Initiator, Responder } from "../../client/noise_ik.ts";
import { hex, type Implementation, IMPLEMENTATIONS, VECTORS } from "../v2_vectors.ts";

const bytes = (length: number): fc.Arbitrary<Uint8Array<ArrayBuffer>> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((each) => Uint8Array.from(each));
const anyBytes = fc.uint8Array({ maxLength: 700 }).map((each) => Uint8Array.from(each));
const [noble, sodium] = IMPLEMENTATIONS;
assert.ok(noble && sodium);

function flipped(message: Uint8Array, bit: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(message);
  const at = (bit >>> 3) % copy.length;
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

Deno.test("both sets of primitives give the same results", () => {
  fc.assert(
    fc.property(bytes(32), bytes(24), anyBytes, anyBytes, (key, nonce, ad, plaintext) => {
      for (const { primitives, cipher } of [sodium]) {
        assert.deepEqual(primitives.hash(ad, plaintext), noble.primitives.hash(ad, plaintext));
        assert.deepEqual(primitives.hkdf(key, plaintext), noble.primitives.hkdf(key, plaintext));
        const once = primitives.seal(key, { ad, plaintext });
        assert.deepEqual(once, noble.primitives.seal(key, { ad, plaintext }));
        assert.deepEqual(noble.primitives.open(key, { ad, sealed: once }), plaintext);
        const sealed = cipher.seal(key, nonce, { ad, plaintext });
        assert.deepEqual(sealed, noble.cipher.seal(key, nonce, { ad, plaintext }));
        assert.deepEqual(cipher.open(key, nonce, { ad, sealed }), plaintext);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("both X25519 agree on any point, points of low order among them", () => {
  const points = fc.oneof(
    bytes(32),
    fc.constantFrom(
      "00".repeat(32),
      "01" + "00".repeat(31),
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "00".repeat(31) + "80",
      "01" + "00".repeat(30) + "80",
    ).map(hex),
  );
  fc.assert(
    fc.property(bytes(32), points, (privateKey, publicKey) => {
      const [a, b] = [noble, sodium].map(({ pairOf }) => pairOf(privateKey));
      assert.deepEqual(a?.publicKey, b?.publicKey);
      assert.deepEqual(a?.agree(publicKey), b?.agree(publicKey));
    }),
    { numRuns: 200 },
  );
});

Deno.test("random bytes are never a hello, a call or a welcome, and never throw", () => {
  const responderOf = ({ primitives, pairOf }: Implementation): Responder =>
    new Responder({
      primitives,
      staticPair: pairOf(hex(VECTORS.server_key)),
      prologue: prologueOf(hex(VECTORS.key_id)),
    });
  const kinds = fc.tuple(fc.constantFrom(1, 2, 3, 4, 5), anyBytes)
    .map(([kind, rest]) => concat(Uint8Array.of(kind), rest));
  fc.assert(
    fc.property(fc.oneof(anyBytes, kinds), (body) => {
      const hello = readHello(body);
      if (hello !== undefined) {
        assert.equal(responderOf(sodium).readSender(hello.noise), undefined);
      }
      const call = readCall(body);
      if (call !== undefined) {
        const { nonce, ad, sealed } = call;
        assert.equal(sodium.cipher.open(new Uint8Array(32), nonce, { ad, sealed }), undefined);
      }
      const callNonce = new Uint8Array(24);
      assert.equal(openAnswer(noble.cipher, new Uint8Array(32), { callNonce, body }), undefined);
      readWelcomePayload(body);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a handshake with any changed bit fails, in either message", () => {
  const ephemeral = hex(VECTORS.stranger_key);
  fc.assert(
    fc.property(anyBytes, fc.nat(), fc.boolean(), (payload, bit, inSecond) => {
      const prologue = prologueOf(hex(VECTORS.key_id));
      const initiator = new Initiator(
        {
          primitives: sodium.primitives,
          staticPair: sodium.pairOf(hex(VECTORS.client_key)),
          prologue,
        },
        { responderKey: hex(VECTORS.server_pub), ephemeral: sodium.pairOf(ephemeral) },
      );
      const responder = new Responder({
        primitives: sodium.primitives,
        staticPair: sodium.pairOf(hex(VECTORS.server_key)),
        prologue,
      });
      const first = initiator.writeFirst(payload);
      assert.ok(first);
      const delivered = inSecond ? first : flipped(first, bit);
      const isRead = responder.readSender(delivered) !== undefined &&
        responder.readPayload() !== undefined;
      // The top bit of an X25519 key means nothing there (RFC 7748 §5), but it is part of the hash.
      assert.equal(isRead, inSecond);
      if (!isRead) return;
      const pair = sodium.pairOf(hex(VECTORS.handshakes[0]?.server_e ?? ""));
      assert.ok(responder.agree(pair));
      const second = concat(pair.publicKey, responder.writePayload(payload).sealed);
      assert.equal(initiator.readSecond(flipped(second, bit)), undefined);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a call with any bit changed does not open, and an answer only as the answer to its call", () => {
  fc.assert(
    fc.property(
      bytes(32),
      bytes(20),
      fc.integer({ min: 0, max: 65_535 }),
      fc.nat(),
      (key, random, number, bit) => {
        const nonce = callNonce(number, random);
        const content = { ticket: new Uint8Array(148), nonce, plaintext: padText("{}") };
        const changed = readCall(flipped(sealCall(sodium.cipher, key, content), bit));
        if (changed !== undefined) {
          const { ad, sealed } = changed;
          assert.equal(sodium.cipher.open(key, changed.nonce, { ad, sealed }), undefined);
        }
        const answer = sealAnswer(sodium.cipher, key, {
          callNonce: nonce,
          nonce: new Uint8Array(24),
          plaintext: padText("1"),
        });
        const open = (callNonce: Uint8Array, body: Uint8Array): unknown =>
          openAnswer(noble.cipher, key, { callNonce, body });
        assert.ok(open(nonce, answer));
        assert.equal(open(nonce, flipped(answer, bit)), undefined);
        assert.equal(open(flipped(nonce, bit), answer), undefined);
        assert.equal(open(nonce, answer.subarray(0, bit % answer.length)), undefined);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a welcome's payload is read as it was written, and truncated ones are refused", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...WELCOME_STATUSES),
      fc.nat(0xffffffff),
      fc.nat(Number.MAX_SAFE_INTEGER),
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: "binary" }),
      (status, lifetimeSeconds, timeMs, ticketBytes, info) => {
        const ticket = Uint8Array.from(ticketBytes);
        const welcome = { status, lifetimeSeconds, timeMs, ticket, info: info.toWellFormed() };
        const payload = writeWelcomePayload(welcome);
        assert.deepEqual(readWelcomePayload(payload), welcome);
        const head = 15 + ticket.length;
        for (let end = 0; end < head; end += 7) {
          assert.equal(readWelcomePayload(payload.subarray(0, end)), undefined);
        }
      },
    ),
    { numRuns: 300 },
  );
});
