import assert from "node:assert/strict";
import { BodyReader } from "../../../lib/limits/body.ts";
import { LineLimit } from "../../../lib/limits/line_limit.ts";

Deno.test("LineLimit.allows() lets 20 lines through and counts the others", () => {
  const counts: number[] = [];
  const limit = new LineLimit({ onLeftOut: (count) => counts.push(count) });
  const allowed = Array.from({ length: 1000 }, () => limit.allows()).filter(Boolean);
  assert.equal(allowed.length, 20);
  limit.flush();
  assert.deepEqual(counts, [980]);
  assert.ok(limit.allows(), "a new second has begun");
  limit.flush();
  assert.deepEqual(counts, [980], "nothing was left out, so nothing is reported");
});

function post(body: BodyInit, headers: HeadersInit = {}): Request {
  return new Request("http://x/v1", { method: "POST", body, headers });
}

function endless(pull: (controller: ReadableStreamDefaultController<Uint8Array>) => void): {
  stream: ReadableStream<Uint8Array>;
  wasCancelled: () => boolean;
} {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({ pull, cancel: () => void (cancelled = true) });
  return { stream, wasCancelled: () => cancelled };
}

Deno.test("BodyReader.read() reads bodies of declared and of unknown length", async () => {
  const reader = new BodyReader({ maxBytes: 16_384, timeoutMs: 60_000 });
  assert.deepEqual(await reader.read(post("hällo", { "content-length": "6" }), "text"), {
    ok: true,
    content: "hällo",
  });
  assert.deepEqual(await reader.read(post("hällo"), "text"), { ok: true, content: "hällo" });
  assert.deepEqual(await reader.read(new Request("http://x/"), "text"), { ok: true, content: "" });
  reader.close();
});

Deno.test("BodyReader.read() stops at the limit and cancels the rest", async () => {
  const reader = new BodyReader({ maxBytes: 1000, timeoutMs: 60_000 });
  const declared = endless(() => {});
  const byLength = await reader.read(post(declared.stream, { "content-length": "1001" }), "text");
  assert.deepEqual(byLength, { ok: false, code: "body_too_large" });
  assert.ok(declared.wasCancelled());
  let chunks = 0;
  const chunked = endless((controller) => {
    chunks++;
    controller.enqueue(new Uint8Array(300));
  });
  assert.deepEqual(await reader.read(post(chunked.stream), "bytes"), {
    ok: false,
    code: "body_too_large",
  });
  assert.ok(chunked.wasCancelled());
  assert.ok(chunks < 10, `${chunks} chunks were taken`);
  reader.close();
});

Deno.test("BodyReader.read() gives up on a body that does not arrive", async () => {
  const reader = new BodyReader({ maxBytes: 1000, timeoutMs: 40 });
  const silent = endless(() => new Promise<void>(() => {}));
  assert.deepEqual(await reader.read(post(silent.stream), "text"), {
    ok: false,
    code: "body_too_slow",
  });
  assert.ok(silent.wasCancelled());
  reader.close();
});

Deno.test("BodyReader.read() survives a body that breaks off", async () => {
  const reader = new BodyReader({ maxBytes: 16_384, timeoutMs: 60_000 });
  const broken = endless((controller) => controller.error(new Error("reset")));
  const result = await reader.read(post(broken.stream), "text");
  assert.deepEqual(result, { ok: false, code: "body_incomplete" });
  reader.close();
});
