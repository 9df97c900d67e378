/**
 * What an unknown sender gets for a hello with and without an invite, through the endpoint as the server
 * composes it.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fromBase64, toBase64 } from "../../../client/bytes.ts";
import { pairOf, randomBytes } from "../../../client/primitives.ts";
import { Hello } from "../../../client/session.ts";
import { Box } from "../../../lib/crypto/box.ts";
import type { PrivateKey, PublicKey } from "../../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../../lib/crypto/nacl.ts";
import type { JoinOutcome, JoinRequest } from "../../../lib/keys/invite_desk.ts";
import type { Keyring } from "../../../lib/keys/keyring.ts";
import { NO_RULES } from "../../../lib/keys/policy.ts";
import { readHelloInvite } from "../../../lib/protocol/v2_hello.ts";
import { makeEndpoint } from "../../composed_endpoint.ts";

const box = await Box.load();
const TOKEN = toBase64(randomBytes(16)).replace(/\+/g, "-").replace(/\//g, "_").slice(0, 22);
const INVITE = `{"invite":"${TOKEN}"}`;
const V1 = { secret: "ab".repeat(64), serverKey: `${"A".repeat(43)}=` };

/** What a desk answers, and the requests that reached it. */
interface Desk {
  readonly hasInvites?: boolean;
  readonly outcome?: (keyring: Keyring, publicKey: PublicKey) => JoinOutcome;
  readonly requests: JoinRequest[];
}

interface Said {
  readonly status: number;
  readonly headers: string;
  readonly refusals: readonly string[];
  readonly welcome: unknown;
}

/** Says a hello with a payload, by an unknown sender. */
async function sayHello(payload: string, desk: Desk): Promise<Said> {
  const serverPrivateKey = generateKeyPair().privateKey;
  const handshakeKey = randomBytes(32) as PrivateKey;
  const { endpoint, refusals } = makeEndpoint({
    box,
    serverPrivateKey,
    handshakeKey,
    clients: [],
    secrets: [],
    functions: {},
    invites: (keyring) => ({
      hasInvites: () => desk.hasInvites ?? true,
      join: (request) => {
        desk.requests.push(request);
        const outcome = desk.outcome?.(keyring, request.publicKey);
        return Promise.resolve(outcome ?? { status: "unknown" });
      },
      v1Of: () => Promise.resolve(undefined),
    }),
  });
  const serverKey = pairOf(handshakeKey).publicKey as Uint8Array<ArrayBuffer>;
  const hello = new Hello({ serverKey, staticPair: pairOf(randomBytes(32)), payload });
  const response = await endpoint(
    new Request("http://localhost:8000/v2", {
      method: "POST",
      body: hello.body,
      headers: { "content-type": "application/octet-stream", host: "localhost:8000" },
    }),
    "192.0.2.1",
  );
  const answer = new Uint8Array(await response.arrayBuffer());
  let welcome: unknown;
  if (response.status === 200) {
    try {
      welcome = hello.finish(answer, 0).info;
    } catch (error) {
      welcome = error instanceof Error && "data" in error ? error.data : String(error);
    }
  }
  const headers = JSON.stringify([...response.headers]) + answer.length;
  return { status: response.status, headers, refusals, welcome };
}

function join(keyring: Keyring, publicKey: PublicKey, v1?: typeof V1): JoinOutcome {
  const about = { file: "client_1.pub", policy: NO_RULES };
  const client = keyring.addKey(publicKey, { client: { about } });
  assert.ok(client !== undefined);
  return { status: "joined", client, v1, isNew: true };
}

Deno.test("a hello with an invite: what its sender gets, and what the log says", async () => {
  const always = (outcome: JoinOutcome) => (): JoinOutcome => outcome;
  const cases: readonly {
    readonly outcome: (keyring: Keyring, publicKey: PublicKey) => JoinOutcome;
    readonly status: number;
    readonly refusal?: string;
    readonly welcome?: unknown;
  }[] = [
    { outcome: always({ status: "unknown" }), status: 401, refusal: "unknown_sender" },
    { outcome: always({ status: "busy" }), status: 401, refusal: "invite_busy" },
    { outcome: always({ status: "failed" }), status: 401, refusal: "invite_failed" },
    { outcome: always({ status: "closed" }), status: 200, welcome: "invite not valid" },
    { outcome: (keyring, key) => join(keyring, key), status: 200, welcome: {} },
    { outcome: (keyring, key) => join(keyring, key, V1), status: 200, welcome: { v1: V1 } },
  ];
  const refused = new Set<string>();
  for (const { outcome, status, refusal, welcome } of cases) {
    const desk: Desk = { outcome, requests: [] };
    const said = await sayHello(`{"invite":"${TOKEN}","name":"x","v1":true}`, desk);
    assert.equal(said.status, status);
    assert.deepEqual(said.refusals, refusal === undefined ? [] : [refusal]);
    if (status === 401) refused.add(said.headers);
    if (typeof said.welcome !== "object") assert.equal(said.welcome, welcome);
    else {
      const { maxBody: _, maxBatch: __, ...rest } = said.welcome as Record<string, unknown>;
      assert.deepEqual(rest, welcome);
    }
    const [request] = desk.requests;
    assert.deepEqual(request?.token, fromBase64(TOKEN));
    assert.deepEqual([request?.name, request?.wantsV1, request?.address], ["x", true, "192.0.2.1"]);
  }
  assert.equal(refused.size, 1, "refusals look alike");
});

Deno.test("without an invite, an unknown sender is refused as ever", async () => {
  const desk: Desk = { requests: [] };
  const payloads = [
    "",
    "{}",
    "[]",
    "null",
    "1",
    '"x"',
    "{",
    '{"invite":1}',
    '{"invite":null}',
    `{"invite":"${TOKEN.slice(1)}"}`,
    `{"invite":"${TOKEN}A"}`,
    `{"Invite":"${TOKEN}"}`,
    "\ufffd".repeat(100),
  ];
  const seen = new Set<string>();
  for (const payload of payloads) {
    const { status, headers, refusals } = await sayHello(payload, desk);
    assert.deepEqual([status, refusals], [401, ["unknown_sender"]], payload);
    seen.add(headers);
  }
  assert.equal(seen.size, 1);
  assert.deepEqual(desk.requests, []);
});

Deno.test("while there are no invites, the payload of an unknown sender is not opened", async () => {
  const desk: Desk = { hasInvites: false, requests: [] };
  const { status, refusals } = await sayHello(INVITE, desk);
  assert.deepEqual([status, refusals, desk.requests], [401, ["unknown_sender"], []]);
});

Deno.test("readHelloInvite() takes any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.equal(readHelloInvite(bytes), undefined);
  }));
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (name, v1) => {
    const text = JSON.stringify({ invite: TOKEN, name, v1 });
    const invite = readHelloInvite(new TextEncoder().encode(text));
    assert.equal(invite?.wantsV1, v1 === true);
    assert.equal(invite?.name, typeof name === "string" ? name : undefined);
  }));
});
