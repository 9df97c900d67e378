/**
 * Requests of unknown senders that never end: what they cost stays far below the memory limit that
 * compose.yaml and the systemd unit set (1 GB).
 */
import assert from "node:assert/strict";
import { residentMegabytes } from "../process_memory.ts";
import { ServerProcess, TempFolder } from "../program.ts";
import { callServer, registerClient } from "../registered.ts";
import type { TestClient } from "../v1_client.ts";

const CONNECTIONS = 60;
const STREAMS = 200;
/** Of the 1 GB, 100 MB are the server at rest; 20 rounds stay below, since memory is reused. */
const MOST_MEGABYTES = 600;
const MOST_TRIES = 20;

/** One frame of HTTP/2 (RFC 9113, section 4.1). */
function frame(type: number, flags: number, stream: number, payload: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(9));
  head.setUint32(0, payload.length << 8 | type);
  head.setUint8(4, flags);
  head.setUint32(5, stream);
  return Uint8Array.of(...new Uint8Array(head.buffer), ...payload);
}

/** A connection that opens streams to the endpoint and sends no body on any of them. */
function silentStreams(): Uint8Array {
  const encoder = new TextEncoder();
  // HPACK: POST, http, :path /v1, :authority x, content-type application/json.
  const headers = Uint8Array.of(
    ...[0x83, 0x86, 0x04, 0x03],
    ...encoder.encode("/v1"),
    ...[0x01, 0x01],
    ...encoder.encode("x"),
    ...[0x0f, 0x10, 0x10],
    ...encoder.encode("application/json"),
  );
  const frames = [
    encoder.encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(4, 0, 0, new Uint8Array()),
  ];
  for (let i = 0; i < STREAMS; i++) frames.push(frame(1, 4, 2 * i + 1, headers));
  return new Uint8Array(frames.flatMap((each) => [...each]));
}

/** On a slow machine a body can arrive after more requests than have a place: its sender asks again. */
async function callUntilAnswered(url: string, client: TestClient): Promise<void> {
  let answer: string | number = "";
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    answer = await callServer(url, client, "time_test");
    if (answer !== 401) break;
  }
  assert.match(String(answer), /^It is/);
}

Deno.test("requests whose bodies never come cost little memory, over HTTP/1.1 and HTTP/2", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  // All of this comes from one address; a botnet has many.
  await folder.write("config/config.ini", "[Limits]\nRequestsPerAddress=100000\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  assert.match(String(await callServer(server.url, client, "time_test")), /^It is/);
  const before = await residentMegabytes(server.pid);
  const chunked = new TextEncoder().encode(
    "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
      "Transfer-Encoding: chunked\r\n\r\n",
  );
  const rounds = [
    ...Array.from({ length: 3 }, () => ({ bytes: silentStreams(), count: CONNECTIONS })),
    { bytes: chunked, count: 2000 },
  ];
  for (const { bytes, count } of rounds) {
    const connections: Deno.Conn[] = [];
    for (let i = 0; i < count; i++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await connection.write(bytes);
      connections.push(connection);
    }
    // A registered client is answered meanwhile, and the answer comes after all that was sent before.
    await callUntilAnswered(server.url, client);
    const grown = await residentMegabytes(server.pid) - before;
    assert.ok(grown < MOST_MEGABYTES, `${grown} MB for ${count} connections`);
    connections.forEach((each) => each.close());
  }
});
