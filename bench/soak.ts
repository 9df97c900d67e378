/**
 * @module
 * `deno task soak [MINUTES] [BINARY]`: mixed load on a real server — calls of registered clients, strangers,
 * malformed requests, connections that stall — while modules change and clients are registered and
 * removed with the real commands. Prints memory and descriptors each minute: they must stay the same.
 * Ends with exit code 1 when a registered client was refused or a 5xx was seen. Bounded, on 127.0.0.1.
 */
import { join } from "node:path";
import { callFunction, type ClientKeys } from "../lib/client.ts";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { formatKey } from "../lib/crypto/keys.ts";
import { makeStore, sealRequests } from "./store.ts";
import { serverLine, startSubject } from "./subject.ts";

const minutes = Number(Deno.args[0] ?? 30);
const binary = Deno.args[1];
const home = await Deno.makeTempDir({ prefix: "msp-soak-" });
const config = "[Limits]\nFailuresPerMinute=1000000\n";
const store = await makeStore(home, { count: 100, senderCount: 20, config });
await Deno.mkdir(join(home, "modules"));
await Deno.writeTextFile(join(home, "config/modules.ini"), "[Modules]\ntime_test=f\n");
const change = (n: number): Promise<void> =>
  Deno.writeTextFile(join(home, "modules/f.js"), `export const entry_call = () => ${n};\n`);
await change(0);
const line = serverLine(binary);
const subject = await startSubject(line, home);
await subject.waitForLog(/INFO functions: Functions: /);
const port = Number(new URL(subject.url).port);
const end = Date.now() + minutes * 60_000;
const counts = { calls: 0, failed: 0, refused: 0, faults: 0, changes: 0, registrations: 0 };
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Repeats an action until the time is over. */
async function repeat(action: () => Promise<void>, pauseMs: number): Promise<void> {
  while (Date.now() < end) {
    await action();
    await pause(pauseMs);
  }
}

function keysOf(index: number): ClientKeys {
  const pair = store.senders[index % store.senders.length] ?? store.server;
  return {
    privateKey: pair.privateKey,
    secretHex: store.secret,
    serverPublicKey: store.server.publicKey,
  };
}

async function call(): Promise<void> {
  counts.calls++;
  try {
    const keys = keysOf(counts.calls);
    await callFunction({ url: subject.url, functionName: "time_test", keys });
  } catch {
    counts.failed++;
  }
}

async function refuse(body: string): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(subject.url, { method: "POST", body, headers });
  await response.text();
  if (response.status === 401) counts.refused++;
  else counts.faults++;
}

const stranger = generateKeyPair();
async function annoy(): Promise<void> {
  await refuse(sealRequests(store, [stranger], 1)[0] ?? "");
  await refuse("[".repeat(Math.floor(Math.random() * 10_000)));
  await refuse(crypto.getRandomValues(new Uint8Array(1000)).join(","));
}

/** Opens a connection that sends a part of a request, and leaves it for a while. */
async function stall(): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode("POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Le"));
  await pause(500);
}

async function command(...args: string[]): Promise<void> {
  const [program = "", ...rest] = [...line.slice(0, line.indexOf("serve")), ...args];
  const { success, stderr } = await new Deno.Command(program, { args: rest, cwd: home }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

async function administer(): Promise<void> {
  const key = formatKey(generateKeyPair().publicKey);
  await command("appendclient", key);
  await command("removeclient", key, "--yes");
  counts.registrations++;
}

async function measure(): Promise<void> {
  const script = `ls /proc/${subject.pid}/fd | wc -l; ps -o rss= --ppid ${subject.pid}`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  const [files, ...hosts] = new TextDecoder().decode(stdout).trim().split(/\s+/).map(Number);
  const hostMegabytes = hosts.map((kilobytes) => Math.round(kilobytes / 1024));
  const minute = Math.round(minutes - (end - Date.now()) / 60_000);
  // deno-lint-ignore no-console -- the result
  console.log(
    `minute ${minute}: ${(await subject.megabytes()).toFixed(0)} MB, ${files} descriptors, ` +
      `functions ${hostMegabytes.join(" + ")} MB; ${JSON.stringify(counts)}`,
  );
}

try {
  await Promise.all([
    ...Array.from({ length: 4 }, () => repeat(call, 2)),
    repeat(annoy, 20),
    ...Array.from({ length: 10 }, () => repeat(stall, 100)),
    repeat(() => change(++counts.changes), 3000),
    repeat(administer, 2000),
    repeat(measure, 60_000),
  ]);
  await measure();
} finally {
  await subject.stop();
  await Deno.remove(home, { recursive: true });
}
if (counts.failed > 0 || counts.faults > 0) Deno.exit(1);
