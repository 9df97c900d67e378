import assert from "node:assert/strict";
import { Calls } from "../../lib/calls.ts";
import type { CallResult } from "../../lib/functions/types.ts";
import type { ClientRecord } from "../../lib/keys/keyring.ts";
import { ClientPolicy, NO_RULES } from "../../lib/keys/policy.ts";
import type { ClientRules } from "../../lib/keys/rules.ts";
import { type Called, SILENT } from "../../lib/observer.ts";
import type { Protocol, Sealed, Unverified } from "../../lib/protocol/protocol.ts";
import type { Refusal } from "../../lib/refusals.ts";
import type { ClaimResult } from "../../lib/replay/claims.ts";

const CLIENT: ClientRecord = {
  publicKeyBase64: "",
  slot: 0,
  fingerprint: "0".repeat(16),
  file: "c.pub",
  label: "c.pub",
  policy: NO_RULES,
};
const OK: CallResult = {
  ok: true,
  bytes: new TextEncoder().encode("result"),
  isJson: false,
};

/** What each step gives, where it differs from a call that succeeds. */
interface Way {
  readonly parse?: Refusal;
  readonly authenticate?: Refusal;
  readonly verify?: Unverified<string>;
  readonly claim?: ClaimResult;
  /** A copy of the request does no harm. */
  readonly needsNoClaim?: boolean;
  readonly reference?: string;
  readonly call?: CallResult;
  readonly isRemovedMeanwhile?: boolean;
  /** Rules of the client. */
  readonly rules?: ClientRules;
  /** The protocol has words for a client that is refused. */
  readonly tellsBar?: boolean;
  /** Whether each step gives a promise. */
  readonly isSlow?: boolean;
}

/** Takes the way, and tells which steps were taken. */
async function take(way: Way): Promise<{
  steps: string[];
  answer: Sealed | Refusal;
  called: Called[];
}> {
  const steps: string[] = [], called: Called[] = [];
  const client = { ...CLIENT, policy: new ClientPolicy([way.rules ?? {}]) };
  const step = <T>(name: string, value: T): T => {
    steps.push(name);
    return value;
  };
  const soon = <T>(value: T): T | Promise<T> => way.isSlow ? Promise.resolve(value) : value;
  const protocol: Protocol<string, string, string, string> = {
    name: "test",
    answerType: "text/plain",
    allowedOrigins: [],
    bodyForm: "text",
    claims: {
      claim: (claim) => soon(step(claim, way.claim ?? "fresh")),
      settle: () => soon(step("settle", undefined)),
    },
    acceptsType: () => true,
    parse: (body) => step("parse", way.parse ?? { ok: true, message: body }),
    referenceOf: () => way.reference,
    authenticate: (message) =>
      soon(step("sender", way.authenticate ?? { ok: true, client, content: message })),
    verify: () =>
      step(
        "verify",
        way.verify ?? {
          ok: true,
          ...way.needsNoClaim ? {} : { claim: "claim" },
          calls: [{ functionName: "f", params: "{}" }],
        },
      ),
    sealBar: (_, code) => way.tellsBar ? { ok: true, body: step("bar", code) } : undefined,
    accepted: () => step("accepted", undefined),
    seal(_, [result = fail()]): Sealed | Refusal {
      if (result.ok) {
        return step("seal", { ok: true, body: new TextDecoder().decode(result.bytes) });
      }
      const { code, detail } = result;
      return step("seal", { ok: false, code, ...detail === undefined ? {} : { detail } });
    },
  };
  const calls = new Calls({
    functions: {
      isRegistered: () => way.call?.ok !== false || way.call.code !== "unknown_function",
      call: (name, { params }) => soon(step(`run ${name} ${params}`, way.call ?? OK)),
    },
    observer: {
      ...SILENT,
      called: (event) => void called.push(event),
    },
    isRegistered: () => !way.isRemovedMeanwhile,
    clock: () => 1_000_000,
  });
  const answer = await calls.answer(protocol, "body", "192.0.2.1");
  return { steps, answer, called };
}

function fail(): never {
  throw new Error("no result");
}

const FULL = ["parse", "sender", "verify", "claim", "accepted", "settle", "run f {}", "seal"];

Deno.test("Calls.answer() takes each step in its order, whether or not it must wait", async () => {
  for (const isSlow of [false, true]) {
    const { steps, answer, called } = await take({ isSlow });
    assert.deepEqual(steps, FULL);
    assert.deepEqual(answer, { ok: true, body: "result" });
    assert.deepEqual(called.map(({ functionName, refusal }) => ({ functionName, refusal })), [
      { functionName: "f", refusal: undefined },
    ]);
  }
});

Deno.test("Calls.answer() ends at the step that refuses, and nothing runs after it", async () => {
  const table: { way: Way; code: string; steps: number; why: string }[] = [
    { way: { parse: { ok: false, code: "not_json" } }, code: "not_json", steps: 1, why: "form" },
    {
      way: { authenticate: { ok: false, code: "unknown_sender" } },
      code: "unknown_sender",
      steps: 2,
      why: "sender",
    },
    { way: { verify: { ok: false, code: "expired" } }, code: "expired", steps: 3, why: "time" },
    { way: { claim: "replayed" }, code: "replayed", steps: 4, why: "a copy does not run" },
    {
      way: { isRemovedMeanwhile: true },
      code: "client_removed",
      steps: 7,
      why: "no answer for a client that was removed while the function ran",
    },
  ];
  assert.equal(table.length, 5);
  for (const isSlow of [false, true]) {
    for (const { way, code, steps, why } of table) {
      const taken = await take({ ...way, isSlow });
      assert.deepEqual(taken.steps, FULL.slice(0, steps), why);
      assert.equal(taken.answer.ok ? "" : taken.answer.code, code, why);
    }
  }
});

Deno.test("Calls.answer() claims a request that it refuses and would accept later", async () => {
  for (const isSlow of [false, true]) {
    const verify = { ok: false, code: "too_early", claim: "claim" } as const;
    const { steps, answer } = await take({ verify, isSlow });
    assert.deepEqual(steps, ["parse", "sender", "verify", "claim", "settle"]);
    assert.deepEqual(answer, { ok: false, code: "too_early", client: CLIENT });
  }
});

Deno.test("Calls.answer() names a function only where it is registered", async () => {
  const failed = await take({
    call: { ok: false, code: "function_failed", detail: "x", executed: "yes" },
  });
  assert.deepEqual(failed.answer, {
    ok: false,
    code: "function_failed",
    detail: "x",
    client: CLIENT,
    functionName: "f",
  });
  assert.equal(failed.called[0]?.refusal, "function_failed");
  const unknown = await take({ call: { ok: false, code: "unknown_function", executed: "no" } });
  assert.deepEqual(unknown.answer, { ok: false, code: "unknown_function", client: CLIENT });
  const [called] = unknown.called;
  assert.equal(called?.refusal, "unknown_function");
  assert.equal(called?.functionName, undefined, "an unknown name is the sender's text");
});

Deno.test("Calls.answer() claims nothing where a copy does no harm", async () => {
  const { steps, answer } = await take({ needsNoClaim: true });
  assert.deepEqual(steps, FULL.filter((step) => step !== "claim" && step !== "settle"));
  assert.ok(answer.ok);
});

Deno.test("Calls.answer() gives the reference of a request to its refusals and its calls", async () => {
  const reference = "0badcafe";
  const ways: readonly Way[] = [
    { authenticate: { ok: false, code: "unknown_sender" } },
    { verify: { ok: false, code: "expired" } },
    { claim: "replayed" },
    { isRemovedMeanwhile: true },
    { call: { ok: false, code: "function_failed", executed: "yes" } },
  ];
  for (const way of ways) {
    const { answer } = await take({ ...way, reference });
    assert.ok(!answer.ok && "reference" in answer);
    assert.equal(answer.reference, reference);
  }
  assert.equal((await take({ reference })).called[0]?.reference, reference);
});

Deno.test("Calls.answer() enforces rules once the claim is settled, and before the function runs", async () => {
  const table: { rules: ClientRules; code: string | undefined; isWhole: boolean; why: string }[] = [
    { rules: { functions: ["f"] }, code: undefined, isWhole: false, why: "allowed" },
    { rules: { functions: ["g"] }, code: "function_not_allowed", isWhole: false, why: "another" },
    { rules: { expiresAtSeconds: 1001 }, code: undefined, isWhole: false, why: "in time" },
    { rules: { expiresAtSeconds: 1000 }, code: "client_expired", isWhole: true, why: "expired" },
    { rules: { from: ["192.0.2.0/24"] }, code: undefined, isWhole: false, why: "from here" },
    { rules: { from: ["10.0.0.1"] }, code: "client_source", isWhole: true, why: "elsewhere" },
  ];
  assert.equal(table.length, 6);
  for (const isSlow of [false, true]) {
    for (const { rules, code, isWhole, why } of table) {
      const { steps, answer, called } = await take({ rules, isSlow });
      if (code === undefined) {
        assert.deepEqual(steps, FULL, why);
        continue;
      }
      assert.equal(answer.ok ? "" : answer.code, code, why);
      const before = FULL.slice(0, 6);
      const expected = isWhole ? before.filter((step) => step !== "accepted") : [...before, "seal"];
      assert.deepEqual(steps, expected, `${why}: claimed for good, gains no trust, runs nothing`);
      assert.deepEqual(called.map(({ refusal }) => refusal), isWhole ? [] : [code], why);
    }
  }
  const told = await take({ rules: { expiresAtSeconds: 0 }, tellsBar: true, needsNoClaim: true });
  assert.deepEqual(told.answer, { ok: true, body: "client_expired" });
});
