import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { decodeBase64, encodeBase64, encodeBase64Url } from "../../../lib/protocol/base64.ts";

const REFUSED = [
  { text: "A", why: "one character is less than a byte" },
  { text: "AAAAA", why: "neither are five" },
  { text: "AA=", why: "padding does not complete the group" },
  { text: "AAA==", why: "too much padding" },
  { text: "AA==AA==", why: "padding in the middle" },
  { text: "====", why: "padding alone" },
  { text: "=", why: "padding alone" },
  { text: "AAA===", why: "three signs of padding" },
  { text: "AA A", why: "white space" },
  { text: "AAAA\n", why: "line end" },
  { text: "AAA.", why: "foreign character" },
  { text: "AAÄA", why: "Latin-1 character" },
  { text: "AA\u{1F600}", why: "beyond the table" },
  { text: "AAA\u0141", why: "a character whose low byte is a digit" },
];

Deno.test("decodeBase64() refuses what is not base64", () => {
  assert.ok(REFUSED.length > 0);
  for (const { text, why } of REFUSED) assert.equal(decodeBase64(text), undefined, why);
});

Deno.test("decodeBase64() decodes what Buffer wrote, in both alphabets, padded or not", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
    const standard = Buffer.from(bytes).toString("base64");
    const url = Buffer.from(bytes).toString("base64url");
    for (const text of [standard, url, standard.replace(/=+$/, ""), encodeBase64Url(bytes)]) {
      assert.deepEqual(decodeBase64(text), bytes);
    }
    assert.equal(encodeBase64(bytes), standard);
    assert.equal(encodeBase64Url(bytes).length % 4, 0);
  }));
});

Deno.test("decodeBase64() agrees with Buffer on any valid text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const bytes = decodeBase64(text);
    if (bytes !== undefined) assert.deepEqual(bytes, new Uint8Array(Buffer.from(text, "base64")));
  }));
});
