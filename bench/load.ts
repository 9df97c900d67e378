/**
 * @module
 * Load for the benchmarks: a key store with many clients, real sealed requests with fresh nonces,
 * made before the clock starts, and wrk as the load generator, which sends each of them once.
 */
import { join } from "node:path";
import { formatKey, generateSecret } from "../lib/crypto/keys.ts";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import type { KeyPair, SecretHex } from "../lib/crypto/keys.ts";
import { Box } from "../lib/crypto/box.ts";
import { encodeRequest } from "../lib/protocol/v1.ts";

/** A key store on disk and what its clients hold. */
export interface BenchStore {
  readonly server: KeyPair;
  readonly clients: readonly KeyPair[];
  readonly secret: SecretHex;
}

/** Writes a key store with `count` clients into `folder`/sec. One secret serves them all. */
export async function makeStore(folder: string, count: number): Promise<BenchStore> {
  const sec = join(folder, "sec");
  await Deno.mkdir(sec, { recursive: true });
  const server = generateKeyPair();
  await Deno.writeTextFile(join(sec, "server.key"), formatKey(server.privateKey));
  await Deno.writeTextFile(join(sec, "server.pub"), formatKey(server.publicKey));
  const clients: KeyPair[] = [];
  for (let i = 1; i <= count; i++) {
    const pair = generateKeyPair();
    clients.push(pair);
    await Deno.writeTextFile(join(sec, `client_${i}.pub`), formatKey(pair.publicKey));
  }
  const secret = generateSecret();
  await Deno.writeTextFile(join(sec, "clients.dev"), `${secret}\n`);
  return { server, clients, secret };
}

/** Request bodies from the given senders in turn, one a line. */
export async function makeRequests(
  store: BenchStore,
  senders: readonly KeyPair[],
  count: number,
): Promise<string[]> {
  const box = await Box.load();
  const keys = senders.map(({ privateKey }) =>
    box.deriveSharedKey(store.server.publicKey, privateKey)
  );
  const nowSeconds = Math.floor(Date.now() / 1000);
  return Array.from({ length: count }, (_, i) => {
    const key = keys[i % keys.length];
    if (key === undefined) throw new Error("a sender without a key");
    return encodeRequest(
      { secretHex: store.secret, functionName: "time_test", nowSeconds },
      (plaintext) => box.seal(key, crypto.getRandomValues(new Uint8Array(24)), plaintext),
    );
  });
}

/** What wrk measured. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly notOk: number;
}

const SCRIPT = `
local bodies, n = {}, 0
for line in io.lines(os.getenv("BODIES")) do n = n + 1; bodies[n] = line end
local next = tonumber(os.getenv("FIRST"))
local headers = { ["Content-Type"] = "application/json" }
function request()
  next = next % n + 1
  return wrk.format("POST", "/v1", headers, bodies[next])
end
function done(summary, latency)
  io.write(string.format("RESULT %d %d %d\\n", summary.requests, summary.duration, summary.errors.status))
end
`;

/** Sends the bodies of a file with wrk, from the given one on, over 16 connections. */
export async function runWrk(
  options: { url: string; bodies: string; first: number; seconds: number },
): Promise<LoadResult & { requests: number }> {
  const script = `${options.bodies}.lua`;
  await Deno.writeTextFile(script, SCRIPT);
  const { stdout, success } = await new Deno.Command("taskset", {
    args: ["-c", "1", "wrk", "-t1", "-c16", `-d${options.seconds}s`, "-s", script, options.url],
    env: { BODIES: options.bodies, FIRST: String(options.first) },
  }).output();
  const text = new TextDecoder().decode(stdout);
  const [, requests, micros, notOk] = /RESULT (\d+) (\d+) (\d+)/.exec(text)?.map(Number) ?? [];
  if (!success || requests === undefined || micros === undefined) {
    throw new Error(`wrk failed: ${text}`);
  }
  return { requestsPerSecond: requests / (micros / 1e6), notOk: notOk ?? 0, requests };
}
