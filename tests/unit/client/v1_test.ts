import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import nacl from "tweetnacl";
import crc32 from "crc-32";
import { CallError } from "../../../client/mod.ts";
import { callV1 } from "../../../client/v1.ts";
import { readVectors } from "../../vectors.ts";

const NOW_MS = 1_764_115_200_123;

/** A server of v1 for one client, with tweetnacl. */
class V1Server {
  readonly #server = nacl.box.keyPair();
  readonly #client = nacl.box.keyPair();
  readonly #shared = nacl.box.before(this.#client.publicKey, this.#server.secretKey);
  readonly secret = "ab".repeat(64);
  /** The last request, opened. */
  opened: Record<string, Buffer> = {};
  /** What is answered; a string is sealed. */
  answer: (request: Record<string, string>) => Response = () => this.seal("hello");

  readonly keys = {
    privateKey: Buffer.from(this.#client.secretKey).toString("base64"),
    serverKey: Buffer.from(this.#server.publicKey).toString("base64"),
    secret: this.secret,
  };

  seal(text: string): Response {
    const nonce = nacl.randomBytes(24);
    const boxed = nacl.box.after(Buffer.from(text), nonce, this.#shared);
    return Response.json({ value: Buffer.concat([nonce, boxed]).toString("base64") });
  }

  readonly fetch = (_url: string, { body }: RequestInit): Promise<Response> => {
    assert.ok(body instanceof Uint8Array);
    const request = JSON.parse(new TextDecoder().decode(body));
    for (const [name, value] of Object.entries<string>(request)) {
      const sealed = new Uint8Array(Buffer.from(value, "base64url"));
      const opened = nacl.box.open.after(sealed.slice(24), sealed.slice(0, 24), this.#shared);
      assert.ok(opened, name);
      this.opened[name] = Buffer.from(opened);
    }
    return Promise.resolve(this.answer(request));
  };

  call(): Promise<string> {
    return callV1({
      url: "http://test.invalid/v1",
      functionName: "time_test",
      keys: this.keys,
      fetch: this.fetch,
      time: () => NOW_MS,
    });
  }
}

Deno.test("callV1() seals the four values of v1, and opens the answer", async () => {
  const server = new V1Server();
  assert.equal(await server.call(), "hello");
  const { id, check, ts, entry } = server.opened;
  assert.equal(String(id), server.secret);
  assert.equal(check?.readUInt32BE(), crc32.str(server.secret) >>> 0);
  assert.equal(ts?.readUInt32BE(), Math.floor(NOW_MS / 1000));
  assert.equal(String(entry), "time_test");
});

Deno.test("callV1() opens every answer of the vectors", async () => {
  const { server, clients, responses } = await readVectors();
  assert.ok(responses.length > 0);
  for (const { client, plain, value } of responses) {
    const { key = "", secret = "" } = clients[client] ?? {};
    const text = await callV1({
      url: "http://test.invalid/v1",
      functionName: "x",
      keys: { privateKey: key, secret, serverKey: server.pub },
      fetch: () => Promise.resolve(Response.json({ value })),
    });
    assert.equal(text, plain);
  }
});

Deno.test("callV1() refuses an answer that is a value of its own request", async () => {
  for (const name of ["id", "check", "ts", "entry"]) {
    const server = new V1Server();
    server.answer = (request) => Response.json({ value: request[name] });
    const error = await server.call().catch((reason) => reason);
    assert.ok(error instanceof CallError, name);
    assert.equal(error.code, "protocol");
    assert.ok(!error.message.includes(server.secret));
  }
});

Deno.test("callV1() says why there is no answer", async () => {
  const rows: readonly [why: string, answer: () => Response, code: string, executed: string][] = [
    ["refused", () => new Response(null, { status: 401 }), "refused", "maybe"],
    ["no such path", () => new Response(null, { status: 404 }), "protocol", "maybe"],
    ["bad gateway", () => new Response(null, { status: 502 }), "unreachable", "maybe"],
    ["no JSON", () => new Response("<html>"), "protocol", "maybe"],
    ["not sealed", () => Response.json({ value: "AAAA" }), "protocol", "maybe"],
    ["no value", () => Response.json([]), "protocol", "maybe"],
    ["a number", () => Response.json({ value: 1 }), "protocol", "maybe"],
    ["by another server", () => new V1Server().seal("x"), "protocol", "maybe"],
  ];
  for (const [why, answer, code, executed] of rows) {
    const server = new V1Server();
    server.answer = answer;
    const error = await server.call().catch((reason) => reason);
    assert.ok(error instanceof CallError, why);
    assert.deepEqual([error.code, error.executed], [code, executed], why);
  }
});

Deno.test("callV1() refuses malformed keys without repeating them", async () => {
  const { keys } = new V1Server();
  const rows = [
    { ...keys, secret: keys.secret.slice(1) },
    { ...keys, privateKey: "x" },
    { ...keys, serverKey: `${"A".repeat(43)}=` },
  ];
  for (const row of rows) {
    const call = callV1({ url: "http://test.invalid/v1", functionName: "x", keys: row });
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof TypeError);
      assert.ok(!error.message.includes(row.secret) && !error.message.includes(keys.privateKey));
      return true;
    });
  }
});
