/**
 * The vectors of flynn/noise for this very protocol name, which nobody here made. They come with Debian's
 * package golang-github-flynn-noise-dev.
 */
import assert from "node:assert/strict";
import { concat, toHex } from "../../../client/bytes.ts";
import { Initiator, Responder } from "../../../client/noise_ik.ts";
import { Aead } from "../../../lib/crypto/aead.ts";
import { hex, IMPLEMENTATIONS } from "../../v2_vectors.ts";

const PATH = "/usr/share/gocode/src/github.com/flynn/noise/vectors.txt";
const NAME = "Noise_IK_25519_ChaChaPoly_SHA256";
/** With and without prologue, with and without payloads in the handshake. */
const COUNT = 4;

const text = await Deno.readTextFile(PATH).catch(() => undefined);

function vectorsOf(file: string): Map<string, string>[] {
  return file.split("\n\n")
    .map((block) =>
      block.trim().split("\n").map((line): [string, string] => {
        const [name = "", ...value] = line.split("=");
        return [name, value.join("=")];
      })
    )
    .map((lines) => new Map(lines))
    .filter((vector) => vector.get("handshake") === NAME);
}

if (text === undefined) {
  Deno.test({
    name: `public Noise vectors (skipped: ${PATH} is not there, of golang-github-flynn-noise-dev)`,
    ignore: true,
    fn: () => {},
  });
} else {
  const vectors = vectorsOf(text);

  Deno.test("the public vectors are all there", () => assert.equal(vectors.length, COUNT));

  for (const { name, primitives, pairOf } of IMPLEMENTATIONS) {
    vectors.forEach((vector, i) => {
      const get = (key: string): Uint8Array<ArrayBuffer> => hex(vector.get(key) ?? "");

      Deno.test(`${name}: public vector ${i}, both sides`, () => {
        const prologue = get("prologue");
        const responderPair = pairOf(get("resp_static"));
        const initiator = new Initiator(
          { primitives, prologue, staticPair: pairOf(get("init_static")) },
          {
            responderKey: responderPair.publicKey,
            ephemeral: pairOf(get("gen_init_ephemeral")),
          },
        );
        const responder = new Responder({ primitives, prologue, staticPair: responderPair });

        const first = initiator.writeFirst(get("msg_0_payload"));
        assert.equal(toHex(first ?? prologue), vector.get("msg_0_ciphertext"));
        assert.ok(first && responder.readSender(first));
        assert.deepEqual(responder.readPayload(), get("msg_0_payload"));

        const ephemeral = pairOf(get("gen_resp_ephemeral"));
        const keys = responder.agree(ephemeral);
        const { sealed, hash } = responder.writePayload(get("msg_1_payload"));
        const second = concat(ephemeral.publicKey, sealed);
        assert.equal(toHex(second), vector.get("msg_1_ciphertext"));

        const answer = initiator.readSecond(second);
        assert.ok(answer && keys);
        assert.deepEqual(answer.payload, get("msg_1_payload"));
        assert.deepEqual(answer.keys, keys);
        assert.deepEqual(answer.hash, hash);
        // The keys after the handshake: Noise's transport messages are under counters, the first is 0.
        const ad = new Uint8Array();
        for (
          const [key, message] of [[keys.toResponder, "msg_2"], [
            keys.toInitiator,
            "msg_3",
          ]] as const
        ) {
          const sealedMessage = primitives.seal(key, { ad, plaintext: get(`${message}_payload`) });
          assert.equal(toHex(sealedMessage), vector.get(`${message}_ciphertext`));
        }
      });
    });
  }
}

Deno.test("Aead refuses keys and nonces of the wrong length", () => {
  const { cipher } = IMPLEMENTATIONS[1] ?? {};
  assert.ok(cipher instanceof Aead);
  const plaintext = new Uint8Array(1), ad = plaintext;
  const key = new Uint8Array(32), nonce = new Uint8Array(24);
  assert.throws(() => cipher.seal(key.subarray(1), nonce, { ad, plaintext }), RangeError);
  assert.throws(() => cipher.seal(key, nonce.subarray(1), { ad, plaintext }), RangeError);
});
