/**
 * @module
 * wrk as the load generator, on the second core. It sends each body of a file once.
 */

/** A load. */
export interface Load {
  readonly url: string;
  readonly bodies: readonly string[];
  readonly seconds: number;
  readonly connections?: number;
  /** A different X-Forwarded-For for each request, as if from so many strangers. */
  readonly addresses?: boolean;
}

/** What wrk measured. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  /** Answers with another status than 200. */
  readonly refused: number;
}

const SCRIPT = `
local bodies, n, at = {}, 0, 0
for line in io.lines(os.getenv("BODIES")) do n = n + 1; bodies[n] = line end
local headers = { ["Content-Type"] = "application/json" }
local addresses = os.getenv("ADDRESSES") == "1"
function request()
  at = at % n + 1
  if addresses then
    headers["X-Forwarded-For"] = string.format("10.%d.%d.%d", at / 65536 % 256, at / 256 % 256, at % 256)
  end
  return wrk.format("POST", "/v1", headers, bodies[at])
end
function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests, summary.duration,
    summary.errors.status, latency:percentile(99)))
end
`;

/** Runs a load. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const { url, bodies, seconds, connections = 64, addresses = false } = load;
  const folder = await Deno.makeTempDir({ prefix: "msp-wrk-" });
  try {
    await Deno.writeTextFile(`${folder}/bodies`, bodies.join("\n") + "\n");
    await Deno.writeTextFile(`${folder}/script.lua`, SCRIPT);
    const command = new Deno.Command("taskset", {
      args: ["-c", "1", "wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s"]
        .concat(`${folder}/script.lua`, url),
      env: { BODIES: `${folder}/bodies`, ADDRESSES: addresses ? "1" : "0" },
    });
    const text = new TextDecoder().decode((await command.output()).stdout);
    const found = /RESULT (\d+) (\d+) (\d+) (\d+)/.exec(text)?.slice(1).map(Number) ?? [];
    const [requests = NaN, micros = NaN, refused = NaN, p99 = NaN] = found;
    if (Number.isNaN(requests)) throw new Error(`wrk failed:\n${text}`);
    return { requestsPerSecond: requests / (micros / 1e6), refused, p99Ms: p99 / 1000 };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
