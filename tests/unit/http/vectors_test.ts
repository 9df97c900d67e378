import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { decodeBase64 } from "../../../lib/protocol/base64.ts";
import { Box } from "../../../lib/crypto/box.ts";
import type { PrivateKey, PublicKey } from "../../../lib/crypto/keys.ts";
import { ClientBox } from "../../../lib/crypto/nacl.ts";
import { encodeResponse, parseResponse } from "../../../lib/protocol/v1_messages.ts";
import { makeEndpoint } from "../../composed_endpoint.ts";
import { post } from "../../v1_client.ts";
import { readVectors } from "../../vectors.ts";

const vectors = await readVectors();
const box = await Box.load();

function bytes(text: string | undefined): Uint8Array<ArrayBuffer> {
  const decoded = decodeBase64(text ?? "");
  assert.ok(decoded !== undefined);
  return decoded;
}

/** What each refused vector must be refused for. */
const REASONS: Readonly<Record<string, string>> = {
  "too old": "expired",
  "too new": "too_early",
  "stranger key": "unknown_sender",
  "unregistered secret": "unknown_secret",
  "crc of something else": "check_mismatch",
  "ts sealed by another client": "unknown_sender",
  "secret in capitals": "unknown_secret",
  "entry is not utf-8": "malformed_name",
  "sealed with the server's key on both sides": "unknown_sender",
  "bit flipped": "unknown_sender",
};
const MALFORMED = "malformed_value";

Deno.test("the endpoint answers every request vector as the vector says", async () => {
  assert.equal(vectors.requests.length, 56);
  for (const { name, now, body, status, why, client, entry } of vectors.requests) {
    const called: string[] = [];
    const answerWith = (functionName: string) => (): string => {
      called.push(functionName);
      return `answer of ${functionName}`;
    };
    const { endpoint, refusals } = makeEndpoint({
      box,
      serverPrivateKey: bytes(vectors.server.key) as PrivateKey,
      clients: vectors.clients.map(({ pub }) => bytes(pub) as PublicKey),
      secrets: vectors.clients.map(({ secret }) => secret),
      functions: {
        "time_test": answerWith("time_test"),
        "zeit_prüfung": answerWith("zeit_prüfung"),
      },
      nowSeconds: () => now,
    });
    const response = await endpoint(post(JSON.stringify(body)), "192.0.2.1");
    const text = await response.text();
    assert.equal(response.status, status, `${name}: ${why}`);
    if (status === 200) {
      assert.deepEqual(called, [entry], name);
      const keys = vectors.clients[client ?? -1];
      const clientBox = new ClientBox(
        bytes(keys?.key) as PrivateKey,
        bytes(vectors.server.pub) as PublicKey,
      );
      const opened = clientBox.open(parseResponse(text) ?? new Uint8Array());
      assert.equal(new TextDecoder().decode(opened), `answer of ${entry}`, name);
      continue;
    }
    const reason = REASONS[name] ??
      (name.includes("bit flipped") ? REASONS["bit flipped"] : MALFORMED);
    assert.deepEqual([text, called, refusals], ["", [], [reason]], `${name}: ${why}`);
  }
});

Deno.test("every response vector opens, and sealing it again with its nonce gives the same bytes", () => {
  assert.equal(vectors.responses.length, 3);
  for (const { client, nonce, plain, value } of vectors.responses) {
    const keys = vectors.clients[client];
    const clientBox = new ClientBox(
      bytes(keys?.key) as PrivateKey,
      bytes(vectors.server.pub) as PublicKey,
    );
    const sealed = parseResponse(JSON.stringify({ value }));
    assert.ok(sealed !== undefined);
    assert.equal(new TextDecoder().decode(clientBox.open(sealed)), plain);
    const key = box.deriveSharedKey(
      bytes(keys?.pub) as PublicKey,
      bytes(vectors.server.key) as PrivateKey,
    );
    assert.ok(key !== undefined);
    assert.equal(new TextDecoder().decode(box.open(key, sealed)), plain);
    const again = box.seal(key, bytes(nonce), Buffer.from(plain));
    assert.equal(encodeResponse(again), `{"value":"${value}"}`);
  }
});
