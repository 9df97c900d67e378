/**
 * @module
 * `deno task slow`: the latency of a registered client alone, beside connections that send nothing or
 * one byte a second, and beside a flood of unknown senders.
 */
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { join } from "node:path";
import { compileRate, requirePrograms, runRate, runWrk } from "./load.ts";
import { type BenchStore, installConstant, makeStore, sealRequests, writeBodies } from "./store.ts";
import { serverLine, startSubject, type Subject, waitUntilServing } from "./subject.ts";
import { runTool, say, temporaryFolder, type Tool, type ToolArguments } from "./tool.ts";

const TOOL = {
  name: "slow",
  about:
    `Calls a function at a constant rate and prints the latency: alone, beside slow connections, and
beside a flood of unknown senders.`,
  options: {
    connections: { value: "COUNT", meaning: "slow connections", least: 1, fallback: 5000 },
    rate: { value: "COUNT", meaning: "calls a second", least: 1, fallback: 500 },
    seconds: { value: "COUNT", meaning: "seconds of each measurement", least: 1, fallback: 5 },
  },
} satisfies Tool<string>;

const CONFIG = "[Proxy]\nForwardFor=1\n[Limits]\nFailuresPerMinute=1000000\n";
/** Registered keys, which each unknown sender makes the server search. */
const CLIENTS = 10_000;
/** Connections of the registered client. */
const CONNECTIONS = 4;
/** Connections of the flood: refusals are held for 20 to 30 ms. */
const FLOOD_CONNECTIONS = 256;
const FLOOD_PER_SECOND = 15_000;

/** A connection that stays open and sends one byte a second, if anything. */
async function openSlow(url: string, index: number): Promise<Deno.Conn> {
  const { hostname, port } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const kind = ["nothing", "nothing", "head", "body"][index % 4];
  if (kind === "nothing") return connection;
  const head = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
    `X-Forwarded-For: 10.0.${index >> 8}.${index & 255}\r\nContent-Length: 700\r\n`;
  await connection.write(new TextEncoder().encode(kind === "head" ? head : `${head}\r\n`));
  dribble(connection, Uint8Array.of(kind === "head" ? 120 : 32));
  return connection;
}

async function dribble(connection: Deno.Conn, byte: Uint8Array): Promise<void> {
  try {
    for (;;) {
      await new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, 1000)));
      await connection.write(byte);
    }
  } catch {
    // The server ended the connection, or this program did.
  }
}

async function run({ number }: ToolArguments<keyof typeof TOOL["options"]>): Promise<void> {
  requirePrograms();
  await using folder = await temporaryFolder();
  const program = await compileRate(folder.path);
  const home = join(folder.path, "server");
  const store = await makeStore(home, { count: CLIENTS, senderCount: 1, config: CONFIG });
  await installConstant(home);
  const subject = await startSubject(serverLine(undefined), home);
  const rate = number("rate"), seconds = number("seconds");
  const time = async (what: string): Promise<void> => {
    const bodies = join(folder.path, "bodies");
    await writeBodies(bodies, sealRequests(store, store.senders, rate * seconds + 100));
    const load = { url: subject.url, bodies, connections: CONNECTIONS, seconds };
    const { p50Ms, p99Ms, refused, missing } = await runRate(program, load, rate);
    const failed = refused + missing === 0 ? "" : `, ${refused} refused, ${missing} not answered`;
    say(`${what}: p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms${failed}`);
  };
  try {
    await waitUntilServing(subject);
    // The first calls search for their sender and warm the server up.
    await time("warm-up");
    await time("alone");
    await besideSlow(subject, number("connections"), time);
    await besideFlood(subject, store, { path: join(folder.path, "flood"), seconds }, time);
  } finally {
    await subject.stop();
  }
}

async function besideSlow(
  subject: Subject,
  count: number,
  time: (what: string) => Promise<void>,
): Promise<void> {
  const connections: Deno.Conn[] = [];
  for (let i = 0; i < count; i++) connections.push(await openSlow(subject.url, i));
  await time(`beside ${count} slow connections`);
  say(`the server has ${(await subject.megabytes()).toFixed(0)} MB`);
  for (const connection of connections) connection.close();
}

async function besideFlood(
  subject: Subject,
  store: BenchStore,
  { path, seconds }: { readonly path: string; readonly seconds: number },
  time: (what: string) => Promise<void>,
): Promise<void> {
  const unknown = Array.from({ length: 50 }, generateKeyPair);
  await writeBodies(path, sealRequests(store, unknown, FLOOD_PER_SECOND * seconds));
  const load = {
    url: subject.url,
    bodies: path,
    connections: FLOOD_CONNECTIONS,
    hasAddresses: true,
  };
  // The flood begins before the calls and ends after them.
  const flood = runWrk({ ...load, seconds: seconds + 2 });
  await time("beside a flood of unknown senders");
  const { refused, seconds: took } = await flood;
  say(`the flood had ${Math.round(refused / took)} refusals a second`);
}

await runTool(TOOL, run);
