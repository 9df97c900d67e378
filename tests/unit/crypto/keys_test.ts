import assert from "node:assert/strict";
import { describeSecretText } from "../../../lib/crypto/key_text.ts";
import {
  formatKey,
  generateSecret,
  parsePublicKey,
  parseSecret,
} from "../../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../../lib/crypto/nacl.ts";
import { publicKeyOf } from "../../../lib/crypto/x25519.ts";
import { HOSTILE_TEXTS } from "../../hostile.ts";

const KEY = "iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=";

const KEY_TEXTS: readonly { text: string; fault: string | RegExp | undefined; why: string }[] = [
  { text: KEY, fault: undefined, why: "as the original writes it" },
  { text: `${KEY}\n`, fault: undefined, why: "line end" },
  { text: `${KEY}\r\n`, fault: undefined, why: "line end of Windows" },
  { text: `\ufeff  ${KEY}\t`, fault: undefined, why: "byte order mark and spaces" },
  { text: KEY.slice(0, 43), fault: "a key without its = at the end", why: "without padding" },
  {
    text: KEY.replace("/", "_"),
    fault: /URL-safe base64, with - and _/,
    why: "URL alphabet",
  },
  { text: KEY.replace("/", "_").slice(0, 43), fault: /URL-safe/, why: "URL alphabet, no padding" },
  {
    text: KEY.replace("Q=", "R="),
    fault: /not base64: a key cannot end/,
    why: "bits after the end",
  },
  { text: `${KEY}\n${KEY}`, fault: "more than one key", why: "two keys" },
  { text: `${KEY} anna@laptop`, fault: "a key with text behind it", why: "comment behind" },
  { text: `# anna\n${KEY}`, fault: "a key with text before it", why: "comment above" },
  { text: `x25519 ${KEY} anna`, fault: "a key with text around it", why: "as SSH has it" },
  { text: `"${KEY}"`, fault: "a key in quotes", why: "quotes" },
  { text: "A".repeat(44), fault: "not 32 bytes but 33", why: "33 bytes" },
  { text: "AAAA", fault: "not 32 bytes but 3", why: "short" },
  { text: "ab".repeat(32), fault: "hexadecimal", why: "hexadecimal" },
  { text: "ab".repeat(64), fault: "a client secret", why: "the secret" },
  { text: `sha256:${"ab".repeat(32)}`, fault: "a line of the register", why: "register" },
  { text: [...KEY].join("\0"), fault: "UTF-16, not UTF-8", why: "UTF-16" },
  { text: "", fault: "empty", why: "empty" },
  { text: " \r\n", fault: "empty", why: "white space" },
  { text: "ssh-ed25519 AAAA", fault: "an SSH key", why: "SSH" },
  { text: "-----BEGIN PUBLIC KEY-----\nAAAA", fault: "a PEM file", why: "PEM" },
  { text: "age1qqqqqqq", fault: "a key of age", why: "age" },
  { text: `SHA256:${KEY.slice(0, 43)}`, fault: "a fingerprint", why: "fingerprint" },
  {
    text: `[time] INFO: Client Hex Secret: ab\nServer public key:\n\t${KEY}\n`,
    fault: /all that appendclient prints/,
    why: "output of appendclient",
  },
  { text: "client pub", fault: "not base64", why: "something else" },
];

Deno.test("parsePublicKey() ignores white space and nothing else, and says what else a text is", () => {
  assert.ok(KEY_TEXTS.length > 0);
  for (const { text, fault, why } of KEY_TEXTS) {
    const key = parsePublicKey(text);
    if (fault === undefined && typeof key !== "string") assert.equal(formatKey(key), KEY, why);
    else assert.match(String(key), fault instanceof RegExp ? fault : new RegExp(`^${fault}$`), why);
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

Deno.test("describeSecretText() says what a text is that is not a secret", () => {
  for (
    const [text, what] of [
      ["", "empty"],
      [KEY, "a key"],
      [[..."ab"].join("\0"), "UTF-16, not UTF-8"],
      [
        `sha256:${"ab".repeat(32)}`,
        "a line of the register, which has only a digest of the secret",
      ],
      [`${"ab".repeat(32)}\n${"ab".repeat(32)}\n`, "a secret on several lines"],
      ["x", "1 character"],
      ["xyz", "3 characters"],
    ] as const
  ) assert.equal(describeSecretText(text), what);
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
