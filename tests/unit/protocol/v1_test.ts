import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeRequest, parseResponse, RequestParser } from "../../../lib/protocol/v1_messages.ts";
import { HOSTILE_TEXTS } from "../../hostile.ts";

Deno.test("RequestParser.parse() returns the sealed values, request after request", () => {
  const parser = new RequestParser();
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 60 }),
      fc.nat(),
      (functionName, nowSeconds) => {
        const sealed: Uint8Array[] = [];
        const body = encodeRequest(
          { secretHex: "ab".repeat(64), functionName, nowSeconds },
          (plain) => {
            const value = crypto.getRandomValues(new Uint8Array(plain.length + 40));
            sealed.push(value);
            return value;
          },
        );
        const parsed = parser.parse(body);
        assert.ok(parsed.ok);
        const { id, check, ts, entry } = parsed.message;
        assert.deepEqual([id, check, ts, entry], sealed);
      },
    ),
  );
});

Deno.test("parseResponse() never throws", () => {
  for (const text of HOSTILE_TEXTS) {
    for (const each of [text, JSON.stringify({ value: text }), JSON.stringify(text)]) {
      const value = parseResponse(each);
      assert.ok(value === undefined || value instanceof Uint8Array);
    }
  }
});
