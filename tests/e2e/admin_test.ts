import assert from "node:assert/strict";
import { openAnswer, sealRequest } from "../v1_client.ts";
import { waitUntil } from "../functions.ts";
import { freePort, msp, mspOk, ServerProcess, TempFolder } from "../program.ts";
import { rawRequest } from "../raw_http.ts";
import { callServer, postTo, registerClient } from "../registered.ts";

/** The admin address, from the log. */
async function adminUrl(server: ServerProcess): Promise<string> {
  await server.waitForLog(/Health and metrics on http/);
  return /Health and metrics on (\S+)/.exec(server.err)?.[1] ?? "";
}

async function get(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}

/** Samples by name and labels. */
async function scrape(url: string): Promise<Map<string, number>> {
  const { status, text } = await get(`${url}/metrics`);
  assert.equal(status, 200);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

Deno.test("/metrics counts requests by outcome, calls, clients and reloads; /healthz says ok", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write("config/config.ini", "[Admin]\nListen=127.0.0.1:0\n");
  await folder.write("config/modules.ini", "[Modules]\ntime_test=simple_time\nbad=bad\n");
  await folder.write(
    "modules/bad.js",
    "export const entry_call = () => { throw new Error('x'); };",
  );
  await folder.write(
    "modules/simple_time.js",
    "export const entry_call = () => 'It is';",
  );
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(/Functions: time_test, bad/);
  const url = await adminUrl(server);
  assert.deepEqual(await get(`${url}/healthz`), { status: 200, text: "ok\n" });
  for (let i = 0; i < 3; i++) {
    assert.equal(await callServer(server.url, client, "time_test"), "It is");
  }
  assert.equal(await callServer(server.url, client, "bad"), 401);
  assert.equal(await callServer(server.url, client, "not_there"), 401);
  await (await postTo(server.url, "{}")).body?.cancel();
  const other = await registerClient(folder, "other");
  await waitUntil(
    async () => await callServer(server.url, other, "time_test") === "It is",
    "the new client is heard",
  );
  const samples = await scrape(url);
  const value = (name: string): number => samples.get(name) ?? NaN;
  assert.ok(value('msp_requests_total{protocol="v1",outcome="answered",reason=""}') >= 4);
  assert.equal(
    value('msp_requests_total{protocol="v1",outcome="refused",reason="function_failed"}'),
    1,
  );
  assert.equal(
    value('msp_requests_total{protocol="v1",outcome="refused",reason="unknown_function"}'),
    1,
  );
  assert.equal(
    value('msp_requests_total{protocol="v1",outcome="refused",reason="malformed_value"}'),
    1,
  );
  assert.ok(value('msp_request_duration_seconds_bucket{le="30",outcome="answered"}') >= 4);
  assert.ok(value('msp_function_calls_total{function="time_test",outcome="ok"}') >= 4);
  assert.equal(value('msp_function_calls_total{function="bad",outcome="failed"}'), 1);
  assert.equal(value('msp_function_up{function="time_test"}'), 1);
  assert.equal(value('msp_function_queue_length{function="time_test"}'), 0);
  assert.equal(value("msp_registered_clients"), 2);
  assert.equal(value("msp_registered_secrets"), 2);
  assert.equal(value("msp_requests_in_flight"), 0);
  assert.ok(value('msp_reloads_total{what="key_store"}') >= 1);
  assert.ok(value('msp_replay_used{table="window"}') >= 5);
  assert.equal(value('msp_replay_capacity{table="entries"}'), 1_000_000);
  assert.ok(value("msp_sender_search_seconds_total") >= 0);
  assert.equal(value("msp_function_process_ends_total"), 0);
  assert.ok(value("process_resident_memory_bytes") > 1e7);
  // Nothing says who a client is.
  const { text } = await get(`${url}/metrics`);
  for (
    const secret of [client.secretHex, await folder.read("client.pub"), "127.0.0.1", "not_there"]
  ) {
    assert.ok(!text.includes(secret), "a label identifies a client");
  }
});

Deno.test("dashboard and alert rules ask for metrics that the server has", async () => {
  await using folder = await TempFolder.make();
  await folder.write("config/config.ini", "[Admin]\nListen=127.0.0.1:0\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  const { text } = await get(`${await adminUrl(server)}/metrics`);
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  for (const file of ["grafana.json", "alerts.yml"]) {
    const asked = await Deno.readTextFile(new URL(`../../deploy/${file}`, import.meta.url));
    const names = asked.match(/\b(?:msp|process)_[a-z_]+/g) ?? [];
    assert.ok(names.length > 5, file);
    for (const name of names) {
      assert.ok(known.has(name.replace(/_bucket$/, "")), `${file}: ${name}`);
    }
  }
  const dashboard = JSON.parse(
    await Deno.readTextFile(new URL("../../deploy/grafana.json", import.meta.url)),
  );
  assert.ok(dashboard.panels.length > 5);
});

Deno.test("health and metrics are on no public port, and off by default", async () => {
  await using folder = await TempFolder.make();
  await using server = await ServerProcess.start({ cwd: folder.path });
  const base = server.url.replace("/v1", "");
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    assert.equal((await get(base + path)).status, 404);
  }
  assert.doesNotMatch(server.err, /Health and metrics/);
});

Deno.test("the admin address answers GET of three paths, and nothing else", async () => {
  await using folder = await TempFolder.make();
  await folder.write("config/config.ini", "[Admin]\nListen=127.0.0.1:0\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  const url = await adminUrl(server);
  assert.equal((await get(`${url}/readyz`)).text, "ready\n");
  assert.equal((await get(`${url}/`)).status, 404);
  assert.equal((await get(`${url}/v1`)).status, 404);
  const response = await fetch(`${url}/metrics`, { method: "POST", body: "x" });
  await response.body?.cancel();
  assert.equal(response.status, 405);
});

Deno.test("the admin address answers under IP addresses, localhost and the names of [Admin] Hosts", async () => {
  await using folder = await TempFolder.make();
  await folder.write(
    "config/config.ini",
    "[Admin]\nListen=127.0.0.1:0\nHosts=msp, Metrics.example\n",
  );
  await using server = await ServerProcess.start({ cwd: folder.path });
  const port = Number(new URL(await adminUrl(server)).port);
  const table = [
    { host: "127.0.0.1:9101", status: 200, why: "an address" },
    { host: "[::1]:9101", status: 200, why: "an address of IPv6" },
    { host: "localhost", status: 200, why: "localhost" },
    { host: "msp:9101", status: 200, why: "a name of the list" },
    { host: "METRICS.example", status: 200, why: "names are case-insensitive" },
    { host: "rebound.attacker.example", status: 421, why: "a page's own name for this address" },
    { host: "127.0.0.1.attacker.example", status: 421, why: "a name that begins like an address" },
  ];
  for (const { host, status, why } of table) {
    const head = await rawRequest(port, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assert.equal(Number(head.split(" ")[1]), status, why);
  }
});

Deno.test("msp health tells a server that takes requests from one that does not", async () => {
  await using folder = await TempFolder.make();
  const port = freePort();
  const options = { cwd: folder.path };
  await folder.write("config/config.ini", `[Server]\nHost=127.0.0.1\nPort=${port}\n`);
  const down = await msp(["health"], options);
  assert.equal(down.code, 1);
  assert.match(
    down.err,
    /^msp: error: Cannot reach http:\/\/127\.0\.0\.1:\d+\/v1: connection refused\n/,
  );
  await using server = await ServerProcess.startListening(options);
  assert.match(await mspOk(["health"], options), /is healthy\n$/);
  assert.match(await mspOk(["health", server.url], options), /is healthy\n$/);
  assert.doesNotMatch(server.err, /Refused/, "health leaves no line in the log");
  const elsewhere = await msp(["health", server.url.replace("/v1", "/x")], options);
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.err, /status 404, expected 405/);
  await server.waitForLog(/Refused a request from 127\.0\.0\.1: no such path/);
  assert.equal((await msp(["health", "nonsense"], options)).code, 2);
});

Deno.test("msp health asks a Unix socket", async () => {
  await using folder = await TempFolder.make();
  await folder.write("config/config.ini", "[Server]\nSocket=msp.sock\n");
  const options = { cwd: folder.path };
  await using server = await ServerProcess.startListening(options);
  assert.match(await mspOk(["health"], options), /the socket \/.*\/msp\.sock is healthy\n$/);
  assert.equal(await server.stop(), 0);
  assert.equal((await msp(["health"], options)).code, 1);
});

Deno.test("[Log] Format=json writes one object a line", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write("config/config.ini", "[Log]\nFormat=json\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(/Functions: time_test/);
  const response = await postTo(server.url, JSON.stringify(sealRequest(client, "time_test")));
  assert.match(openAnswer(client, await response.text()), /^It is currently/);
  await (await postTo(server.url, "{}")).body?.cancel();
  await server.waitForLog(/Refused/);
  assert.equal(await server.stop(), 0);
  const lines = server.err.trim().split("\n").map((line) => JSON.parse(line));
  assert.ok(lines.length > 5);
  const refused = lines.find(({ message }) => message.startsWith("Refused"));
  assert.equal(refused.level, "WARNING");
  assert.equal(refused.logger, "msp.requests");
  assert.equal(refused.properties.address, "127.0.0.1");
  assert.deepEqual((await folder.read("log/latest.log")).trim().split("\n").length, lines.length);
});
