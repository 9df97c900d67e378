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
  /** Marks the end of the log. @returns what waits until the lines after the mark match a pattern. */
  readonly markLog: () => (pattern: RegExp) => Promise<void>;
  /** The last lines of the log. */
  readonly logEnd: () => string;
  /** Proportional set size of the process, without its function processes. */
  readonly megabytes: () => Promise<number>;
  /** Lets the process do nothing until it is resumed. */
  readonly pause: () => void;
  readonly resume: () => void;
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
  const end = (): void => {
    process.kill("SIGTERM");
    // One that is paused would not see it.
    process.kill("SIGCONT");
  };
  const release = removeOnSignal(end);
  const out = new Output(process.stdout), err = new Output(process.stderr);
  const ended = process.status.then(() => {
    throw new Error(`${line.join(" ")} exited:\n${err.text}`);
  });
  ended.catch(() => {});
  const waitFor = async (output: Output, pattern: RegExp, mark = 0): Promise<void> => {
    const timeout = AbortSignal.timeout(READY_TIMEOUT_MS);
    await Promise.race([output.waitFor(pattern, timeout, mark), ended]);
  };
  await waitFor(out, /\n/);
  const { pid } = process;
  return {
    url: /http:\/\/\S+/.exec(out.text)?.[0] ?? "",
    pid,
    startMs: performance.now() - before,
    waitForLog: (pattern) => waitFor(err, pattern),
    markLog: () => {
      const mark = err.length;
      return (pattern) => waitFor(err, pattern, mark);
    },
    logEnd: () => err.text.split("\n").slice(-8).join("\n"),
    megabytes: () => proportionalMegabytes(pid),
    pause: () => process.kill("SIGSTOP"),
    resume: () => process.kill("SIGCONT"),
    async stop(): Promise<void> {
      end();
      await process.status;
      release();
      await Promise.all([out.ended, err.ended]);
    },
  };
}

/**
 * Measures one of some programs while the others are paused: after many calls a server works for seconds
 * on what has expired, which would take a core from the one that is measured.
 */
export async function measureAlone<T>(
  subject: Subject,
  all: Iterable<Subject>,
  measure: () => Promise<T>,
): Promise<T> {
  const others = [...all].filter((each) => each !== subject);
  for (const each of others) each.pause();
  try {
    return await measure();
  } finally {
    for (const each of others) each.resume();
  }
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
  /** Of everything that was written, in characters. */
  length = 0;
  readonly ended: Promise<void>;
  #onText = (): void => {};

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#collect(stream);
  }

  /** @param mark the length before which nothing counts. */
  waitFor(pattern: RegExp, timeout: AbortSignal, mark: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onText = () => {
        if (pattern.test(this.text.slice(Math.max(0, this.text.length - this.length + mark)))) {
          resolve();
        }
      };
      this.#onText();
      timeout.onabort = () => reject(new Error(`no output ${pattern} in time:\n${this.text}`));
    });
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      const more = decoder.decode(bytes, { stream: true });
      this.length += more.length;
      this.text = (this.text + more).slice(-100_000);
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
