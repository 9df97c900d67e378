/**
 * The vectors of flynn/noise for this very protocol name, which nobody here made. They come with Debian's
 * package golang-github-flynn-noise-dev.
 */
import assert from "node:assert/strict";
import { concat, toHex } from "../../../client/bytes.ts";
import { Initiator, Responder } from "../../../client/noise_ik.ts";
import { Aead } from "../../../lib/crypto/aead.ts";
import { isFile, testIf } from "../../conditions.ts";
import { hex, IMPLEMENTATIONS } from "../../v2_vectors.ts";

const PATH = "/usr/share/gocode/src/github.com/flynn/noise/vectors.txt";
const NAME = "Noise_IK_25519_ChaChaPoly_SHA256";
/** With and without prologue, with and without payloads in the handshake. */
const COUNT = 4;

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

const isThere = isFile(PATH);
const vectors = isThere ? vectorsOf(await Deno.readTextFile(PATH)) : [];
const WHY_NOT = "golang-github-flynn-noise-dev is not installed";

testIf(isThere, WHY_NOT, "the public vectors are all there", () => {
  assert.equal(vectors.length, COUNT);
});

for (const { name, primitives, pairOf } of IMPLEMENTATIONS) {
  testIf(isThere, WHY_NOT, `${name}: the public vectors, both sides`, () => {
    for (const vector of vectors) {
      const get = (key: string): Uint8Array<ArrayBuffer> => hex(vector.get(key) ?? "");
      const prologue = get("prologue");
      const responderPair = pairOf(get("resp_static"));
      const initiator = new Initiator(
        { primitives, prologue, staticPair: pairOf(get("init_static")) },
        { responderKey: responderPair.publicKey, ephemeral: pairOf(get("gen_init_ephemeral")) },
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
      assert.deepEqual(answer, { payload: get("msg_1_payload"), keys, hash });
      // The first messages after the handshake are under the same nonce of zeros.
      for (
        const [key, message] of [[keys.toResponder, "msg_2"], [keys.toInitiator, "msg_3"]] as const
      ) {
        const plaintext = get(`${message}_payload`);
        const sealedMessage = primitives.seal(key, { ad: new Uint8Array(), plaintext });
        assert.equal(toHex(sealedMessage), vector.get(`${message}_ciphertext`));
      }
    }
  });
}

Deno.test("Aead refuses keys and nonces of the wrong length", () => {
  const { cipher } = IMPLEMENTATIONS[1] ?? {};
  assert.ok(cipher instanceof Aead);
  const plaintext = new Uint8Array(1), ad = plaintext;
  const key = new Uint8Array(32), nonce = new Uint8Array(24);
  assert.throws(() => cipher.seal(key.subarray(1), nonce, { ad, plaintext }), RangeError);
  assert.throws(() => cipher.seal(key, nonce.subarray(1), { ad, plaintext }), RangeError);
});
