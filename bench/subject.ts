/**
 * @module
 * A program under measurement, on the first core; what loads it runs on the second.
 */
import { residentMegabytes } from "../tests/process_memory.ts";
import { repositoryPath } from "../tasks/root.ts";
import { programFlags } from "../tasks/flags.ts";

/** A started program. */
export interface Subject {
  readonly url: string;
  readonly pid: number;
  /** From the start of the process to its ready line. */
  readonly startMs: number;
  /** Waits until the log has a line. */
  readonly waitForLog: (pattern: RegExp) => Promise<void>;
  readonly residentMegabytes: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

/**
 * Starts a program and waits for its ready line, which holds its URL. With `isFree` it may use every
 * core.
 */
export async function startSubject(
  line: readonly string[],
  cwd: string,
  { isFree = false } = {},
): Promise<Subject> {
  const before = performance.now();
  const process = new Deno.Command("taskset", {
    args: ["-c", isFree ? "0-1" : "0", ...line],
    cwd,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let out = "", err = "", onText = (): void => {};
  const collect = async (stream: ReadableStream<Uint8Array>, add: (text: string) => void) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      add(text);
      onText();
    }
  };
  const output = Promise.all([
    collect(process.stdout, (text) => void (out += text)),
    collect(process.stderr, (text) => void (err = (err + text).slice(-100_000))),
  ]);
  const waitFor = (condition: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      onText = () => {
        if (condition()) resolve();
      };
      onText();
      process.status.then(() => reject(new Error(`${line.join(" ")} ended:\n${err}`)));
    });
  await waitFor(() => out.includes("\n"));
  const startMs = performance.now() - before;
  if (!isFree) await moveChildren(process.pid);
  return {
    url: /http:\/\/\S+/.exec(out)?.[0] ?? "",
    pid: process.pid,
    startMs,
    waitForLog: (pattern) => waitFor(() => pattern.test(err)),
    residentMegabytes: () => residentMegabytes(process.pid),
    async stop(): Promise<void> {
      process.kill("SIGTERM");
      await process.status;
      await output;
    },
  };
}

/** Functions have the core of the load generator, as they have other cores than the server at work. */
async function moveChildren(pid: number): Promise<void> {
  const script = `for each in $(ps -o pid= --ppid ${pid}); do taskset -apc 1 $each; done`;
  await new Deno.Command("sh", { args: ["-c", script], stdout: "null" }).output();
}

const flags = programFlags();

/** The server: from the sources, or an executable. */
export function serverLine(binary: string | undefined): string[] {
  const program = binary === undefined
    ? [Deno.execPath(), "run", ...flags, repositoryPath("main.ts")]
    : [repositoryPath(binary)];
  return [...program, "serve", "--host", "127.0.0.1", "--port", "0"];
}

/** A helper program of this folder. */
export function helperLine(name: string, ...args: string[]): string[] {
  const permissions = ["--allow-net=127.0.0.1", "--allow-read"];
  return [
    Deno.execPath(),
    "run",
    "--no-prompt",
    ...permissions,
    repositoryPath("bench", name),
    ...args,
  ];
}
