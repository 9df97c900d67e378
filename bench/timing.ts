/**
 * @module
 * `deno task timing`: can an unknown sender tell "key not registered" from "key registered, secret
 * wrong" by how long the refusal takes? Sends requests of each kind, mixed at random, each on a
 * connection of its own.
 */
import { generateSecret, type KeyPair } from "../lib/crypto/keys.ts";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { median } from "./statistics.ts";
import { join } from "node:path";
import { type BenchStore, makeStore, sealRequests } from "./store.ts";
import { serverLine, startSubject, waitUntilServing } from "./subject.ts";
import { runTool, say, temporaryFolder, type Tool, type ToolArguments } from "./tool.ts";

const TOOL = {
  name: "timing",
  about:
    `Measures whether the delay of a refusal tells its reason. Prints the Mann-Whitney statistic: the
probability that a request with an unregistered key takes longer than one with a wrong secret (0.5:
nobody can tell), and the Kolmogorov-Smirnov distance.`,
  options: {
    count: { value: "COUNT", meaning: "requests of each kind", least: 10, fallback: 10_000 },
  },
} satisfies Tool<string>;

/** Requests under way at once. */
const LANES = 4;
/** Most of the pause before a request: refusals leave at the same moments, after which all would send at once. */
const MAX_PAUSE_MS = 10;
const CONFIG =
  "[Clients]\nRequestTTL=3600\n[Limits]\nFailuresPerMinute=1000000\nSearchPercent=100\n";

/** Milliseconds from the last byte of a request to the first of its answer. */
async function timeRefusal(port: number, body: string): Promise<number> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  const head = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
    `Content-Length: ${body.length}\r\n\r\n`;
  const bytes = new TextEncoder().encode(head + body);
  const buffer = new Uint8Array(1024);
  const start = performance.now();
  await connection.write(bytes);
  const length = await connection.read(buffer) ?? 0;
  const elapsed = performance.now() - start;
  const answer = new TextDecoder().decode(buffer.subarray(0, length));
  if (!answer.startsWith("HTTP/1.1 401 ")) throw new Error(`not refused: ${answer}`);
  return elapsed;
}

interface Samples {
  readonly unknownKey: number[];
  readonly wrongSecret: number[];
}

async function sample(store: BenchStore, port: number, count: number): Promise<Samples> {
  const samples: Samples = { unknownKey: [], wrongSecret: [] };
  const requests = sealAll(store, count);
  const lane = async (): Promise<void> => {
    for (let next = requests.pop(); next !== undefined; next = requests.pop()) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * MAX_PAUSE_MS));
      samples[next.kind].push(await timeRefusal(port, next.body));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return samples;
}

/**
 * Every request, in random order. Sealed before the first one is sent: the sealing time of a kind would
 * show in the start of its requests.
 */
function sealAll(store: BenchStore, count: number): { kind: keyof Samples; body: string }[] {
  const strangers = Array.from({ length: 100 }, generateKeyPair);
  const known = store.senders.slice(0, 1);
  const unknownKey = sealRequests(store, strangers, count);
  const wrongSecret = sealRequests({ ...store, secret: generateSecret() }, known, count);
  const requests = [
    ...unknownKey.map((body) => ({ kind: "unknownKey" as const, body, at: Math.random() })),
    ...wrongSecret.map((body) => ({ kind: "wrongSecret" as const, body, at: Math.random() })),
  ];
  return requests.sort((a, b) => a.at - b.at);
}

/** Mann–Whitney U as a share of all pairs, and the Kolmogorov–Smirnov distance. */
function compare(a: readonly number[], b: readonly number[]): { auc: number; distance: number } {
  const all = [...a.map((ms) => ({ ms, isA: true })), ...b.map((ms) => ({ ms, isA: false }))]
    .sort((x, y) => x.ms - y.ms);
  let seenA = 0, seenB = 0, pairs = 0, distance = 0;
  for (const { isA } of all) {
    if (isA) {
      seenA++;
      pairs += seenB;
    } else seenB++;
    distance = Math.max(distance, Math.abs(seenA / a.length - seenB / b.length));
  }
  return { auc: pairs / (a.length * b.length), distance };
}

/** Has the server accept the key from this address, as that of a client which called before. */
async function warmUp(store: BenchStore, url: string, known: KeyPair): Promise<void> {
  const [body = ""] = sealRequests(store, [known], 1);
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", body, headers });
  await response.text();
}

async function measureWith(clients: number, count: number, folder: string): Promise<void> {
  const home = join(folder, String(clients));
  const store = await makeStore(home, { count: clients, senderCount: 1, config: CONFIG });
  const subject = await startSubject(serverLine(undefined), home);
  try {
    await waitUntilServing(subject);
    await warmUp(store, subject.url, store.senders[0] ?? store.server);
    const port = Number(new URL(subject.url).port);
    const { unknownKey, wrongSecret } = await sample(store, port, count);
    const { auc, distance } = compare(unknownKey, wrongSecret);
    // 95 % of the values that the statistic has by chance.
    const chance = 1.96 * Math.sqrt((2 * count + 1) / (12 * count * count));
    say(
      `${clients} registered, ${count} of each: medians ${median(unknownKey).toFixed(2)} and ` +
        `${median(wrongSecret).toFixed(2)} ms; P(unknown key takes longer) = ${auc.toFixed(4)} ` +
        `(by chance 0.5 ± ${chance.toFixed(4)}); Kolmogorov-Smirnov ${distance.toFixed(4)}`,
    );
  } finally {
    await subject.stop();
  }
}

async function run({ number }: ToolArguments<keyof typeof TOOL["options"]>): Promise<void> {
  await using folder = await temporaryFolder();
  for (const clients of [1, 1000]) await measureWith(clients, number("count"), folder.path);
}

await runTool(TOOL, run);
