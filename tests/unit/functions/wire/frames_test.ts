import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter, toText } from "../../../../lib/functions/wire/bytes.ts";
import {
  FRAME,
  FrameSplitter,
  FROM_HOST_HEAD,
  type HostedCall,
  MARK_BYTES,
  MAX_OUTCOMES,
  readCalls,
  readNumber,
  readResults,
  ResultWriter,
  writeCalls,
  writeFrame,
  writeHead,
  writeNumber,
  type WrittenOutcome,
} from "../../../../lib/functions/wire/frames.ts";
import { type Frame, FrameInput, jsonOf } from "../../../../lib/functions/host/pipes.ts";

const MARK = Uint8Array.from({ length: MARK_BYTES }, (_, i) => i + 1);

const number = fc.record({ place: fc.nat(1e6), serial: fc.nat(2 ** 32 - 1) });
const text = fc.string({ unit: "grapheme", maxLength: 30 });
const optional = fc.option(text, { nil: undefined });
const call: fc.Arbitrary<HostedCall> = fc.tuple(number, optional, optional)
  .map(([each, params, client]) => ({ ...each, params, client }));

/** An input that gives bytes in pieces of some sizes. */
function inputOf(bytes: Uint8Array, sizes: readonly number[]): FrameInput {
  let at = 0, reads = 0;
  const readSync = (buffer: Uint8Array): number | null => {
    if (at === bytes.length) return null;
    const size = Math.min(1 + (sizes[reads++ % sizes.length] ?? 0), buffer.length);
    const piece = bytes.subarray(at, at + size);
    buffer.set(piece);
    at += piece.length;
    return piece.length;
  };
  return new FrameInput({ readSync, read: (buffer) => Promise.resolve(readSync(buffer)) });
}

const sizes = fc.array(fc.nat(200_000), { minLength: 1, maxLength: 5 });

Deno.test("FrameInput gives the frames that were written, however their bytes come", async () => {
  const batches = fc.array(fc.array(call, { maxLength: 4 }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(batches, sizes, async (written, pieces) => {
      const out = new ByteWriter();
      writeFrame(out, { kind: FRAME.message, worker: 0 }, (each) => each.text('["unload",7]'));
      written.forEach((calls, worker) => {
        writeFrame(out, { kind: FRAME.calls, worker }, (each) => writeCalls(each, calls));
      });
      const long = { place: 1, serial: 2, params: "x".repeat(150_000), client: undefined };
      writeFrame(out, { kind: FRAME.calls, worker: 9 }, (each) => writeCalls(each, [long]));
      writeFrame(out, { kind: FRAME.abort, worker: 9 }, (each) => writeNumber(each, long));
      const input = inputOf(out.written.slice(), pieces);
      const first = input.readNow();
      assert.deepEqual(first && jsonOf(first), ["unload", 7]);
      const read: unknown[] = [];
      await input.run(({ kind, worker, payload }: Frame) => {
        if (kind === FRAME.abort) read.push(readNumber(payload));
        else read.push([worker, readCalls(payload)]);
      });
      assert.deepEqual(read, [
        ...written.map((calls, worker) => [worker, calls]),
        [9, [long]],
        { place: 1, serial: 2 },
      ]);
    }),
    { numRuns: 50 },
  );
});

Deno.test("FrameInput.readNow() gives nothing where a frame is cut off", () => {
  const out = new ByteWriter();
  writeFrame(out, { kind: FRAME.message, worker: 0 }, (each) => each.text("[]"));
  for (let length = 0; length < out.length; length++) {
    assert.equal(inputOf(out.written.slice(0, length), [3]).readNow(), undefined);
  }
});

const KINDS = ["text", "json", "error", "public", "params", "large"] as const;
const outcome: fc.Arbitrary<WrittenOutcome> = fc.tuple(fc.constantFrom(...KINDS), text, optional)
  .map(([kind, first, more]) => ({ kind, text: first, ...more === undefined ? {} : { more } }));

/** The payloads that a worker sends for some outcomes. */
function payloadsOf(outcomes: readonly WrittenOutcome[], hasReturned: boolean): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  const writer = new ResultWriter(({ written }) => void payloads.push(written.slice()));
  outcomes.forEach((each, place) => writer.add({ place, serial: 2 ** 32 - 1 }, each));
  writer.send(hasReturned);
  return payloads;
}

Deno.test("readResults() gives what a worker wrote, in frames of a limited size", () => {
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 400 }), fc.boolean(), (written, isFree) => {
      const results = payloadsOf(written, isFree).map(readResults);
      assert.deepEqual(results.map((each) => each?.hasReturned), [
        ...results.slice(1).map(() => false),
        isFree,
      ]);
      const outcomes = results.flatMap((each) => each?.outcomes ?? []);
      assert.deepEqual(
        outcomes.map(({ place, serial, kind, text: bytes, more }) => {
          assert.equal(serial, 2 ** 32 - 1);
          return [place, kind, toText(bytes), more && toText(more)];
        }),
        written.map(({ kind, text: first, more }, place) => [place, kind, first, more]),
      );
    }),
    { numRuns: 50 },
  );
  const largest = payloadsOf(Array(300).fill({ kind: "text", text: "x".repeat(1000) }), true);
  assert.ok(largest.every(({ length }) => length < 10_000));
});

const [GOOD = new Uint8Array()] = payloadsOf([{ kind: "public", text: "ab", more: "c" }], true);
const change = (at: number, byte: number): Uint8Array => GOOD.with(at, byte);
const MALFORMED: { payload: Uint8Array; why: string }[] = [
  { payload: new Uint8Array(), why: "nothing" },
  { payload: change(0, 2), why: "neither free nor busy" },
  { payload: change(9, KINDS.length), why: "an unknown kind" },
  { payload: change(10, 200), why: "a text beyond the end" },
  { payload: change(13, 255), why: "a text of 4 GB" },
  { payload: GOOD.with(10, 255).with(11, 255).with(12, 255).with(13, 255), why: "no text" },
  { payload: Uint8Array.of(...GOOD, 0), why: "a byte too many" },
  ...Array.from(GOOD, (_, i) => ({ payload: GOOD.slice(0, i), why: `${i} bytes` }))
    // One byte says whether the worker is free; nothing has to follow.
    .filter(({ payload }) => payload.length !== 1),
];

Deno.test("readResults() takes nothing else", () => {
  for (const { payload, why } of MALFORMED) assert.equal(readResults(payload), undefined, why);
  const empty = Uint8Array.of(0, ...Array(17 * (MAX_OUTCOMES + 1)).fill(0));
  assert.equal(readResults(empty), undefined, "too many outcomes");
});

Deno.test("readResults() never throws", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void readResults(bytes)));
});

/** A frame of a host. */
function frameOf(worker: number, payload: Uint8Array): Uint8Array {
  const out = new ByteWriter();
  out.bytes(new Uint8Array(FROM_HOST_HEAD));
  out.bytes(payload);
  writeHead(out, MARK, worker);
  return out.written.slice();
}

/** What a splitter finds in bytes that come in pieces. */
function split(bytes: Uint8Array, cuts: readonly number[]): { frames: unknown[]; stray: string } {
  const frames: unknown[] = [];
  const stray: number[] = [];
  const splitter = new FrameSplitter(MARK, {
    onFrame: (worker, payload) => void frames.push([worker, [...payload]]),
    onStray: (each) => void stray.push(...each),
  });
  let pending = new Uint8Array(), at = 0;
  for (const cut of [...cuts, bytes.length]) {
    pending = Uint8Array.of(...pending, ...bytes.subarray(at, at + cut));
    at += cut;
    const { taken } = splitter.take(pending);
    pending = pending.slice(taken);
  }
  return { frames, stray: stray.join() };
}

Deno.test("FrameSplitter tells frames from other output, however their bytes come", () => {
  const payload = fc.uint8Array({ maxLength: 40 });
  // Also parts of the mark.
  const stray = fc.array(fc.integer({ min: 1, max: MARK_BYTES }), { maxLength: 20 })
    .map((bytes) => Uint8Array.of(...bytes, 0));
  const parts = fc.array(fc.oneof(payload.map((each) => ({ frame: each })), stray));
  fc.assert(fc.property(parts, fc.array(fc.nat(30), { maxLength: 30 }), (written, cuts) => {
    const bytes = written.flatMap((each) => [..."frame" in each ? frameOf(5, each.frame) : each]);
    assert.deepEqual(split(Uint8Array.from(bytes), cuts), {
      frames: written.flatMap((each) => "frame" in each ? [[5, [...each.frame]]] : []),
      stray: written.flatMap((each) => "frame" in each ? [] : [...each]).join(),
    });
  }));
});

Deno.test("FrameSplitter says how much a frame needs, and counts a head without a frame as output", () => {
  const frame = frameOf(1, new Uint8Array(100));
  const splitter = new FrameSplitter(MARK, { onFrame: () => {}, onStray: () => {} });
  assert.deepEqual(splitter.take(frame.subarray(0, 50)), { taken: 0, needed: frame.length });
  assert.equal(splitter.take(frame.subarray(0, 10)).needed, FROM_HOST_HEAD);
  assert.deepEqual(splitter.take(frame), { taken: frame.length, needed: 0 });
  const short = frameOf(1, new Uint8Array());
  new DataView(short.buffer).setUint32(MARK_BYTES, 3, true);
  assert.equal(split(short, []).stray, short.join());
});
