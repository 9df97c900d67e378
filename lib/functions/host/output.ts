/**
 * @module
 * What a function prints goes to the server's log: console and standard output of a worker are caught
 * here, and its ways to end itself are taken. That keeps accidents apart; code that means harm finds
 * ways around, and meets the limits of host and server.
 */
import type { OutputLevel } from "../messages.ts";

/** Where lines go. */
export interface OutputSink {
  readonly write: (level: OutputLevel, text: string) => void;
  /** Lines beyond the limit, counted once a second at most. */
  readonly leftOut: (count: number) => void;
}

/** Lines a second and worker that are kept. */
export const LINES_PER_SECOND = 20;
/** Characters of a line that are kept. */
const MAX_LINE_LENGTH = 2000;
const LEVELS = {
  debug: "debug",
  trace: "debug",
  log: "info",
  info: "info",
  dir: "info",
  table: "info",
  warn: "warn",
  error: "error",
} as const;

/** Lines of one worker, within limits. Needs no timer: a function in an endless loop runs none. */
export class WorkerOutput {
  readonly #sink: OutputSink;
  #second = 0;
  #written = 0;
  #leftOut = 0;

  constructor(sink: OutputSink) {
    this.#sink = sink;
  }

  /** Writes a text as one line or more. */
  line(level: OutputLevel, text: string): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      if (this.#leftOut > 0) this.#sink.leftOut(this.#leftOut);
      this.#second = second;
      this.#written = 0;
      this.#leftOut = 0;
    }
    for (const line of String(text).slice(0, MAX_LINE_LENGTH).replace(/\n$/, "").split("\n")) {
      if (this.#written++ < LINES_PER_SECOND) this.#sink.write(level, line);
      else this.#leftOut++;
    }
  }
}

/** Takes what the console and `Deno.stdout` and `Deno.stderr` are given. */
export function captureOutput(output: WorkerOutput): void {
  const { console } = globalThis;
  for (const [name, level] of Object.entries(LEVELS)) {
    Object.defineProperty(console, name, {
      value: (...values: unknown[]) => output.line(level, values.map(toText).join(" ")),
      configurable: true,
      writable: true,
    });
  }
  closeInput();
  const decoder = new TextDecoder();
  for (const [name, level] of [["stdout", "info"], ["stderr", "error"]] as const) {
    const writeSync = (bytes: Uint8Array): number => {
      output.line(level, decoder.decode(bytes));
      return bytes.length;
    };
    const write = (bytes: Uint8Array): Promise<number> => Promise.resolve(writeSync(bytes));
    const writable = new WritableStream<Uint8Array>({ write: (bytes) => void writeSync(bytes) });
    const stream = { writeSync, write, writable, isTerminal: () => false, close: () => {} };
    Object.defineProperty(Deno, name, { value: stream, configurable: true });
  }
}

/** The host's standard input carries its messages. */
function closeInput(): void {
  try {
    Deno.stdin.close();
  } catch {
    // Closed already.
  }
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : Deno.inspect(value, { depth: 4 });
}

/** A function that ends its worker would be missed only when its next call times out. */
export function forbidExit(): void {
  const value = (): never => {
    throw new Error("a function cannot end its worker");
  };
  Object.defineProperty(Deno, "exit", { value, configurable: true });
  Object.defineProperty(globalThis, "close", { value, configurable: true });
  const process = (globalThis as { process?: object }).process;
  if (process !== undefined) Object.defineProperty(process, "exit", { value, configurable: true });
}
