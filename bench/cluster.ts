/**
 * @module
 * `deno task cluster`: CPU time of a call, by process, without [Cluster], with one replica and with three.
 */
import { sealer } from "../tests/captured.ts";
import { sendAll } from "../tests/load.ts";
import { TempFolder } from "../tests/program.ts";
import { RedisServer } from "../tests/redis_server.ts";
import { registerClient } from "../tests/registered.ts";
import { type Replica, startReplicas } from "../tests/replicas.ts";
import { connectTo, registerProfile } from "../tests/v2_client.ts";
import { readTimes } from "./processes.ts";
import { runTool, say, type Tool } from "./tool.ts";

const TOOL = {
  name: "cluster",
  about: "Measures the CPU time of a call in the server and in Redis, in protocol v1 and v2.",
  options: {
    calls: { value: "COUNT", meaning: "calls of one measurement", least: 100, fallback: 20_000 },
  },
} satisfies Tool<string>;

const LANES = 64;
const SETUPS = [
  { name: "one server, no Redis", count: 1, isCluster: false },
  { name: "1 replica", count: 1, isCluster: true },
  { name: "3 replicas", count: 3, isCluster: true },
] as const;

/** CPU time of some processes, in microseconds. */
async function cpuOf(pids: readonly number[]): Promise<number> {
  const { processes } = await readTimes();
  return processes.filter(({ pid }) => pids.includes(pid))
    .reduce((sum, { cpuMicros }) => sum + cpuMicros, 0);
}

async function measure(setup: typeof SETUPS[number], calls: number): Promise<void> {
  await using folder = await TempFolder.make();
  await using redis = await RedisServer.start(folder);
  const client = await registerClient(folder, "old");
  const profile = await registerProfile(folder, "new");
  const replicas = await startReplicas(folder, {
    // The port of a section that is not read.
    redisPort: redis.port,
    ...setup.isCluster ? {} : { section: "NoCluster" },
    modules: { once: "export const entry_call = () => 'ran';" },
    count: setup.count,
  });
  const pids = replicas.map(({ server }) => server.pid);
  const ports = replicas.map(({ port }) => port);
  const seal = await sealer(client, "once");
  const bodies = Array.from({ length: 2 * calls }, () => seal());
  const loads: [string, (count: number, from: number) => Promise<void>][] = [
    ["v1", (count, from) => sendV1(ports, bodies.slice(from, from + count))],
    ["v2", (count) => sendV2(replicas, profile, count)],
  ];
  for (const [protocol, send] of loads) {
    await send(calls, 0);
    const before = [await cpuOf(pids), await cpuOf([redis.pid])];
    const startMs = performance.now();
    await send(calls, calls);
    const seconds = (performance.now() - startMs) / 1000;
    const after = [await cpuOf(pids), await cpuOf([redis.pid])];
    const [server, inRedis] = after.map((each, i) => (each - (before[i] ?? 0)) / calls);
    say(
      `${setup.name}, ${protocol}: server ${server?.toFixed(0)} µs, Redis ${
        inRedis?.toFixed(0)
      } µs a call; ` +
        `${(calls / seconds).toFixed(0)} calls/s`,
    );
  }
  await Promise.all(replicas.map((replica) => replica.stop()));
}

async function sendV1(ports: readonly number[], bodies: readonly string[]): Promise<void> {
  await Promise.all(ports.map(async (port, i) => {
    const counts = await sendAll(port, bodies.filter((_, at) => at % ports.length === i));
    if ([...counts.keys()].some((status) => status !== 200)) {
      say(`not all answered: ${[...counts]}`);
    }
  }));
}

async function sendV2(
  replicas: readonly Replica[],
  profile: Awaited<ReturnType<typeof registerProfile>>,
  count: number,
): Promise<void> {
  const homes = replicas.map(({ server }) => connectTo(server.url, profile));
  for (const home of homes) await home.open();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await homes[next++ % homes.length]?.call("once");
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

if (import.meta.main) {
  await runTool(TOOL, async ({ number }) => {
    for (const setup of SETUPS) await measure(setup, number("calls"));
  });
}
