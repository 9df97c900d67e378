import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { sealRequest, sealValue, type TestClient } from "../v1_client.ts";
import { FORWARDED_ADDRESSES } from "../forwarded_addresses.ts";
import { msp, RUNTIME, ServerProcess, TempFolder } from "../program.ts";
import { RawConnection, rawRequest } from "../raw_http.ts";
import { callServer, postTo, registerClient } from "../registered.ts";

const REFUSAL = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const JSON_HEAD = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

/** A server with a client, some functions, and a counter of their calls. */
async function startWithFunctions(folder: TempFolder, args: string[] = []): Promise<{
  client: TestClient;
  server: ServerProcess;
}> {
  const client = await registerClient(folder);
  const modules: Record<string, string> = {
    ping: "export const entry_call = () => 'pong';",
    count: "let n = 0; export const entry_call = () => ++n;",
    slow:
      "export const entry_call = () => new Promise((done) => setTimeout(() => done('slow'), 300));",
    thrower:
      "export const entry_call = () => { throw new Error('CANARY-MESSAGE\\nforged line'); };",
    broken: "export const entry_call = (;",
  };
  await folder.write(
    "config/modules.ini",
    `[Modules]\n${
      Object.keys(modules).map((name) => `${name}=${name}\n`).join("")
    }path=../x\ngone=gone\n`,
  );
  for (const [name, text] of Object.entries(modules)) {
    await folder.write(`modules/${name}.js`, text);
  }
  const server = await ServerProcess.start({ cwd: folder.path, args });
  await server.waitForLog(/INFO functions: Functions: /);
  return { client, server };
}

Deno.test("functions: a broken one affects no other, a failing one is a 401", async () => {
  await using folder = await TempFolder.make();
  const { client, server: started } = await startWithFunctions(folder);
  await using server = started;
  assert.match(
    server.err,
    /ERROR functions: Cannot load function broken: .*broken\.js does not load: SyntaxError/,
  );
  assert.match(
    server.err,
    /ERROR functions: Cannot load function gone: there is no gone\.ts, \.js, \.mjs in .*\/modules/,
  );
  assert.match(
    server.err,
    /WARNING functions: .*\/config\/modules\.ini: line 7: path = "\.\.\/x", expected the name of a file/,
  );
  assert.match(server.err, /INFO functions: Functions: ping, count, slow, thrower\n/);
  assert.equal(await callServer(server.url, client, "PING"), "pong");
  for (const name of ["broken", "thrower", "nothing", "__proto__", "constructor", "toString"]) {
    assert.equal(await callServer(server.url, client, name), 401, name);
  }
  await server.waitForLog(/function thrower failed: Error: CANARY-MESSAGE/);
  assert.doesNotMatch(server.err, /^forged line/m);
  assert.equal(await callServer(server.url, client, "ping"), "pong");
});

Deno.test("a TypeScript module loads if the runtime can load it, and is one clear error otherwise", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write("modules/typed.ts", "export const entry_call = (): string => 'typed';\n");
  await folder.write("config/modules.ini", "[Modules]\nt=typed\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  const answer = await callServer(server.url, client, "t");
  if (!RUNTIME.isExecutable || RUNTIME.isAtLeast("2.8.2")) {
    assert.equal(answer, "typed", server.err);
    return;
  }
  assert.equal(answer, 401);
  assert.match(
    server.err,
    /typed\.ts is TypeScript, which this executable \(Deno .*\) cannot load \(write it as \.js/,
  );
});

Deno.test("100 copies of one request at once run the function once", async () => {
  await using folder = await TempFolder.make();
  const { client, server: started } = await startWithFunctions(folder);
  await using server = started;
  const body = JSON.stringify(sealRequest(client, "count"));
  const statuses = await Promise.all(Array.from({ length: 100 }, async () => {
    const response = await postTo(server.url, body);
    await response.body?.cancel();
    return response.status;
  }));
  assert.equal(statuses.filter((status) => status === 200).length, 1);
  assert.equal(statuses.filter((status) => status === 401).length, 99);
  assert.equal(await callServer(server.url, client, "count"), "2");
});

Deno.test("a captured request is useless: replayed, spliced, reflected", async () => {
  await using folder = await TempFolder.make();
  const { client, server: started } = await startWithFunctions(folder);
  await using server = started;
  const post = async (members: unknown): Promise<[number, string]> => {
    const response = await postTo(server.url, JSON.stringify(members));
    return [response.status, await response.text()];
  };
  const delivered = sealRequest(client, "count");
  const [status, answer] = await post(delivered);
  assert.equal(status, 200);
  assert.equal((await post(delivered))[0], 401, "replayed");
  for (const name of ["id", "check", "ts", "entry"] as const) {
    const spliced = { ...sealRequest(client, "ping"), [name]: delivered[name] };
    assert.equal((await post(spliced))[0], 401, `${name} of a delivered request`);
  }
  const standard = delivered.entry.replaceAll("-", "+").replaceAll("_", "/");
  assert.equal(
    (await post({ ...sealRequest(client, "ping"), entry: standard }))[0],
    401,
    "respelled",
  );
  // The answer "1" is not a function's name; one that is must be refused all the same.
  const reflected = JSON.parse(answer).value;
  assert.equal((await post({ ...sealRequest(client, "ping"), entry: reflected }))[0], 401);
  await server.waitForLog(/sealed by this server/);
  assert.equal(await callServer(server.url, client, "count"), "2", "none of them ran the function");
});

Deno.test("every failure is the same response, to the byte", async () => {
  await using folder = await TempFolder.make();
  const { client, server: started } = await startWithFunctions(folder);
  await using server = started;
  const stranger = { ...client, secretKey: new Uint8Array(32).fill(9) };
  const old = Math.floor(Date.now() / 1000) - 100;
  const bodies: Record<string, string> = {
    "nothing": "",
    "not JSON": "{",
    "JSON of another kind": "[1]",
    "members missing": "{}",
    "stranger": JSON.stringify(sealRequest(stranger, "ping")),
    "unknown secret": JSON.stringify(
      sealRequest({ ...client, secretHex: "ab".repeat(64) }, "ping"),
    ),
    "expired": JSON.stringify(sealRequest(client, "ping", old)),
    "unknown function": JSON.stringify(sealRequest(client, "nothing")),
    "failing function": JSON.stringify(sealRequest(client, "thrower")),
    "empty name": JSON.stringify({
      ...sealRequest(client, "x"),
      entry: sealValue(client, new Uint8Array()),
    }),
    "deep": `{"id":${"[".repeat(16_000)}`,
    "bad UTF-8": '{"id":"\u00ff"}',
  };
  for (const [why, body] of Object.entries(bodies)) {
    const text = `${JSON_HEAD}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    assert.equal(await rawRequest(server.port, text), REFUSAL, why);
  }
  const good = JSON.stringify(sealRequest(client, "ping"));
  const length = `Content-Length: ${good.length}\r\n\r\n${good}`;
  for (
    const type of [
      "",
      "Content-Type: text/plain\r\n",
      "Content-Type: application/jsonp\r\n",
      "Content-Type: x/json\r\n",
    ]
  ) {
    const text = `POST /v1 HTTP/1.1\r\nHost: x\r\n${type}${length}`;
    assert.equal(await rawRequest(server.port, text), REFUSAL, type);
  }
});

const JSON_TYPES = [
  "application/json",
  "application/json; charset=utf-8",
  "Application/JSON",
  "application/json;charset=utf-8",
  "application/vnd.api+json",
];

Deno.test("every spelling of a JSON type is accepted, and chunked bodies too", async () => {
  await using folder = await TempFolder.make();
  const { client, server: started } = await startWithFunctions(folder);
  await using server = started;
  for (const type of JSON_TYPES) {
    assert.equal(
      await callServer(server.url, client, "ping", { "content-type": type }),
      "pong",
      type,
    );
  }
  const body = JSON.stringify(sealRequest(client, "ping"));
  const chunks = [body.slice(0, 100), body.slice(100)]
    .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
  const head = await rawRequest(
    server.port,
    `${JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
  );
  assert.match(head, /^HTTP\/1\.1 200 /);
});

Deno.test("an answer is JSON and is not compressed, because it is ciphertext", async () => {
  await using folder = await TempFolder.make();
  const { client, server: started } = await startWithFunctions(folder);
  await using server = started;
  const response = await postTo(server.url, JSON.stringify(sealRequest(client, "ping")), {
    "accept-encoding": "gzip, br",
  });
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("content-encoding"), null);
  assert.match(await response.text(), /^\{"value":"[A-Za-z0-9_-]+={0,2}"\}$/);
});

/** Request line, Host, and the status that is expected. */
const ROUTES = [
  { line: "POST /v1", host: "x", status: 401 },
  { line: "POST /v1/", host: "x", status: 401 },
  { line: "POST /v1?x=1", host: "x", status: 401 },
  { line: "GET /v1", host: "x", status: 405 },
  { line: "HEAD /v1/", host: "x", status: 405 },
  { line: "PUT /v1", host: "x", status: 405 },
  { line: "OPTIONS /v1", host: "x", status: 405 },
  { line: "DELETE /v1", host: "x", status: 405 },
  { line: "POST /", host: "x", status: 404 },
  { line: "POST /v2", host: "x", status: 401 },
  { line: "POST /v3", host: "x", status: 404 },
  { line: "POST /v1x", host: "x", status: 404 },
  { line: "POST /v1//", host: "x", status: 404 },
  { line: "POST //v1", host: "x", status: 404 },
  { line: "POST /V1", host: "x", status: 404 },
  { line: "POST /%76%31", host: "x", status: 404 },
  { line: "POST /a/../v1", host: "x", status: 404 },
  { line: "POST /v1/x", host: "x", status: 404 },
  { line: "GET /", host: "x", status: 404 },
  { line: "POST /other", host: "x/v1?", status: 404 },
  { line: "POST /other", host: "x/v1#", status: 404 },
  { line: "POST /v1", host: "evil:99/../", status: 401 },
];

Deno.test("only POST /v1 and POST /v2 are endpoints, whatever the Host header says", async () => {
  await using folder = await TempFolder.make();
  await using server = await ServerProcess.start({ cwd: folder.path });
  for (const { line, host, status } of ROUTES) {
    const head = await rawRequest(
      server.port,
      `${line} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    // A Host header that is none may also be refused by the platform.
    const statuses = host === "x" ? [status] : [status, 400];
    assert.ok(statuses.includes(Number(head.slice(9, 12))), `${line} (${host}): ${head}`);
    assert.equal(/^allow: POST\r$/im.test(head), status === 405, line);
    const isEmpty = Number(head.slice(9, 12)) !== 400 && !line.startsWith("HEAD");
    if (isEmpty) assert.match(head, /^content-length: 0\r$/im, line);
  }
});

Deno.test("a body over 16 KiB is refused before it arrives", async () => {
  await using folder = await TempFolder.make();
  await using server = await ServerProcess.start({ cwd: folder.path });
  const declared = await rawRequest(server.port, `${JSON_HEAD}Content-Length: 16385\r\n\r\n{`);
  assert.match(declared, /^HTTP\/1\.1 401 /);
  const chunk = `4000\r\n${" ".repeat(0x4000)}\r\n`;
  using connection = await RawConnection.open(server.port);
  await connection.send(`${JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`);
  assert.match(await connection.readHead(), /^HTTP\/1\.1 401 /);
  await server.waitForLog(/the body is larger[\s\S]*the body is larger/);
});

Deno.test("a body that does not arrive is refused after 10 s", async () => {
  await using folder = await TempFolder.make();
  await using server = await ServerProcess.start({ cwd: folder.path });
  const before = performance.now();
  const heads = await Promise.all([
    rawRequest(server.port, `${JSON_HEAD}Content-Length: 100\r\n\r\n{`),
    rawRequest(server.port, `${JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`),
  ]);
  const seconds = (performance.now() - before) / 1000;
  for (const head of heads) assert.match(head, /^HTTP\/1\.1 401 /);
  assert.ok(seconds >= 9.9 && seconds < 13, `${seconds} s`);
  assert.match(server.err, /the body took longer[\s\S]*the body took longer/);
});

Deno.test("the log lists 20 refused requests a second, and counts the others", async () => {
  await using folder = await TempFolder.make();
  await using server = await ServerProcess.start({ cwd: folder.path });
  await Promise.all(
    Array.from({ length: 200 }, async () => await (await postTo(server.url, "{}")).text()),
  );
  await server.waitForLog(/more refused requests, not listed/);
  const listed = server.err.match(/Refused a request from 127\.0\.0\.1: /g)?.length ?? 0;
  const counted = [...server.err.matchAll(/(\d+) more refused requests/g)]
    .reduce((sum, [, count]) => sum + Number(count), 0);
  assert.equal(listed + counted, 200);
  assert.ok(listed <= 60, `${listed} lines`);
});

Deno.test("a new address is logged once, and the client's address is taken from trusted proxies only", async () => {
  await using folder = await TempFolder.make();
  await folder.write("config/config.ini", "[Proxy]\nForwardFor=1\nForwardHost=1\nForwardProto=1\n");
  const { client, server: started } = await startWithFunctions(folder);
  await using server = started;
  for (const forwarded of ["203.0.113.7, 198.51.100.1", "198.51.100.1", "2001:db8::7"]) {
    const headers = { "x-forwarded-for": forwarded, "x-forwarded-proto": "https" };
    assert.equal(await callServer(server.url, client, "ping", headers), "pong");
  }
  assert.equal(await callServer(server.url, client, "ping"), "pong");
  await server.waitForLog(/new address: 127\.0\.0\.1/);
  const addresses = [...server.err.matchAll(/Request from a new address: (\S+)/g)].map((
    [, address],
  ) => address);
  assert.deepEqual(addresses, ["198.51.100.1", "2001:db8::7", "127.0.0.1"]);
});

Deno.test("the address in the log is the same as in ProxyFix", async () => {
  for (const trusted of [0, 1, 2, 3]) {
    const rows = FORWARDED_ADDRESSES.filter((row) => row.trusted === trusted);
    assert.ok(rows.length > 0 && rows.length < 20, "the log lists 20 refused requests a second");
    await using folder = await TempFolder.make();
    await folder.write("config/config.ini", `[Proxy]\nForwardFor=${trusted}\n`);
    await using server = await ServerProcess.start({ cwd: folder.path });
    for (const { header } of rows) {
      const line = header === undefined ? "" : `X-Forwarded-For: ${header}\r\n`;
      const text = `${JSON_HEAD}${line}Content-Length: 2\r\n\r\n{}`;
      assert.equal(await rawRequest(server.port, text), REFUSAL);
    }
    const pattern = /Refused a request from (\S+):/g;
    await server.waitFor(() => server.err.match(pattern)?.length === rows.length, "all refusals");
    const addresses = [...server.err.matchAll(pattern)].map(([, address]) => address);
    assert.deepEqual(addresses, rows.map(({ address }) => address ?? "127.0.0.1"));
  }
});

Deno.test("at level DEBUG the log shows the headers of trusted proxies", async () => {
  await using folder = await TempFolder.make();
  await folder.write(
    "config/config.ini",
    "[Proxy]\nForwardHost=1\nForwardPort=1\nForwardPrefix=1\nForwardProto=1\n",
  );
  const client = await registerClient(folder);
  const env = { MSP_LOGLEVEL: "DEBUG" };
  await using server = await ServerProcess.start({ cwd: folder.path, env });
  await callServer(server.url, client, "time_test", {
    "x-forwarded-host": "evil.example, msp.example",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https",
  });
  await server.waitForLog(
    /DEBUG requests: Answered a request from 127\.0\.0\.1; forwarded proto, host, port, prefix: https msp\.example 443 -\n/,
  );
});

Deno.test("without file descriptors the server waits, and answers again when there are some", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await using server = await ServerProcess.start({ cwd: folder.path, openFiles: 64 });
  const connections: RawConnection[] = [];
  for (let i = 0; i < 100; i++) {
    const connection = await RawConnection.open(server.port).catch(() => undefined);
    if (connection === undefined) break;
    connections.push(connection);
  }
  assert.ok(connections.length > 20, `${connections.length} connections`);
  for (const connection of connections) connection[Symbol.dispose]();
  const answers = [];
  for (let i = 0; i < 50 && answers.length === 0; i++) {
    const answer = await callServer(server.url, client, "time_test").catch(() => undefined);
    if (typeof answer === "string") answers.push(answer);
    else await server.waitForLog(/Listening again/);
  }
  assert.match(answers[0] ?? "", /^It is currently/);
});

Deno.test("a server.pub that does not match server.key is a warning", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  await folder.write("sec/server.pub", await folder.read("client.pub"));
  await using server = await ServerProcess.start({ cwd: folder.path });
  assert.match(
    server.err,
    /WARNING server: .*\/sec\/server\.pub: is not the public key of server\.key/,
  );
  assert.notEqual(server.publicKeyBase64, await folder.read("client.pub"));
});

Deno.test("unknown senders of one address start a limited number of searches a minute, registered clients are always found", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await registerClient(folder, "second");
  await folder.write("config/config.ini", "[Limits]\nFailuresPerMinute=3\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  assert.match(String(await callServer(server.url, client, "time_test")), /^It is currently/);
  for (let i = 0; i < 10; i++) {
    const stranger = { ...client, secretKey: new Uint8Array(32).fill(i + 1) };
    assert.equal(await callServer(server.url, stranger, "time_test"), 401);
  }
  assert.match(String(await callServer(server.url, client, "time_test")), /^It is currently/);
  await server.waitForLog(/too many requests of unknown senders/);
  assert.equal(server.err.match(/unknown sender or tampered value/g)?.length, 3);
});

Deno.test("a client is found among 3,000, even while their keys are still being loaded", async () => {
  await using folder = await TempFolder.make();
  for (let i = 1; i <= 3000; i++) {
    const key = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");
    await folder.write(`sec/client_${i}.pub`, key);
  }
  const client = await registerClient(folder);
  await using server = await ServerProcess.start({ cwd: folder.path });
  assert.match(String(await callServer(server.url, client, "time_test")), /^It is currently/);
  await server.waitForLog(/Registered client keys: 3001, secrets: 1/);
  // By the order of lines: how soon this process sees the first one depends on what else it runs beside.
  const listens = server.err.indexOf("Listening on");
  const isFirst = listens >= 0 && listens < server.err.indexOf("Registered client keys");
  assert.ok(isFirst, "the server listens before");
  assert.match(String(await callServer(server.url, client, "time_test")), /^It is currently/);
});

Deno.test("IPv6: listens on ::1 and says so", async () => {
  await using folder = await TempFolder.make();
  await using server = await ServerProcess.start({ cwd: folder.path, args: ["--host", "::1"] });
  assert.match(server.out, /ready on http:\/\/\[::1\]:\d+\/v1 /);
  const response = await postTo(server.url, "{}");
  await response.body?.cancel();
  assert.equal(response.status, 401);
  await server.waitForLog(/Refused a request from ::1: /);
});

Deno.test("SIGTERM and SIGINT finish requests in flight, and exit with 0", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using folder = await TempFolder.make();
    const { client, server } = await startWithFunctions(folder);
    using idle = await RawConnection.open(server.port);
    using half = await RawConnection.open(server.port);
    await half.send("POST /v1 HTTP/1.1\r\nHos");
    const answer = callServer(server.url, client, "slow");
    const ping = callServer(server.url, client, "ping");
    assert.equal(await ping, "pong", "the server is at work on both");
    server.signal(signal);
    assert.equal(await answer, "slow");
    const before = performance.now();
    assert.equal((await server.status()).code, 0);
    assert.ok(performance.now() - before < 5000, "a half-sent request is not waited for");
    assert.match(server.err, /INFO server: Stopping\n[\s\S]*INFO server: Stopped\n$/);
    assert.match(await folder.read("log/latest.log"), /INFO server: Stopped\n$/);
    assert.equal(await idle.readHead(), "");
  }
});

const WRONG_CONFIGS = [
  {
    config: "[Clients]\nRequestTTL=abc\n",
    error:
      /Cannot read \/.*\/config\/config\.ini: line 2: \[Clients\] RequestTTL = "abc", expected a whole number of seconds from 1 to 86400/,
  },
  { config: "[Server]\nPort=99999\n", error: /\[Server\] Port = "99999", expected/ },
  { config: "[Server]\nPort: 80\n", error: /config\.ini: line 2 is not Name=value \(a colon/ },
  { config: "[Server]\nKeypath=/proc/sec\n", error: /\/proc\/sec/ },
  {
    config: "[Server]\nKeypath=/srv/elsewhere\n",
    error:
      /Cannot make folder \/srv\/elsewhere: outside of the paths.*\nmsp: hint: .*--allow-read=\/srv /,
  },
  { config: "[Server]\nKeypath=file\n", error: /Cannot (make|use) .*file/ },
  {
    key: "garbage!",
    error: /Cannot read .*\/sec\/server\.key: the text is not base64, expected a key of 32 bytes/,
  },
  { key: "", error: /Cannot read .*\/sec\/server\.key: the text is empty/ },
  { publicKey: "x", error: /Cannot make .*\/sec\/server\.key: .*\/sec\/server\.pub is there/ },
  { env: { MSP_LOGLEVEL: "LOUD" }, error: /MSP_LOGLEVEL = "LOUD", expected one of DEBUG, INFO/ },
  { env: { MSP_MAXLOGS: "many" }, error: /MSP_MAXLOGS = "many", expected a whole number/ },
  {
    env: { MSP_CONFIG_PATH: "/nowhere/config.ini" },
    error:
      /Cannot (read|make) \/nowhere\/config\.ini: outside of the paths.*\nmsp: hint: .*--allow-read=\/nowhere /,
  },
];

Deno.test("a wrong configuration stops the start with exit code 1 and one clear error", async () => {
  assert.ok(WRONG_CONFIGS.length > 0);
  for (const { config, key, publicKey, env, error } of WRONG_CONFIGS) {
    await using folder = await TempFolder.make();
    await folder.write("file", "");
    if (config !== undefined) await folder.write("config/config.ini", config);
    if (key !== undefined) await folder.write("sec/server.key", key);
    if (publicKey !== undefined) await folder.write("sec/server.pub", publicKey);
    const options = { cwd: folder.path, ...env === undefined ? {} : { env } };
    const { code, out, err } = await msp(["serve", "--port", "0"], options);
    assert.deepEqual([code, out], [1, ""], err);
    assert.match(err, error);
    assert.equal(err.match(/^msp: error: /gm)?.length, 1, err);
    assert.doesNotMatch(err, /^ +at /m);
  }
});

Deno.test("a corrupt client file, a low-order key and a bad line are skipped with a warning", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write("sec/client_2.pub", "CANARY-KEY!");
  await folder.write("sec/client_3.pub", `${"A".repeat(43)}=`);
  await folder.write("sec/client_4.pub", "");
  await folder.write("sec/clients.dev", `CANARY-SECRET\n\n${client.secretHex}\r\n`);
  await using server = await ServerProcess.start({ cwd: folder.path });
  for (
    const line of [
      "sec/client_2.pub: not base64, skipped",
      "sec/client_3.pub: a point of low order, no safe key, skipped",
      "sec/client_4.pub: empty, skipped",
      "sec/clients.dev: line 1 is not a secret, skipped",
    ]
  ) assert.ok(server.err.includes(`WARNING server: ${folder.path}/${line}\n`), line);
  assert.doesNotMatch(server.err, /CANARY/);
  assert.match(String(await callServer(server.url, client, "time_test")), /^It is currently/);
});

Deno.test("marked secrets appear in no log, output or response, on any failing path", async () => {
  await using folder = await TempFolder.make();
  const { client, server } = await startWithFunctions(folder, []);
  const marks = [
    client.secretHex,
    Buffer.from(client.secretKey).toString("base64"),
    await folder.read("sec/server.key"),
    "MARKED-NAME",
    "MARKED-HEADER",
    "MARKED-BODY",
  ];
  const requests = [
    JSON.stringify(sealRequest(client, "MARKED-NAME")),
    JSON.stringify(sealRequest(client, client.secretHex)),
    JSON.stringify({ ...sealRequest(client, "ping"), id: client.secretHex }),
    JSON.stringify({ id: "MARKED-BODY" }),
    "MARKED-BODY",
    JSON.stringify(sealRequest(client, "thrower")),
    JSON.stringify(sealRequest(client, "ping")),
  ];
  let seen = "";
  for (const body of requests) {
    const response = await postTo(server.url, body, { "x-marked": "MARKED-HEADER" });
    seen += JSON.stringify([...response.headers]) + await response.text();
  }
  seen += JSON.stringify(await msp(["keygen", "public", "client"], { cwd: folder.path }));
  await folder.write("broken.key", client.secretHex);
  await folder.write("broken.secret", await folder.read("client.key"));
  for (
    const args of [["--key", "broken.key"], ["--secret", "broken.secret"], [
      "--server-key",
      "broken.key",
    ]]
  ) {
    seen += JSON.stringify(await msp(["call", server.url, "ping", ...args], { cwd: folder.path }));
  }
  await server.stop();
  seen += server.out + server.err + await folder.read("log/latest.log");
  assert.match(seen, /Refused a request/);
  for (const mark of marks) assert.ok(!seen.includes(mark), `${mark.slice(0, 12)}… was shown`);
});

Deno.test("the log is rotated at 10 MiB, and MSP_MAXLOGS files are kept", async () => {
  await using folder = await TempFolder.make();
  await folder.write("log/latest.log", "x".repeat(10 * 1024 * 1024));
  await folder.write("log/latest.log.1", "older");
  await folder.write("log/latest.log.2", "oldest");
  const server = await ServerProcess.start({ cwd: folder.path, env: { MSP_MAXLOGS: "2" } });
  await server.stop();
  const names = (await folder.names("log")).filter((name) => name.startsWith("latest"));
  assert.deepEqual(names, ["latest.log", "latest.log.1", "latest.log.2"]);
  assert.match(await folder.read("log/latest.log"), /Listening on/);
  assert.equal(await folder.read("log/latest.log.2"), "older");
});
