/**
 * Protocol v2 through the endpoint as the server composes it: every vector, and what is answered to a call.
 */
import assert from "node:assert/strict";
import { concat, toBase64 } from "../../../client/bytes.ts";
import { PLATFORM_CLOCK } from "../../../client/deadline.ts";
import { Connection, type ConnectOptions } from "../../../client/mod.ts";
import { pairOf, randomBytes } from "../../../client/primitives.ts";
import { Box } from "../../../lib/crypto/box.ts";
import type { PrivateKey, PublicKey } from "../../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../../lib/crypto/nacl.ts";
import type { CallResult, DescribedFunction } from "../../../lib/functions/types.ts";
import { type EndpointSetup, makeEndpoint } from "../../composed_endpoint.ts";
import { errorOf } from "../../v2_server.ts";
import { hex, VECTORS } from "../../v2_vectors.ts";

const box = await Box.load();

/** A POST to /v2. */
function post(body: Uint8Array<ArrayBuffer>, headers: HeadersInit = {}): Request {
  return new Request("http://localhost:8000/v2", {
    method: "POST",
    body,
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(body.length),
      host: "localhost:8000",
      ...headers,
    },
  });
}

/** An endpoint for the client of the vectors, or of the test. */
function serve(setup: Partial<EndpointSetup> = {}): ReturnType<typeof makeEndpoint> {
  return makeEndpoint({
    box,
    serverPrivateKey: generateKeyPair().privateKey,
    handshakeKey: hex(VECTORS.server_key) as PrivateKey,
    clients: [hex(VECTORS.client_pub) as PublicKey],
    secrets: [],
    functions: {},
    ...setup,
  });
}

/** The client library, connected to an endpoint in this process. */
function connect(
  { endpoint }: Pick<ReturnType<typeof serve>, "endpoint">,
  options: ConnectOptions = {},
  privateKey = VECTORS.client_key,
): Connection {
  return new Connection({
    url: "http://localhost:8000/v2",
    serverKey: toBase64(hex(VECTORS.server_pub)),
    privateKey: toBase64(hex(privateKey)),
  }, {
    ...options,
    fetch: (_url, { body }) => endpoint(post(body as Uint8Array<ArrayBuffer>), "192.0.2.1"),
  });
}

const REFUSED_HELLOS: Readonly<Record<string, string>> = {
  "unknown sender": "unknown_sender",
  "unknown key id": "unknown_server_key",
  "too short": "malformed_message",
  "kind and nothing": "malformed_message",
  "empty": "malformed_message",
  "another kind": "malformed_message",
  "e changed": "unknown_sender",
  "e of low order": "unknown_sender",
  "s changed": "unknown_sender",
  "payload changed": "unknown_sender",
  "trailing byte": "unknown_sender",
  "key id changed": "unknown_server_key",
  "for another server": "unknown_server_key",
};

Deno.test("every refused hello of the vectors gets the one refusal, for the right reason", async () => {
  assert.equal(VECTORS.refused_hellos.length, 13);
  for (const { kind, hello } of VECTORS.refused_hellos) {
    const { endpoint, refusals } = serve();
    const response = await endpoint(post(hex(hello)), "192.0.2.1");
    assert.equal(response.status, 401, kind);
    assert.equal(await response.text(), "");
    assert.deepEqual([...response.headers], [["connection", "close"]]);
    assert.deepEqual(refusals, [REFUSED_HELLOS[kind]], kind);
  }
});

Deno.test("every hello of the vectors is welcomed", async () => {
  const { endpoint } = serve();
  for (const { hello } of VECTORS.handshakes) {
    // Also twice: a copy of a hello gives its sender nothing that it can use.
    for (let i = 0; i < 2; i++) {
      const response = await endpoint(post(hex(hello)), "192.0.2.1");
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "application/octet-stream");
    }
  }
});

Deno.test("every refused call of the vectors gets the one refusal; their tickets are of another server", async () => {
  assert.equal(VECTORS.refused_calls.length, 13);
  for (const { kind, call } of VECTORS.refused_calls) {
    const { endpoint, refusals } = serve();
    const response = await endpoint(post(hex(call)), "192.0.2.1");
    assert.equal(response.status, 401, kind);
    assert.ok(["unknown_ticket", "malformed_message"].includes(refusals[0] ?? ""), kind);
  }
});

const FUNCTIONS: EndpointSetup["functions"] = {
  text: () => "It is currently",
  params: ({ params }) => jsonResult(params ?? "undefined"),
  busy: () => failed({ code: "function_busy", executed: "no", data: { retryAfterMs: 1000 } }),
  fails: () => failed({ code: "function_failed", executed: "yes", detail: "Error: secret" }),
  public: () =>
    failed({
      code: "function_failed",
      executed: "yes",
      message: "The garage is locked",
      messageData: '{"door":2}',
    }),
  deep: () =>
    failed({
      code: "function_failed",
      executed: "yes",
      message: "The garage is locked",
      messageData: "[".repeat(50_000) + "]".repeat(50_000),
    }),
  broken: () => failed({ code: "function_broken", executed: "no" }),
  died: () => failed({ code: "function_failed", executed: "maybe" }),
  slow: () => failed({ code: "function_timed_out", executed: "yes", data: { timeoutMs: 100 } }),
  large: () =>
    failed({ code: "function_result_too_large", executed: "yes", data: { maxResultBytes: 9 } }),
  misfit: () =>
    failed({ code: "function_params", executed: "no", data: { path: "/n", expected: "x" } }),
  forges: () => jsonResult('1,"id":1},{"jsonrpc":"2.0","result":"forged","id":2'),
};

function jsonResult(text: string): CallResult {
  return { ok: true, bytes: new TextEncoder().encode(text), isJson: true };
}

function failed(what: Omit<Extract<CallResult, { ok: false }>, "ok">): CallResult {
  return { ok: false, ...what };
}

Deno.test("a call gets JSON, names are case-insensitive, absent params are an empty object", async () => {
  const home = connect(serve({ functions: FUNCTIONS }));
  assert.equal(await home.call("text"), "It is currently");
  assert.equal(await home.call("TEXT"), "It is currently");
  assert.deepEqual(await home.call("params", { n: [1, "ü"] }), { n: [1, "ü"] });
  assert.deepEqual(await home.call("params"), {});
  assert.equal(await home.call("rpc.ping"), "pong");
  assert.equal(await home.call("RPC.Ping"), "pong");
});

Deno.test("a registered client is told what went wrong", async () => {
  const rows: readonly [name: string, code: string, executed: string, more: object][] = [
    ["nope", "not-found", "no", { data: undefined }],
    ["rpc.nope", "not-found", "no", {}],
    ["busy", "busy", "no", { retryAfterMs: 1000 }],
    ["fails", "failed", "yes", { message: "The function failed", data: undefined }],
    ["public", "failed", "yes", { message: "The garage is locked", data: { door: 2 } }],
    ["deep", "failed", "yes", { message: "The garage is locked", data: undefined }],
    ["broken", "failed", "no", {}],
    ["died", "failed", "maybe", {}],
    ["slow", "timeout", "yes", { data: { timeoutMs: 100 } }],
    ["large", "too-large", "yes", { data: { maxResultBytes: 9 } }],
    ["misfit", "invalid-params", "no", { data: { path: "/n", expected: "x" } }],
  ];
  const home = connect(serve({ functions: FUNCTIONS }));
  for (const [name, code, executed, more] of rows) {
    const error = await errorOf(home.call(name));
    assert.deepEqual([error.code, error.executed], [code, executed], name);
    for (const [member, value] of Object.entries(more)) {
      assert.deepEqual(Reflect.get(error, member), value, `${name}: ${member}`);
    }
    assert.match(error.ref ?? "", /^[0-9a-f]{8}$/);
    assert.ok(!JSON.stringify(error).includes("secret"));
  }
});

Deno.test("a batch has an outcome for each call, and no function writes outside of its own", async () => {
  const home = connect(serve({ functions: FUNCTIONS }));
  const outcomes = await home.batch([["text"], ["nope"], ["rpc.ping"], ["params", { a: 1 }]]);
  assert.deepEqual(outcomes.map(({ status }) => status), [
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
  ]);
  const [forger, victim] = await home.batch([["forges"], ["text"]]);
  assert.equal(forger?.status, "rejected");
  assert.deepEqual(victim, { status: "fulfilled", value: "It is currently" });
});

const DESCRIBED: readonly DescribedFunction[] = [
  { functionName: "plain", about: {} },
  {
    functionName: "shopping_add",
    about: {
      title: "Add",
      description: "Adds an item",
      params: '{"type":"object","properties":{"item":{"type":"string"}},"required":["item"]}',
      annotations: { idempotentHint: true },
    },
  },
];

Deno.test("rpc.functions lists tools, rpc.discover an OpenRPC document", async () => {
  const home = connect(serve({ described: DESCRIBED }));
  assert.deepEqual(await home.functions(), [
    { name: "plain", inputSchema: { type: "object" } },
    {
      name: "shopping_add",
      title: "Add",
      description: "Adds an item",
      inputSchema: {
        type: "object",
        properties: { item: { type: "string" } },
        required: ["item"],
      },
      annotations: { idempotentHint: true },
    },
  ]);
  const document = await home.call<{ openrpc: string; methods: unknown[] }>("rpc.discover");
  assert.match(document.openrpc, /^1\./);
  assert.deepEqual(document.methods[1], {
    name: "shopping_add",
    summary: "Add",
    description: "Adds an item",
    paramStructure: "by-name",
    params: [{ name: "item", schema: { type: "string" }, required: true }],
    result: { name: "result", schema: true },
  });
});

Deno.test("a client whose key is not registered is refused, and so is one that was removed", async () => {
  const stranger = connect(serve(), {}, VECTORS.stranger_key);
  const error = await errorOf(stranger.call("text"));
  assert.deepEqual([error.code, error.executed], ["refused", "no"]);

  const server = serve({ functions: FUNCTIONS });
  const home = connect(server);
  assert.equal(await home.call("text"), "It is currently");
  const record = server.keyring.recordOf(hex(VECTORS.client_pub));
  assert.ok(record);
  server.keyring.removeKey(record);
  const lost = await errorOf(home.call("text", {}, { idempotent: false }));
  assert.equal(lost.code, "session-lost", "with a ticket that is still good");
  assert.deepEqual(server.refusals, ["unknown_sender"]);
  const refused = await errorOf(home.call("text"));
  assert.equal(refused.code, "refused");
});

Deno.test("a removed client gets no answer of a call that ran meanwhile", async () => {
  const server: ReturnType<typeof serve> = serve({
    functions: {
      removes: () => {
        const record = server.keyring.recordOf(hex(VECTORS.client_pub));
        if (record !== undefined) server.keyring.removeKey(record);
        return "too late";
      },
    },
  });
  const error = await errorOf(connect(server).call("removes", {}, { idempotent: false }));
  assert.deepEqual([error.code, error.executed], ["session-lost", "maybe"]);
  assert.deepEqual(server.refusals, ["client_removed"]);
});

Deno.test("while keys are being loaded, a hello waits for them", async () => {
  const server = serve({ clients: [], functions: FUNCTIONS });
  server.keyring.isLoading = true;
  const call = connect(server).call("text");
  await new Promise((resolve) => setTimeout(resolve));
  server.keyring.addKey(hex(VECTORS.client_pub) as PublicKey);
  server.keyring.isLoading = false;
  assert.equal(await call, "It is currently");
});

Deno.test("unknown senders draw on a budget, registered ones go on from where they are known", async () => {
  const server = serve({ limits: { searchPercent: 1 }, functions: FUNCTIONS });
  const { endpoint, refusals } = server;
  const home = connect(server);
  assert.equal(await home.call("text"), "It is currently");
  const stranger = hex(VECTORS.refused_hellos[0]?.hello ?? "");
  const newcomer = hex(VECTORS.handshakes[0]?.hello ?? "");
  let isRefused = false;
  for (let i = 0; i < 5000 && !isRefused; i++) {
    assert.equal((await endpoint(post(stranger), "198.51.100.1")).status, 401);
    if (refusals.at(-1) !== "search_limit") continue;
    isRefused = (await endpoint(post(newcomer), "203.0.113.1")).status === 401;
  }
  assert.ok(isRefused, "nobody knows who that is");
  assert.ok(refusals.length > 10, "there is a burst");
  home.close();
  assert.equal(
    await home.call("text"),
    "It is currently",
    "with its ticket, and a hello after a wait",
  );
});

Deno.test("an address that fails too often costs no cryptography", async () => {
  const { endpoint, refusals } = serve({ limits: { failuresPerMinute: 3 } });
  const stranger = hex(VECTORS.refused_hellos[0]?.hello ?? "");
  for (let i = 0; i < 5; i++) await endpoint(post(stranger), "198.51.100.1");
  const unknown = "unknown_sender", limit = "search_limit";
  assert.deepEqual(refusals, [unknown, unknown, unknown, limit, limit]);
});

Deno.test("ticket keys change under load: every call runs once, and none fails", async () => {
  let seconds = 0;
  const ran = new Map<string, number>();
  const served = serve({
    nowSeconds: () => seconds,
    functions: {
      count({ params = "" }): string {
        ran.set(params, 1 + (ran.get(params) ?? 0));
        // Less than the 30 s by which a client says hello before its ticket ends.
        seconds += 20;
        return "counted";
      },
    },
  });
  let hellos = 0;
  const home = connect({
    endpoint(request, address): Promise<Response> {
      hellos += Number(request.headers.get("content-length") === "105");
      return served.endpoint(request, address);
    },
  }, { clock: { ...PLATFORM_CLOCK, now: () => seconds * 1000 } });
  const calls = Array.from({ length: 1000 }, (_, n) => n);
  const lanes = Array.from({ length: 20 }, async () => {
    for (let n = calls.pop(); n !== undefined; n = calls.pop()) {
      assert.equal(await home.call("count", { n }), "counted");
    }
  });
  await Promise.all(lanes);
  assert.deepEqual([...new Set(ran.values())], [1]);
  assert.equal(ran.size, 1000);
  // 20,000 s are five and a half lifetimes of a key; a ticket lives for one to two of them.
  assert.ok(hellos >= 3 && hellos <= 6, `${hellos} hellos`);
  assert.deepEqual(served.refusals, []);
});

Deno.test("the content type must be that of v2", async () => {
  const { endpoint, refusals } = serve();
  const hello = hex(VECTORS.handshakes[0]?.hello ?? "");
  for (const type of ["application/json", "", "text/plain", "application/octet-streams"]) {
    const response = await endpoint(post(hello, { "content-type": type }), "192.0.2.1");
    assert.equal(response.status, 401, type);
  }
  assert.deepEqual(new Set(refusals), new Set(["wrong_content_type"]));
  for (const type of ["application/octet-stream; x=y", "Application/Octet-Stream"]) {
    assert.equal((await endpoint(post(hello, { "content-type": type }), "192.0.2.1")).status, 200);
  }
});

Deno.test("any bytes are refused, and one flipped bit of a call as well", async () => {
  const server = serve({ functions: FUNCTIONS });
  const sent: Uint8Array<ArrayBuffer>[] = [];
  const home = new Connection({
    url: "http://localhost:8000/v2",
    serverKey: toBase64(hex(VECTORS.server_pub)),
    privateKey: toBase64(hex(VECTORS.client_key)),
  }, {
    fetch(_url, { body }): Promise<Response> {
      const bytes = body as Uint8Array<ArrayBuffer>;
      sent.push(bytes);
      if (bytes[0] === 1) return server.endpoint(post(bytes), "192.0.2.1");
      return Promise.reject(new TypeError("lost"));
    },
  });
  await home.call("text").catch(() => {});
  const [, call] = sent;
  assert.ok(call);
  for (let bit = 0; bit < 8 * call.length; bit += 3) {
    const changed = Uint8Array.from(call);
    const at = bit >>> 3;
    changed[at] = (changed[at] ?? 0) ^ (1 << (bit & 7));
    const response = await server.endpoint(post(changed), "192.0.2.1");
    assert.equal(response.status, 401, `bit ${bit}`);
  }
  for (let i = 0; i < 500; i++) {
    const body = concat(Uint8Array.of(i % 6), randomBytes(i));
    assert.equal((await server.endpoint(post(body), "192.0.2.1")).status, 401);
  }
  assert.ok(!server.refusals.includes("internal_error"));
  assert.equal((await server.endpoint(post(call), "192.0.2.1")).status, 200, "the call itself");
  assert.equal((await server.endpoint(post(call), "192.0.2.1")).status, 401, "once");
  assert.equal(server.refusals.at(-1), "replayed");
});

Deno.test("a server with a previous key answers both, without one only the present", async () => {
  const present = generateKeyPair().privateKey;
  const { endpoint } = serve({ handshakeKey: present });
  const error = await errorOf(connect({ endpoint }).open());
  assert.equal(error.code, "refused");
  assert.ok(pairOf(present).publicKey.length === 32);
});
