/**
 * @module
 * `deno task fuzz [--count=1000000] [--seed=N] [--binary=dist/msp]`: malformed requests to a real server,
 * made from good ones by a seeded generator: body, JSON, base64, sealed bytes, headers, target, method.
 * Fails when one of them is answered with 200 or 5xx, when the server ends, when its memory grows, or
 * when a legitimate call in between is not answered. Bounded, on 127.0.0.1.
 */
import { parseArgs } from "node:util";
import { openAnswer, sealRequest } from "../tests/v1_client.ts";
import { residentMegabytes } from "../tests/process_memory.ts";
import { ServerProcess, TempFolder } from "../tests/program.ts";
import { registerClient } from "../tests/registered.ts";
import { Mutator } from "./fuzz_mutator.ts";

/** Connections at once. */
const LANES = 256;
/** Requests between two legitimate calls. */
const CALL_EVERY = 500;
/** What the memory may grow by after the first tenth of the requests. */
const MAX_GROWTH_MB = 100;
/** How long an answer may take; then the request was one that nobody can answer, such as half a head. */
const PATIENCE_MS = 300;

const { values } = parseArgs({
  options: { count: { type: "string" }, seed: { type: "string" } },
});
const count = Number(values.count ?? 1_000_000);
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const statuses = new Map<string, number>();
const failures: string[] = [];
const say = (text: string): void =>
  void Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

/** Sends bytes on a connection of its own. @returns the status, or how it ended without one. */
async function exchange(port: number, bytes: Uint8Array): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const timer = setTimeout(() => connection.close(), PATIENCE_MS);
  const buffer = new Uint8Array(2048);
  try {
    for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
    const length = await connection.read(buffer);
    if (length === null) return "closed";
    const answer = new TextDecoder().decode(buffer.subarray(0, length));
    return /^HTTP\/1\.[01] (\d{3}) /.exec(answer)?.[1] ?? "no HTTP/1 answer";
  } catch (error) {
    return error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.BadResource
      ? "no answer"
      : "reset";
  } finally {
    clearTimeout(timer);
    try {
      connection.close();
    } catch {
      // The timer did.
    }
  }
}

say(`seed ${seed}, ${count} requests`);
await using folder = await TempFolder.make();
const client = await registerClient(folder);
await folder.write("config/config.ini", "[Limits]\nFailuresPerMinute=1000000\n");
await using server = await ServerProcess.start({ cwd: folder.path });
await server.waitForLog(/Functions: time_test/);
const { port, url } = server;

async function callOnce(): Promise<void> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify(sealRequest(client, "time_test"));
  const response = await fetch(url, { method: "POST", body, headers });
  const text = await response.text();
  if (response.status !== 200 || !openAnswer(client, text).startsWith("It is currently")) {
    failures.push(`a legitimate call was answered with ${response.status}`);
  }
}

let sent = 0, baseline = 0;
const mutator = new Mutator(seed, () => JSON.stringify(sealRequest(client, "time_test")));

async function lane(): Promise<void> {
  while (sent < count && failures.length < 10) {
    const number = sent++;
    if (number % CALL_EVERY === 0) await callOnce();
    if (number === Math.floor(count / 10)) baseline = await residentMegabytes(server.pid);
    if (number > 0 && number % 100_000 === 0) {
      say(`${number}: ${Math.round(await residentMegabytes(server.pid))} MB`);
    }
    const { bytes, how } = mutator.next();
    const status = await exchange(port, bytes);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (/^[25]/.test(status)) failures.push(`request ${number} (${how}): ${status}`);
  }
}

await Promise.all(Array.from({ length: LANES }, lane));
await callOnce();
const growth = await residentMegabytes(server.pid) - baseline;
if (growth > MAX_GROWTH_MB) failures.push(`memory grew by ${Math.round(growth)} MB`);
const reports = [...statuses].toSorted().map(([status, number]) => `${status}: ${number}`);
say(`${reports.join(", ")}; memory ${growth < 0 ? "" : "+"}${Math.round(growth)} MB`);
if (await server.stop() !== 0) failures.push("the server did not end in an orderly way");
for (const failure of failures) say(`FAILED ${failure}`);
say(failures.length === 0 ? "ok" : `seed ${seed} repeats it`);
if (failures.length > 0) Deno.exit(1);
