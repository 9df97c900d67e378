/**
 * @module
 * Many requests of protocol v1, as somebody who reads along could have captured them: sealed by libsodium,
 * because tweetnacl would take a minute for 100,000.
 */
import assert from "node:assert/strict";
import { Box } from "../lib/crypto/box.ts";
import type { PrivateKey, PublicKey, SecretHex } from "../lib/crypto/keys.ts";
import { encodeRequest } from "../lib/protocol/v1_messages.ts";
import type { TestClient } from "./v1_client.ts";

/** A function that gives one request after another, dated at that moment. */
export async function sealer(
  client: TestClient,
  functionName = "time_test",
): Promise<(nowSeconds?: number) => string> {
  const box = await Box.load();
  const key = box.deriveSharedKey(
    client.serverPublicKey as PublicKey,
    client.secretKey as PrivateKey,
  );
  assert.ok(key !== undefined);
  const nonce = new Uint8Array(24);
  const seal = (plain: Uint8Array): Uint8Array =>
    box.seal(key, crypto.getRandomValues(nonce), plain);
  const secretHex = client.secretHex as SecretHex;
  return (nowSeconds = Math.floor(Date.now() / 1000)) =>
    encodeRequest({ secretHex, functionName, nowSeconds }, seal);
}

/** Many requests that are dated now. */
export async function sealMany(client: TestClient, count: number): Promise<string[]> {
  const seal = await sealer(client);
  const nowSeconds = Math.floor(Date.now() / 1000);
  return Array.from({ length: count }, () => seal(nowSeconds));
}
