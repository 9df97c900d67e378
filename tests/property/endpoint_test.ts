import assert from "node:assert/strict";
import fc from "fast-check";
import { Box } from "../../lib/crypto/box.ts";
import { generateSecret } from "../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../lib/crypto/nacl.ts";
import { type EndpointSetup, makeEndpoint } from "../composed_endpoint.ts";
import { openAnswer, post, sealRequest, sealValue } from "../v1_client.ts";
import { HOSTILE_TEXTS } from "../hostile.ts";
import { ServerProcess, TempFolder } from "../program.ts";
import { callServer, registerClient } from "../registered.ts";

const box = await Box.load();
const server = generateKeyPair();
const pair = generateKeyPair();
const client = {
  secretKey: pair.privateKey,
  serverPublicKey: server.publicKey,
  secretHex: generateSecret() as string,
};
const SETUP: EndpointSetup = {
  box,
  serverPrivateKey: server.privateKey,
  clients: [pair.publicKey],
  secrets: [client.secretHex],
  functions: { ping: () => "pong" },
};

/** One endpoint for all of a test: what one request leaves behind meets the next. */
const { endpoint, refusals } = makeEndpoint(SETUP);

async function assertRefused(request: Request, statuses = [401]): Promise<void> {
  const response = await endpoint(request, "192.0.2.1");
  assert.ok(statuses.includes(response.status), `status ${response.status}`);
  assert.equal(await response.text(), "");
}

async function assertStillAnswers(): Promise<void> {
  const response = await endpoint(post(JSON.stringify(sealRequest(client, "ping"))), "192.0.2.1");
  assert.equal(openAnswer(client, await response.text()), "pong");
  assert.ok(!refusals.includes("internal_error"), "nothing was unforeseen");
}

Deno.test("the endpoint refuses any JSON", async () => {
  const value = fc.oneof(
    fc.string(),
    fc.jsonValue(),
    fc.base64String(),
    fc.constantFrom(...HOSTILE_TEXTS),
  );
  const members = fc.record({ id: value, check: value, ts: value, entry: value }, {
    requiredKeys: [],
  });
  await fc.assert(
    fc.asyncProperty(fc.oneof(members, fc.jsonValue()), async (json) => {
      await assertRefused(post(JSON.stringify(json)));
    }),
    { numRuns: 1000 },
  );
  await assertStillAnswers();
});

Deno.test("the endpoint refuses any bytes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 20_000 }), async (bytes) => {
      await assertRefused(post(new Uint8Array(bytes)));
    }),
    { numRuns: 300 },
  );
  for (const text of HOSTILE_TEXTS) await assertRefused(post(text));
  await assertStillAnswers();
});

Deno.test("the endpoint refuses a sealed request in which any one value is something else", async () => {
  const other = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => sealValue(client, bytes)),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => bytes.toString()),
    fc.constantFrom(...HOSTILE_TEXTS).map((text) =>
      sealValue(client, new TextEncoder().encode(text))
    ),
    fc.constantFrom(...HOSTILE_TEXTS),
  );
  const name = fc.constantFrom("id", "check", "ts", "entry");
  await fc.assert(
    fc.asyncProperty(name, other, async (member, value) => {
      const members = { ...sealRequest(client, "ping"), [member]: value };
      await assertRefused(post(JSON.stringify(members)));
    }),
    { numRuns: 1000 },
  );
  await assertStillAnswers();
});

Deno.test("the endpoint refuses a request with any one bit flipped", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(5), async (position, bit) => {
      const body = JSON.stringify(sealRequest(client, "ping"));
      const at = position % body.length;
      const flipped = body.slice(0, at) + String.fromCharCode(body.charCodeAt(at) ^ (1 << bit)) +
        body.slice(at + 1);
      const response = await endpoint(post(flipped), "192.0.2.1");
      // Unused bits at the end of a base64 text carry nothing: such a request is the same one.
      if (response.status === 200) assert.equal(openAnswer(client, await response.text()), "pong");
      else assert.equal(response.status, 401);
    }),
    { numRuns: 500 },
  );
  await assertStillAnswers();
});

Deno.test("the endpoint answers any method, path and header as defined", async () => {
  const token = fc.stringMatching(/^[A-Za-z-]{1,20}$/);
  const header = fc.tuple(token, fc.stringMatching(/^[\x21-\x7e]{0,50}$/));
  const path = fc.oneof(fc.webPath(), fc.constantFrom("/v1", "/v1/", "/v1?x", "//v1", "/v1/.."));
  const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X-Y");
  await fc.assert(
    fc.asyncProperty(
      method,
      path,
      fc.array(header, { maxLength: 8 }),
      async (verb, where, headers) => {
        const request = new Request(
          `http://localhost${where.startsWith("/") ? where : `/${where}`}`,
          {
            method: verb,
            headers: Object.fromEntries(headers),
          },
        );
        await assertRefused(request, [401, 404, 405]);
      },
    ),
    { numRuns: 500 },
  );
  await assertStillAnswers();
});

Deno.test("a real server answers any bytes on its socket with 400, 401, 404, 405 or the end of the connection", async () => {
  await using folder = await TempFolder.make();
  const registered = await registerClient(folder);
  await using process = await ServerProcess.start({ cwd: folder.path });
  const line = fc.oneof(
    fc.constantFrom(
      "POST /v1 HTTP/1.1",
      "GET / HTTP/1.0",
      "POST /v1 HTTP/9",
      "PRI * HTTP/2.0",
      "TRACE /v1 HTTP/1.1",
      "CONNECT a:1 HTTP/1.1",
      "POST * HTTP/1.1",
    ),
    fc.stringMatching(/^[\x20-\x7e]{0,40}$/),
  );
  const header = fc.oneof(
    fc.constantFrom(
      "Host: x",
      "Host: a/../b",
      "Content-Length: 2",
      "Content-Length: -1",
      "Content-Length: 2, 3",
      "Content-Length: 99999999999999999999",
      "Transfer-Encoding: chunked",
      "Transfer-Encoding: x",
      "Content-Type: application/json",
      "Expect: 100-continue",
      "Connection: close",
      "Upgrade: websocket",
      "X-Forwarded-For: ,,,",
      " folded",
      "no colon",
      `X: ${"y".repeat(9000)}`,
    ),
    fc.stringMatching(/^[\x20-\xff]{0,40}$/),
  );
  const body = fc.oneof(
    fc.constantFrom("", "{}", "0\r\n\r\n", "ffffffffffffffff\r\n"),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(
      line,
      fc.array(header, { maxLength: 6 }),
      body,
      async (first, headers, rest) => {
        // The last request of the connection, so that the server ends it when the rest never comes.
        const text = `${[first, ...headers].join("\r\n")}\r\nConnection: close\r\n\r\n${rest}`;
        const status = /^HTTP\/1\.[01] (\d+)/.exec(await answerOrSilence(process.port, text))?.[1];
        assert.ok(
          [undefined, "100", "400", "401", "404", "405"].includes(
            status,
          ),
          `status ${status}`,
        );
      },
    ),
    { numRuns: 150 },
  );
  assert.match(String(await callServer(process.url, registered, "time_test")), /^It is currently/);
  assert.doesNotMatch(process.err, /internal error|Unexpected/);
});

/** The answer's head, or nothing when the server waits for more. */
async function answerOrSilence(port: number, text: string): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<string>((resolve) => timer = setTimeout(() => resolve(""), 300));
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const answer = (async () => {
    try {
      await connection.write(new TextEncoder().encode(text));
      const buffer = new Uint8Array(4096);
      const count = await connection.read(buffer);
      return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
    } catch {
      return "";
    }
  })();
  const head = await Promise.race([answer, silence]);
  clearTimeout(timer);
  connection.close();
  await answer;
  return head;
}
