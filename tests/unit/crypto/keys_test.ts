import assert from "node:assert/strict";
import {
  formatKey,
  generateSecret,
  parsePublicKey,
  parseSecret,
} from "../../../lib/crypto/keys.ts";
import { generateKeyPair, publicKeyOf } from "../../../lib/crypto/nacl.ts";
import { HOSTILE_TEXTS } from "../../hostile.ts";

const KEY = "iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=";

const KEY_TEXTS = [
  { text: KEY, fault: undefined, why: "as the original writes it" },
  { text: `${KEY}\n`, fault: undefined, why: "line end" },
  { text: `${KEY}\r\n`, fault: undefined, why: "line end of Windows" },
  { text: `\ufeff  ${KEY}\t`, fault: undefined, why: "byte order mark and spaces" },
  { text: KEY.slice(0, 43), fault: "not 32 bytes", why: "without padding" },
  { text: KEY.replace("/", "_"), fault: "not base64", why: "URL alphabet" },
  { text: KEY.replace("Q=", "R="), fault: "not base64", why: "bits after the end" },
  { text: `${KEY}\n${KEY}`, fault: "not base64", why: "two keys" },
  { text: "A".repeat(44), fault: "not 32 bytes", why: "33 bytes" },
  { text: "", fault: "not 32 bytes", why: "empty" },
  { text: "ssh-ed25519 AAAA", fault: "not base64", why: "another kind of key" },
];

Deno.test("parsePublicKey() ignores white space and nothing else", () => {
  assert.ok(KEY_TEXTS.length > 0);
  for (const { text, fault, why } of KEY_TEXTS) {
    const key = parsePublicKey(text);
    if (fault === undefined && typeof key !== "string") assert.equal(formatKey(key), KEY, why);
    else assert.equal(key, fault, why);
  }
});

Deno.test("parsePublicKey() and parseSecret() never throw", () => {
  for (const text of HOSTILE_TEXTS) {
    const key = parsePublicKey(text);
    assert.ok(typeof key === "string" || key.length === 32);
    const secret = parseSecret(text);
    assert.ok(secret === undefined || secret.length === 128);
  }
});

Deno.test("generateSecret() gives 128 lower-case hex digits, different each time", () => {
  const secrets = Array.from({ length: 50 }, generateSecret);
  for (const secret of secrets) assert.match(secret, /^[0-9a-f]{128}$/);
  assert.equal(new Set(secrets).size, 50);
});

Deno.test("publicKeyOf() gives the public half of a pair", () => {
  const { privateKey, publicKey } = generateKeyPair();
  assert.deepEqual(publicKeyOf(privateKey), publicKey);
});
