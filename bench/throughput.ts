/**
 * @module
 * `deno task bench`: requests a second of the demo function with few and many registered clients,
 * beside a plain echo of the same bodies, in one run. Servers and load generator have a core each. Options:
 * `--rounds=5 --seconds=2 --binary=dist/msp`.
 */
import { join } from "node:path";
import { type BenchStore, makeRequests, makeStore, runWrk } from "./load.ts";

const CLIENT_COUNTS = [1, 1000];
const BODIES_PER_SECOND = 60_000;
const options = new Map(
  Deno.args.map((word) => word.replace(/^--/, "").split("=") as [string, string]),
);
const rounds = Number(options.get("rounds") ?? 5);
const seconds = Number(options.get("seconds") ?? 2);
const binary = options.get("binary");

interface Subject {
  readonly name: string;
  readonly url: string;
  readonly process: Deno.ChildProcess;
  readonly store?: BenchStore;
  readonly rates: number[];
  startMs?: number;
}

/** Starts a program on the first core and waits for its ready line. */
async function start(
  name: string,
  args: string[],
  cwd: string,
  store?: BenchStore,
): Promise<Subject> {
  const before = performance.now();
  const process = new Deno.Command("taskset", {
    args: ["-c", "0", ...args],
    cwd,
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  const url = /http:\/\/\S+/.exec(text)?.[0].replace("localhost", "127.0.0.1");
  if (url === undefined) throw new Error(`${name} does not start`);
  const startMs = performance.now() - before;
  return { name, url, process, rates: [], startMs, ...(store === undefined ? {} : { store }) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** From `ps`, since the platform reads /proc with full permissions only. */
async function residentMegabytes({ process }: Subject): Promise<number> {
  const args = ["-o", "rss=", "-p", String(process.pid)];
  const { stdout } = await new Deno.Command("ps", { args }).output();
  return Number(new TextDecoder().decode(stdout)) / 1024;
}

const root = new URL("../", import.meta.url).pathname;
const folder = await Deno.makeTempDir({ prefix: "msp-bench-" });
const subjects: Subject[] = [];
try {
  const echoArgs = [Deno.execPath(), "run", "--allow-net=127.0.0.1", join(root, "bench/echo.ts")];
  const echoStore = await makeStore(join(folder, "echo"), 1);
  subjects.push(await start("plain Deno.serve JSON echo", echoArgs, folder, echoStore));
  for (const count of CLIENT_COUNTS) {
    const home = join(folder, String(count));
    const store = await makeStore(home, count);
    await Deno.mkdir(join(home, "config"));
    await Deno.writeTextFile(join(home, "config/config.ini"), "[Clients]\nRequestTTL=3600\n");
    const permissions = ["--allow-read=.", "--allow-write=.", "--allow-net", "--allow-env=MSP_*"];
    const program = binary === undefined
      ? [Deno.execPath(), "run", "--no-prompt", ...permissions, join(root, "main.ts")]
      : [join(root, binary)];
    const args = [...program, "serve", "--host", "127.0.0.1", "--port", "0"];
    subjects.push(await start(`server, ${count} registered`, args, home, store));
  }
  for (let round = 0; round < rounds; round++) {
    for (const { name, url, store, rates } of subjects) {
      if (store === undefined) continue;
      const bodies = join(folder, "bodies");
      // The last registered key: the one that a search finds last.
      const senders = store.clients.slice(-1);
      const requests = await makeRequests(store, senders, BODIES_PER_SECOND * seconds);
      await Deno.writeTextFile(bodies, requests.join("\n") + "\n");
      const result = await runWrk({ url, bodies, first: 0, seconds });
      if (result.notOk > 0) throw new Error(`${name}: ${result.notOk} requests were refused`);
      rates.push(result.requestsPerSecond);
    }
  }
  const echo = median(subjects[0]?.rates ?? []);
  for (const subject of subjects) {
    const rate = median(subject.rates);
    const memory = await residentMegabytes(subject);
    // deno-lint-ignore no-console -- the result
    console.log(
      `${subject.name.padEnd(28)} ${rate.toFixed(0).padStart(7)} requests/s  ${
        (rate / echo).toFixed(2)
      } x echo  ready in ${subject.startMs?.toFixed(0)} ms  ${memory.toFixed(0)} MB after the load`,
    );
  }
} finally {
  for (const { process } of subjects) process.kill("SIGTERM");
  await Promise.all(subjects.map(({ process }) => process.status));
  await Deno.remove(folder, { recursive: true });
}
