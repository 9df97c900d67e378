import assert from "node:assert/strict";
import { ServerProcess, TempFolder } from "../program.ts";
import { RawConnection } from "../raw_http.ts";
import { callServer, postTo, registerClient } from "../registered.ts";

const HEAD = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
  "Content-Length: 100\r\n\r\n{";

/** Opens a request whose body does not come. */
async function dribble(server: ServerProcess): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  await connection.send(HEAD);
  return connection;
}

Deno.test("at [Limits] Requests the slowest body is refused, and other requests are served", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write("config/config.ini", "[Limits]\nRequests=16\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  const slow: RawConnection[] = [];
  // One after the other is there when the server has answered the previous one.
  for (let i = 0; i < 40; i++) slow.push(await dribble(server));
  assert.match(String(await callServer(server.url, client, "time_test")), /^It is currently/);
  const first = slow.shift();
  assert.match(await first?.readHead() ?? "", /^HTTP\/1\.1 401 [\s\S]*connection: close/i);
  await server.waitForLog(
    /Refused a request from 127\.0\.0\.1: the body was slow and another request needed the slot/,
  );
  for (const connection of [first, ...slow]) connection?.[Symbol.dispose]();
});

Deno.test("at [Limits] RequestsPerAddress one address is limited, and others are not", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write(
    "config/config.ini",
    "[Limits]\nRequestsPerAddress=4\n[Proxy]\nForwardFor=1\n",
  );
  await using server = await ServerProcess.start({ cwd: folder.path });
  const slow: RawConnection[] = [];
  for (let i = 0; i < 8; i++) slow.push(await dribble(server));
  await server.waitForLog(
    /127\.0\.0\.1: \[Limits\] RequestsPerAddress are in flight from this address already/,
  );
  assert.equal(await callServer(server.url, client, "time_test"), 401);
  const elsewhere = { "x-forwarded-for": "192.0.2.7" };
  assert.match(String(await callServer(server.url, client, "time_test", elsewhere)), /^It is/);
  for (const connection of slow) connection[Symbol.dispose]();
  let answer: string | number = 401;
  for (let i = 0; i < 100 && answer === 401; i++) {
    answer = await callServer(server.url, client, "time_test");
  }
  assert.match(String(answer), /^It is/, "the places are free again");
});

Deno.test("[Limits] BodySize and BodyTimeout are what a body may be", async () => {
  await using folder = await TempFolder.make();
  await folder.write("config/config.ini", "[Limits]\nBodySize=1024\nBodyTimeout=1\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  const response = await postTo(server.url, "x".repeat(1025));
  await response.body?.cancel();
  assert.equal(response.status, 401);
  await server.waitForLog(/: the body is larger than \[Limits\] BodySize\n/);
  using connection = await dribble(server);
  assert.match(await connection.readHead(), /^HTTP\/1\.1 401 /);
  await server.waitForLog(/: the body took longer than \[Limits\] BodyTimeout\n/);
});

Deno.test("at [Limits] Addresses and RememberedRequests a log line says so", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write(
    "config/config.ini",
    "[Limits]\nAddresses=100\nRememberedRequests=1000\n[Proxy]\nForwardFor=1\n",
  );
  await using server = await ServerProcess.start({ cwd: folder.path });
  for (let i = 0; i < 101; i++) {
    await callServer(server.url, client, "time_test", { "x-forwarded-for": `192.0.2.${i}` });
    await postTo(server.url, "{}", { "x-forwarded-for": `198.51.100.${i}` }).then((r) => r.text());
  }
  await server.waitForLog(/More client addresses than \[Limits\] Addresses/);
  for (let i = 0; i < 900; i++) await callServer(server.url, client, "time_test");
  await server.waitForLog(/share of \[Limits\] RememberedRequests is used up/);
});

Deno.test("a key store that others can read is a warning with its remedy", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  await Deno.chmod(folder.join("sec/server.key"), 0o644);
  await Deno.chmod(folder.join("sec/clients.dev"), 0o640);
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(
    /sec\/server\.key has mode 644: others can read it: chmod 600 .*\/sec\/server\.key/,
  );
  await server.waitForLog(
    /sec\/clients\.dev has mode 640: [^\n]*chmod 600 [^\n]*\/sec\/clients\.dev/,
  );
});
