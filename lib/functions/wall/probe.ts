/**
 * @module
 * Finds out what the kernel holds back here: by trying, in a stage 1 that starts as for a host without
 * grants, or by asking one that is to become a host, which tries it then.
 */
import { ConfigError, reasonOf } from "../../errors.ts";
import { PROGRAM_FILES } from "../entry.ts";
import { LineReader } from "../processes/line_reader.ts";
import { startProcess } from "../processes/process.ts";
import type { WallCheck } from "./check.ts";
import { stageCommand, type StageOptions } from "./command.ts";
import { stageInput, stagePolicy } from "./policy.ts";

/** Its answer decides for as long as the server runs: a machine that is busy gets time. */
const TIMEOUT_MS = 60_000;

/**
 * Tries.
 *
 * @returns what the kernel refuses; or why stage 1 does not work here.
 * @throws {ConfigError} when hosts cannot run as the given user.
 */
export async function probeWall(options: StageOptions): Promise<WallCheck | string> {
  if (Deno.build.os !== "linux") return "only Linux has one";
  const policy = stagePolicy({
    server: Deno.pid,
    abi: "latest",
    hasFilter: true,
    grants: { read: [], write: [], net: [] },
    program: PROGRAM_FILES,
    workers: 1,
    maxFileBytes: 0,
    hasOwnUser: options.user !== undefined,
  });
  const child = start(options);
  if (typeof child === "string") return child;
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  const writer = child.stdin.getWriter();
  writer.write(new TextEncoder().encode(stageInput(policy))).then(() => writer.close()).catch(
    () => {},
  );
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  if (success) return JSON.parse(decoder.decode(stdout));
  return unusable(decoder.decode(stderr));
}

/**
 * Asks a stage 1, which goes on waiting for its policy.
 *
 * @returns what the kernel offers; or why stage 1 does not work here: then it has ended.
 */
export async function askStage(stage: Deno.ChildProcess): Promise<WallCheck | string> {
  const timer = setTimeout(() => stage.kill("SIGKILL"), TIMEOUT_MS);
  const writer = stage.stdin.getWriter();
  // One that has ended says why.
  writer.write(new TextEncoder().encode(stageInput({ survey: true }))).catch(() => {});
  writer.releaseLock();
  const answer = await readLine(stage.stdout);
  clearTimeout(timer);
  if (answer !== undefined) return JSON.parse(answer);
  const message = await new Response(stage.stderr).text();
  await stage.status;
  return unusable(message);
}

/** The one line that is written there; `undefined` at the end. The stream can be read on. */
async function readLine(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  const reader = stream.getReader();
  const lines = new LineReader();
  while (true) {
    const { value } = await reader.read();
    if (value === undefined) return undefined;
    const [line] = lines.read(value);
    if (line === undefined) continue;
    reader.releaseLock();
    return line;
  }
}

function unusable(stderr: string): string {
  const [, message] = /^msp: error: (.*)$/m.exec(stderr) ?? [];
  return `the kernel's means cannot be used (${message ?? "stage 1 ended without a word"})`;
}

function start(options: StageOptions): Deno.ChildProcess | string {
  const { user } = options;
  try {
    return startProcess(stageCommand(options));
  } catch (error) {
    if (user === undefined || error instanceof Deno.errors.NotCapable) {
      return `the program cannot start itself (${reasonOf(error)})`;
    }
    throw new ConfigError(
      `Cannot run functions as user ${user.uid}:${user.gid}: ${reasonOf(error)}`,
      {
        cause: error,
        hint: "only root can run them as another user: remove User from [Functions]",
      },
    );
  }
}
