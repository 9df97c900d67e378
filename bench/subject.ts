/**
 * @module
 * A program under measurement: starts it, reads its log, stops it.
 */
import { resolve } from "node:path";
import { programFlags } from "../tasks/flags.ts";
import { repositoryPath } from "../tasks/root.ts";
import { proportionalMegabytes } from "./processes.ts";
import { removeOnSignal } from "./tool.ts";

/** A started program. */
export interface Subject {
  readonly url: string;
  readonly pid: number;
  /** From the start of the process to its ready line. */
  readonly startMs: number;
  /** Waits until the log has a line. */
  readonly waitForLog: (pattern: RegExp) => Promise<void>;
  /** The last lines of the log. */
  readonly logEnd: () => string;
  /** Proportional set size of the process, without its function processes. */
  readonly megabytes: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

/** A program that does not become ready within this time fails. */
const READY_TIMEOUT_MS = 60_000;

/** Starts a program and waits for its ready line, which holds its URL. */
export async function startSubject(line: readonly string[], cwd: string): Promise<Subject> {
  const [program = "", ...args] = line;
  const before = performance.now();
  const process = new Deno.Command(program, {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const release = removeOnSignal(() => process.kill("SIGTERM"));
  const out = new Output(process.stdout), err = new Output(process.stderr);
  const ended = process.status.then(() => {
    throw new Error(`${line.join(" ")} exited:\n${err.text}`);
  });
  ended.catch(() => {});
  const waitFor = async (output: Output, pattern: RegExp): Promise<void> => {
    const timeout = AbortSignal.timeout(READY_TIMEOUT_MS);
    await Promise.race([output.waitFor(pattern, timeout), ended]);
  };
  await waitFor(out, /\n/);
  const { pid } = process;
  return {
    url: /http:\/\/\S+/.exec(out.text)?.[0] ?? "",
    pid,
    startMs: performance.now() - before,
    waitForLog: (pattern) => waitFor(err, pattern),
    logEnd: () => err.text.split("\n").slice(-8).join("\n"),
    megabytes: () => proportionalMegabytes(pid),
    async stop(): Promise<void> {
      process.kill("SIGTERM");
      await process.status;
      release();
      await Promise.all([out.ended, err.ended]);
    },
  };
}

/** Waits until a server can answer: its keys are loaded and its functions too. */
export async function waitUntilServing({ waitForLog }: Subject): Promise<void> {
  // Which of them is first depends on the machine.
  await waitForLog(/Registered client keys/);
  await waitForLog(/INFO functions: Functions: /);
}

/** What a program writes, of which the last 100,000 characters are kept. */
class Output {
  text = "";
  readonly ended: Promise<void>;
  #onText = (): void => {};

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#collect(stream);
  }

  waitFor(pattern: RegExp, timeout: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onText = () => {
        if (pattern.test(this.text)) resolve();
      };
      this.#onText();
      timeout.onabort = () => reject(new Error(`no output ${pattern} in time:\n${this.text}`));
    });
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.text = (this.text + decoder.decode(bytes, { stream: true })).slice(-100_000);
      this.#onText();
    }
  }
}

const SERVE = ["serve", "--host", "127.0.0.1", "--port", "0"];

/** The server: from the sources, or an executable. */
export function serverLine(binary: string | undefined): string[] {
  if (binary !== undefined) return [resolve(binary), ...SERVE];
  return sourceLine(repositoryPath("main.ts"), programFlags());
}

/** The server from its main.ts, with some permissions. */
export function sourceLine(main: string, flags: readonly string[]): string[] {
  return [Deno.execPath(), "run", ...flags, main, ...SERVE];
}

/** A helper program of this folder. */
export function helperLine(name: string, ...args: string[]): string[] {
  const permissions = ["--allow-net=127.0.0.1", "--allow-read", "--allow-write", "--allow-env"];
  const program = repositoryPath("bench", name);
  return [Deno.execPath(), "run", "--no-prompt", ...permissions, program, ...args];
}
