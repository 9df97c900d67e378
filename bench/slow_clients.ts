/**
 * @module
 * `deno task slow [COUNT]`: a registered client beside so many connections that do nothing, or send a head
 * or a body one byte a second. Prints its p99 with and without them. Not part of `deno task bench`.
 */
import { median } from "./statistics.ts";
import { makeStore, sealRequests } from "./store.ts";
import { serverLine, startSubject } from "./subject.ts";

const count = Number(Deno.args[0] ?? 5000);
const CALLS = 2000;
const home = await Deno.makeTempDir({ prefix: "msp-slow-" });
const config = "[Clients]\nRequestTTL=3600\n[Proxy]\nForwardFor=1\n";
const store = await makeStore(home, { count: 1, senderCount: 1, config });
const subject = await startSubject(serverLine(undefined), home);
const { hostname, port } = new URL(subject.url);

/** Milliseconds of calls one after the other, slowest first. */
async function callTimes(): Promise<number[]> {
  const times: number[] = [];
  const headers = { "content-type": "application/json", "x-forwarded-for": "192.0.2.1" };
  for (const body of sealRequests(store, store.senders, CALLS)) {
    const start = performance.now();
    const response = await fetch(subject.url, { method: "POST", body, headers });
    await response.text();
    if (response.status !== 200) throw new Error(`refused with ${response.status}`);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => b - a);
}

function describe(times: number[]): string {
  const p99 = times[Math.floor(times.length / 100)] ?? NaN;
  return `median ${median(times).toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
}

const connections: Deno.Conn[] = [];
let ended = 0;

async function open(index: number): Promise<void> {
  const connection = await Deno.connect({ hostname, port: Number(port) });
  connections.push(connection);
  const kind = ["nothing", "nothing", "head", "body"][index % 4];
  if (kind === "nothing") return;
  const head = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
    `X-Forwarded-For: 10.0.${index >> 8}.${index & 255}\r\nContent-Length: 700\r\n`;
  const bytes = new TextEncoder().encode(kind === "head" ? head : `${head}\r\n`);
  await connection.write(bytes);
  const dribble = async (): Promise<void> => {
    try {
      for (;;) {
        await new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, 1000)));
        await connection.write(Uint8Array.of(kind === "head" ? 120 : 32));
      }
    } catch {
      ended++;
    }
  };
  dribble();
}

try {
  await subject.waitForLog(/Registered client keys[\s\S]*Functions: /);
  await callTimes();
  const alone = await callTimes();
  for (let i = 0; i < count; i++) await open(i);
  const beside = await callTimes();
  // deno-lint-ignore no-console -- the result
  console.log(
    `alone: ${describe(alone)}; beside ${count} slow connections: ${describe(beside)}; ` +
      `server ${(await subject.residentMegabytes()).toFixed(0)} MB, ${ended} of them ended`,
  );
} finally {
  for (const connection of connections) connection.close();
  await subject.stop();
  await Deno.remove(home, { recursive: true });
}
Deno.exit();
