/**
 * @module
 * What a function prints goes to the server's log: console and standard output of its isolate are caught
 * here, and its ways to end itself are taken. That keeps accidents apart; code that means harm finds
 * ways around, and meets the limits of host and server.
 */
import { LINES_PER_SECOND, MAX_TEXT_LENGTH, type OutputLevel } from "../wire/messages.ts";
import { consoleMethods, type WriteLines } from "./console_methods.ts";

/** Where lines go. */
export interface OutputSink {
  readonly write: (level: OutputLevel, text: string) => void;
  /** Lines beyond the limit, counted once a second at most. */
  readonly leftOut: (count: number) => void;
}

/** Lines of one function, within limits. Needs no timer: a function in an endless loop runs none. */
export class FunctionOutput {
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
    // What is longer than all lines of a second is left out in any case.
    const kept = String(text).slice(0, LINES_PER_SECOND * MAX_TEXT_LENGTH);
    for (const line of kept.replace(/\n$/, "").split("\n")) {
      if (this.#written++ < LINES_PER_SECOND) this.#sink.write(level, cut(line));
      else this.#leftOut++;
    }
  }
}

function cut(line: string): string {
  return line.length > MAX_TEXT_LENGTH ? `${line.slice(0, MAX_TEXT_LENGTH - 1)}…` : line;
}

/** Takes what the console and standard output and error are given, by Deno's and by Node's functions. */
export function captureOutput(write: WriteLines): void {
  for (const [name, value] of Object.entries(consoleMethods(write))) {
    Object.defineProperty(console, name, { value, configurable: true, writable: true });
  }
  closeInput();
  captureStream(Deno.stdout, (text) => write("info", text));
  captureStream(Deno.stderr, (text) => write("warn", text));
}

/** Node's `process.stdout` writes through the methods of the same object. */
function captureStream(stream: typeof Deno.stdout, write: (text: string) => void): void {
  const buffer = new LineBuffer(write);
  const writeSync = (bytes: Uint8Array): number => {
    buffer.add(bytes);
    return bytes.length;
  };
  const methods = {
    writeSync,
    write: (bytes: Uint8Array) => Promise.resolve(writeSync(bytes)),
    writable: new WritableStream<Uint8Array>({ write: (bytes) => void writeSync(bytes) }),
    isTerminal: () => false,
    close: () => {},
  };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(stream, name, { value, configurable: true });
  }
}

/** Bytes as lines. The rest of a line, and of a character, waits until the end of the current step. */
class LineBuffer {
  readonly #write: (text: string) => void;
  readonly #decoder = new TextDecoder();
  #pending = "";

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  add(bytes: Uint8Array): void {
    const isFirst = this.#pending === "";
    this.#pending += this.#decoder.decode(bytes, { stream: true });
    const end = this.#pending.length > MAX_TEXT_LENGTH
      ? this.#pending.length
      : this.#pending.lastIndexOf("\n") + 1;
    if (end > 0) this.#flush(end);
    if (isFirst && this.#pending !== "") queueMicrotask(() => this.#flush(this.#pending.length));
  }

  #flush(end: number): void {
    if (end > 0) this.#write(this.#pending.slice(0, end));
    this.#pending = this.#pending.slice(end);
  }
}

/** The host's standard input carries its messages: a function finds the end of its own. */
function closeInput(): void {
  const methods = {
    readSync: () => null,
    read: () => Promise.resolve(null),
    readable: new ReadableStream({ start: (controller) => controller.close() }),
    isTerminal: () => false,
    setRaw: () => {},
    close: () => {},
  };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(Deno.stdin, name, { value, configurable: true });
  }
}

/**
 * A function that ends its isolate would be missed only when its next call times out. Node's
 * `process.exit` ends in `Deno.exit`, however it is imported.
 */
export function forbidExit(): void {
  const value = (): never => {
    throw new Error("a function cannot end itself");
  };
  Object.defineProperty(Deno, "exit", { value, configurable: true });
  Object.defineProperty(globalThis, "close", { value, configurable: true });
}
