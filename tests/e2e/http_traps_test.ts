/**
 * What the platform makes of odd HTTP: each has a defined answer, and the server goes on.
 */
import assert from "node:assert/strict";
import http2 from "node:http2";
import { RUNTIME, ServerProcess, TempFolder } from "../program.ts";
import { RawConnection, rawRequest } from "../raw_http.ts";
import { callServer, registerClient } from "../registered.ts";
import { openAnswer, sealRequest } from "../v1_client.ts";

/**
 * From 2.8.3 on Deno has another HTTP parser: it refuses more, and announces the end of a connection but
 * leaves it open.
 */
const IS_STRICT = RUNTIME.isAtLeast("2.8.3");

const TYPE = "Content-Type: application/json\r\n";

const ENDS = /^connection: close\r$/im;

const TRAPS: readonly { readonly what: string; readonly text: string; readonly status: number }[] =
  [
    {
      what: "two equal lengths are one",
      text:
        `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`,
      status: 401,
    },
    {
      what: "two different lengths",
      text:
        `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
      status: 400,
    },
    {
      what: "a length beside chunks",
      text: `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: 2\r\n` +
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      // Older versions accept the chunks and drop the length.
      status: IS_STRICT ? 400 : 401,
    },
    {
      what: "a negative length",
      text: `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: -1\r\n\r\n`,
      status: 400,
    },
    {
      what: "a length beyond what numbers hold",
      text: `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: ${"9".repeat(30)}\r\n\r\n`,
      status: 400,
    },
    {
      what: "a length that nobody would send",
      text: `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: 9007199254740993\r\n\r\n`,
      status: 401,
    },
    {
      what: "a folded header",
      text: `POST /v1 HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n`,
      status: 400,
    },
    {
      what: "a body that a refusal does not wait for",
      text: `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: 999999\r\n\r\n{`,
      status: 401,
    },
    {
      what: "Expect, with a body that is refused",
      text:
        `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
      status: 401,
    },
    {
      // Java's HttpClient sends this first, unless it is told to use HTTP/1.1.
      what: "an upgrade to HTTP/2",
      text: `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Connection: Upgrade, HTTP2-Settings\r\n` +
        "Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\nContent-Length: 2\r\n\r\n{}",
      status: IS_STRICT ? 400 : 401,
    },
    { what: "TRACE", text: "TRACE /v1 HTTP/1.1\r\nHost: x\r\n\r\n", status: 405 },
    { what: "TRACE elsewhere", text: "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", status: 404 },
    {
      what: "CONNECT",
      text: "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
      status: 404,
    },
    { what: "OPTIONS of everything", text: "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", status: 404 },
    {
      what: "a Host that ends in the endpoint",
      text: "GET /x HTTP/1.1\r\nHost: evil:99/v1?\r\n\r\n",
      status: 404,
    },
    {
      what: "a Host with dots",
      text: "GET / HTTP/1.1\r\nHost: evil:99/../v1\r\n\r\n",
      status: 404,
    },
    {
      what: "a Host that holds the endpoint",
      text: `POST / HTTP/1.1\r\nHost: x/v1\r\n${TYPE}Content-Length: 2\r\n\r\n{}`,
      status: 404,
    },
    {
      what: "a Host that holds the endpoint and its slash",
      text: `POST / HTTP/1.1\r\nHost: x/v1/\r\n${TYPE}Content-Length: 2\r\n\r\n{}`,
      status: 404,
    },
    {
      what: "the endpoint behind a Host that ends the path",
      text: `POST /v1 HTTP/1.1\r\nHost: x/y?\r\n${TYPE}Content-Length: 2\r\n\r\n{}`,
      status: 401,
    },
    {
      what: "a target with a host and a query",
      text: `POST http://x/v1?a=1 HTTP/1.1\r\nHost: other\r\n${TYPE}Content-Length: 2\r\n\r\n{}`,
      status: 401,
    },
    {
      what: "a query",
      text: `POST /v1?a=/x HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: 2\r\n\r\n{}`,
      status: 401,
    },
    {
      what: "two slashes",
      text: `POST //v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: 2\r\n\r\n{}`,
      status: 404,
    },
    {
      what: "a path behind the endpoint",
      text: `POST /v1/x HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: 2\r\n\r\n{}`,
      status: 404,
    },
    { what: "an empty Host", text: "GET / HTTP/1.1\r\nHost:\r\n\r\n", status: 404 },
    { what: "no Host", text: "GET / HTTP/1.1\r\n\r\n", status: 404 },
    {
      what: "a target with a host",
      text: `POST http://elsewhere/v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: 2\r\n\r\n{}`,
      status: 401,
    },
    { what: "HTTP/1.0", text: "GET / HTTP/1.0\r\n\r\n", status: 404 },
    { what: "HTTP/3 by name", text: "GET / HTTP/3.0\r\nHost: x\r\n\r\n", status: 400 },
    { what: "TLS without TLS", text: "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n", status: 400 },
  ];

Deno.test("odd HTTP gets a defined response, and its connection closes", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await using server = await ServerProcess.start({ cwd: folder.path });
  assert.ok(TRAPS.length > 0);
  for (const { what, text, status } of TRAPS) {
    using connection = await RawConnection.open(server.port);
    await connection.send(text);
    let head = await connection.readHead();
    if (head.startsWith("HTTP/1.1 100 ")) head = await connection.readHead();
    const found = /^HTTP\/1\.[01] (\d+)/.exec(head)?.[1];
    assert.equal(Number(found), status, `${what}: ${head.slice(0, 60)}`);
    if (status !== 400 && !text.includes("HTTP/1.0")) assert.match(head, ENDS, what);
    if (!IS_STRICT) {
      assert.equal(await connection.readHead(), "", `${what}: the connection stays open`);
    }
  }
  assert.match(String(await callServer(server.url, client, "time_test")), /^It is currently/);
});

Deno.test("Expect: 100-continue is answered, and so is the call", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await using server = await ServerProcess.start({ cwd: folder.path });
  using connection = await RawConnection.open(server.port);
  const body = JSON.stringify(sealRequest(client, "time_test"));
  await connection.send(
    `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  assert.match(await connection.readHead(), /^HTTP\/1\.1 100 /);
  await connection.send(body);
  assert.match(await connection.readHead(), /^HTTP\/1\.1 200 /);
});

Deno.test("a refused body closes its connection: what follows it is not a request", async () => {
  await using folder = await TempFolder.make();
  await using server = await ServerProcess.start({ cwd: folder.path });
  const smuggled = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
  const first = `POST /v1 HTTP/1.1\r\nHost: x\r\n${TYPE}Content-Length: 20000\r\n\r\n`;
  using connection = await RawConnection.open(server.port);
  await connection.send(first + smuggled);
  const head = await connection.readHead();
  assert.match(head, /^HTTP\/1\.1 401 /);
  assert.match(head, ENDS);
  if (!IS_STRICT) assert.equal(await connection.readHead(), "");
  else {
    // The rest of the body is dropped as a body, and then the connection takes requests again.
    await connection.send("x".repeat(20_000 - smuggled.length));
    await connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(await connection.readHead(), /^HTTP\/1\.1 404 /);
  }
  assert.match(await rawRequest(server.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), / 404 /);
});

Deno.test("HTTP/2 in the clear is the same endpoint, with the same refusals", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await using server = await ServerProcess.start({ cwd: folder.path });
  const session = http2.connect(`http://127.0.0.1:${server.port}`);
  const post = (
    body: string,
    path = "/v1",
  ): Promise<{ status: number; text: string; names: string[] }> =>
    new Promise((resolve, reject) => {
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/json",
      });
      let status = 0, text = "", names: string[] = [];
      stream.on("response", (headers) => {
        status = Number(headers[":status"]);
        names = Object.keys(headers).toSorted();
      });
      stream.on("data", (chunk) => void (text += chunk));
      stream.on("end", () => resolve({ status, text, names }));
      stream.on("error", reject);
      stream.end(body);
    });
  try {
    const refused = await Promise.all(["{}", "[".repeat(10_000), "x"].map((body) => post(body)));
    for (const { status, text, names } of refused) {
      assert.equal(status, 401);
      assert.equal(text, "");
      assert.deepEqual(names, refused[0]?.names);
    }
    const { status, text } = await post(JSON.stringify(sealRequest(client, "time_test")));
    assert.equal(status, 200);
    assert.match(openAnswer(client, text), /^It is currently/);
    const withQuery = await post(JSON.stringify(sealRequest(client, "time_test")), "/v1?a=1");
    assert.equal(withQuery.status, 200, "a query changes nothing");
    assert.equal((await post("{}", "/v1/x")).status, 404);
  } finally {
    await new Promise<void>((resolve) => session.close(() => resolve()));
  }
});
