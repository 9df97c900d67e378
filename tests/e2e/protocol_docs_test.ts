/**
 * @module
 * The odd cases that docs/protocol.md describes, with the real server.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { openAnswer, sealRequest, sealValue, type TestClient } from "../v1_client.ts";
import { FunctionServer } from "../functions.ts";
import { RUNTIME, TempFolder } from "../program.ts";
import { rawRequest } from "../raw_http.ts";
import { postTo } from "../registered.ts";

interface OddRequest {
  readonly name: string;
  readonly body: (client: TestClient) => string;
  /** The answer, or the status when there is none. */
  readonly expected: string | number;
}

const body = (client: TestClient, entry = "time"): string =>
  JSON.stringify(sealRequest(client, entry));

/** docs/protocol.md §1, §2, §4. */
const REQUESTS: readonly OddRequest[] = [
  {
    name: "another member is ignored",
    body: (client) => body(client).replace("{", '{"more":[1],'),
    expected: "called",
  },
  {
    name: "the last of two equal members counts",
    body: (client) => body(client).replace("{", '{"entry":"!",'),
    expected: "called",
  },
  {
    name: "the first of two equal members does not count",
    body: (client) => body(client).replace("}", ',"entry":"!"}'),
    expected: 401,
  },
  {
    name: "a byte order mark before the object is ignored",
    body: (client) => `\uFEFF${body(client)}`,
    expected: "called",
  },
  {
    name: "a byte order mark in the name of a function is part of the name",
    body: (client) => body(client, "\uFEFFtime"),
    expected: 401,
  },
  {
    name: "names are compared after Unicode lower-casing",
    body: (client) => body(client, "ВРЕМЯ"),
    expected: "called",
  },
  {
    name: "names are not normalised",
    body: (client) => body(client, "cafe\u0301"),
    expected: 401,
  },
  {
    name: "the composed form of the same name is its own",
    body: (client) => body(client, "CAF\u00c9"),
    expected: "called",
  },
  {
    name: "the secret with its line end is not the secret",
    body: (client) =>
      JSON.stringify({
        ...sealRequest(client, "time"),
        id: sealValue(client, Buffer.from(`${client.secretHex}\n`)),
      }),
    expected: 401,
  },
  {
    name: "both alphabets of base64 in one value",
    body: (client) => body(client).replace(/[-_]/, (digit) => digit === "-" ? "+" : "/"),
    expected: "called",
  },
];

Deno.test("docs/protocol.md: odd requests get what the page says", async () => {
  await using folder = await TempFolder.make();
  const code = "export const entry_call = () => 'called';";
  await using functions = await FunctionServer.start(folder, {
    modules: { "time.js": code },
    sections: "время=time\ncaf\u00e9=time\n",
  });
  const { server, client } = functions;
  for (const { name, body: make, expected } of REQUESTS) {
    const response = await postTo(server.url, make(client));
    const text = await response.text();
    const answer = response.status === 200 ? openAnswer(client, text) : response.status;
    assert.equal(answer, expected, name);
  }
  const date = (await fetch(server.url, { method: "HEAD" })).headers.get("date");
  assert.ok(Math.abs(Date.parse(date ?? "") - Date.now()) < 5000, "every response has a Date");
  const upgrade = await rawRequest(
    server.port,
    "POST /v1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
      "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n" +
      "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
  );
  const status = RUNTIME.isAtLeast("2.9.0") ? 400 : 401;
  assert.match(upgrade, new RegExp(`^HTTP/1\\.1 ${status} `), "Upgrade: h2c");
});
