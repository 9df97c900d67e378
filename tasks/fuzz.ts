/**
 * @module
 * `deno task fuzz`: malformed requests to a real server, of both protocols,
 * made from good ones by a seeded generator: body, JSON, base64, sealed bytes, headers, target, method.
 * Fails when one of them is answered with 200 or 5xx, when the server ends, when its memory grows, or
 * when a legitimate call in between is not answered. Bounded, on 127.0.0.1.
 */
import { runTool, say, type Tool, type ToolArguments, ToolError } from "../bench/tool.ts";
import { sealRequest, type TestClient } from "../tests/v1_client.ts";
import { residentMegabytes } from "../tests/process_memory.ts";
import { ServerProcess, TempFolder } from "../tests/program.ts";
import { callServer, registerClient } from "../tests/registered.ts";
import { Mutator } from "./fuzz_mutator.ts";
import { captureV2, V2Mutator } from "./fuzz_v2.ts";

/** Connections at once. */
const LANES = 256;
/** Requests between two legitimate calls. */
const CALL_EVERY = 500;
/** What the memory may grow by, once the heap has its working size. */
const MAX_GROWTH_MB = 100;
/** Until then: a tenth of the requests, and no fewer than these. */
const WARM_REQUESTS = 10_000;
/** How long an answer may take; then the request was one that nobody can answer, such as half a head. */
const PATIENCE_MS = 300;

const TOOL = {
  name: "fuzz",
  about:
    `Sends malformed requests to a server on 127.0.0.1. Fails when one of them is answered with 200 or
5xx, when the server exits or its memory grows, or when a legitimate call is not answered.
MSP_TEST_BINARY=dist/msp tests an executable.`,
  options: {
    count: { value: "COUNT", meaning: "requests", least: 1, fallback: 1_000_000 },
    seed: { value: "NUMBER", meaning: "repeat a run (random)", least: 0 },
  },
} satisfies Tool<string>;

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

async function fuzz(
  { values, number }: ToolArguments<keyof typeof TOOL["options"]>,
): Promise<void> {
  const count = number("count");
  const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  say(`seed ${seed}, ${count} requests`);
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write("config/config.ini", "[Limits]\nFailuresPerMinute=1000000\n");
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(/Functions: time_test/);
  const v2 = new V2Mutator(seed, await captureV2(folder, server.url));
  const { statuses, failures, growth } = await attack(server, client, { count, seed, v2 });
  if (growth > MAX_GROWTH_MB) failures.push(`memory grew by ${Math.round(growth)} MB`);
  const reports = [...statuses].toSorted().map(([status, times]) => `${status}: ${times}`);
  say(`${reports.join(", ")}; memory ${growth < 0 ? "" : "+"}${Math.round(growth)} MB`);
  if (await server.stop() !== 0) failures.push("the server did not stop in an orderly way");
  for (const failure of failures) say(`FAILED ${failure}`);
  if (failures.length > 0) throw new ToolError(`--seed ${seed} repeats it`);
  say("ok");
}

/** What came of an attack. */
interface Result {
  readonly statuses: ReadonlyMap<string, number>;
  readonly failures: string[];
  /** Megabytes, once the server was warm. */
  readonly growth: number;
}

async function attack(
  { port, url, pid }: ServerProcess,
  client: TestClient,
  { count, seed, v2 }: { readonly count: number; readonly seed: number; readonly v2: V2Mutator },
): Promise<Result> {
  const statuses = new Map<string, number>();
  const failures: string[] = [];
  const mutator = new Mutator(seed, () => JSON.stringify(sealRequest(client, "time_test")));
  const callOnce = async (): Promise<void> => {
    const answer = String(await callServer(url, client, "time_test"));
    if (!answer.startsWith("It is currently")) failures.push(`a legitimate call got ${answer}`);
  };
  const warmAt = Math.min(count - 1, Math.max(WARM_REQUESTS, Math.floor(count / 10)));
  let sent = 0, baseline = 0;
  const lane = async (): Promise<void> => {
    while (sent < count && failures.length < 10) {
      const request = sent++;
      if (request % CALL_EVERY === 0) await callOnce();
      if (request === warmAt) baseline = await residentMegabytes(pid);
      if (request > 0 && request % 100_000 === 0) {
        say(`${request}: ${Math.round(await residentMegabytes(pid))} MB`);
      }
      const { bytes, how } = (request % 3 === 0 ? v2 : mutator).next();
      const status = await exchange(port, bytes);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (/^[25]/.test(status)) failures.push(`request ${request} (${how}): ${status}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  await callOnce();
  return { statuses, failures, growth: await residentMegabytes(pid) - baseline };
}

await runTool(TOOL, fuzz);
