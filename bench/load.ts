/**
 * @module
 * The load generators: wrk, which sends as fast as answers come, and rate.c, which sends at a constant
 * rate. Both send each body of a file once.
 */
import { repositoryPath } from "../tasks/root.ts";
import { join } from "node:path";
import { ToolError } from "./tool.ts";

/** A load. */
export interface Load {
  readonly url: string;
  /** File of bodies: JSON, one a line, or messages of protocol v2 of one length. */
  readonly bodies: string;
  /** Bytes of a message of protocol v2; without, bodies are JSON for protocol v1. */
  readonly messageBytes?: number;
  readonly connections: number;
  readonly seconds: number;
  /** Stops when each body was sent once; a few more requests than bodies may be sent. */
  readonly isBrief?: boolean;
  /** Sets another X-Forwarded-For for each request, as if each came from an address of its own. */
  readonly hasAddresses?: boolean;
}

/** What a load generator measured. */
export interface LoadResult {
  readonly requests: number;
  /** Answers with another status than 200. */
  readonly refused: number;
  /** Requests without an answer. */
  readonly missing: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the generator. */
  readonly cpuMicros: number;
}

const SCRIPT = `
local bodies, n, at = {}, 0, 0
local size = tonumber(os.getenv("MESSAGE_BYTES"))
if size == 0 then
  for line in io.lines(os.getenv("BODIES")) do n = n + 1; bodies[n] = line end
else
  local file = io.open(os.getenv("BODIES"), "rb")
  for message in function() return file:read(size) end do n = n + 1; bodies[n] = message end
end
local headers = { ["Content-Type"] = size == 0 and "application/json" or "application/octet-stream" }
local path = size == 0 and "/v1" or "/v2"
local addresses = os.getenv("ADDRESSES") == "1"
local stops = os.getenv("STOPS") == "1"
function request()
  if stops and at == n then wrk.thread:stop() end
  at = at % n + 1
  if addresses then
    headers["X-Forwarded-For"] = string.format("10.%d.%d.%d", at / 65536 % 256, at / 256 % 256, at % 256)
  end
  return wrk.format("POST", path, headers, bodies[at])
end
local function ticks()
  local stat = io.open("/proc/self/stat"):read("*a")
  local user, system = stat:match("%) %S" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
  return tonumber(user) + tonumber(system)
end
local before
function setup() before = ticks() end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"refused":%d,"missing":%d,"seconds":%.6f,"p50Ms":%.3f,"p99Ms":%.3f,"cpuMicros":%d}\\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    (ticks() - before) * 10000))
end
`;

/** Sends requests as fast as the answers come: each connection waits for its answer. */
export async function runWrk(load: Load): Promise<LoadResult> {
  const { url, bodies, seconds, connections, hasAddresses = false, messageBytes = 0 } = load;
  const script = `${bodies}.lua`;
  await Deno.writeTextFile(script, SCRIPT);
  const command = new Deno.Command("wrk", {
    args: ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s", script, url],
    env: {
      BODIES: bodies,
      ADDRESSES: hasAddresses ? "1" : "0",
      MESSAGE_BYTES: String(messageBytes),
      STOPS: load.isBrief === true ? "1" : "0",
    },
  });
  return resultOf("wrk", await command.output());
}

/**
 * Sends requests at a constant rate. The latency of a request counts from the moment at which it was
 * due.
 *
 * @param program what {@link compileRate} returned
 */
export async function runRate(
  program: string,
  load: Load,
  requestsPerSecond: number,
): Promise<LoadResult> {
  const { url, bodies, seconds, connections } = load;
  const numbers = [new URL(url).port, connections, requestsPerSecond, seconds].map(String);
  return resultOf("rate", await new Deno.Command(program, { args: [...numbers, bodies] }).output());
}

/** Compiles rate.c into a folder. */
export async function compileRate(folder: string): Promise<string> {
  const program = join(folder, "rate");
  const source = repositoryPath("bench/rate.c");
  const args = ["-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source];
  const { success, stderr } = await new Deno.Command("cc", { args }).output();
  if (!success) throw new Error(`cc failed:\n${new TextDecoder().decode(stderr)}`);
  return program;
}

/**
 * Requires the programs that a run needs, before it starts.
 *
 * @throws {ToolError} when one is missing.
 */
export function requirePrograms(): void {
  for (
    const [program, option] of [["wrk", "-v"], ["cc", "--version"], ["sh", "-c true"]] as const
  ) {
    try {
      new Deno.Command(program, { args: option.split(" "), stdout: "null", stderr: "null" })
        .outputSync();
    } catch {
      const hint = "on Debian: apt-get install wrk gcc libc6-dev";
      throw new ToolError(`${program} is missing`, { hint });
    }
  }
}

function resultOf(name: string, { stdout, stderr }: Deno.CommandOutput): LoadResult {
  const text = new TextDecoder().decode(stdout);
  const [json] = /\{"requests".*\}/.exec(text) ?? [];
  if (json !== undefined) return JSON.parse(json);
  throw new Error(`${name} failed:\n${text}${new TextDecoder().decode(stderr)}`);
}
