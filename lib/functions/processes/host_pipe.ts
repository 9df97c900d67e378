/**
 * @module
 * The process of a function host and its pipes: starts it, writes frames, reads messages, frames and
 * whatever else is written to its standard output and error, and keeps all of that within limits.
 */
import { reasonOf } from "../../errors.ts";
import { LineLimit } from "../../limits/line_limit.ts";
import { logger } from "../../log.ts";
import { ByteWriter } from "../wire/bytes.ts";
import {
  type CallNumber,
  FRAME,
  FrameSplitter,
  type HostedCall,
  MARK_BYTES,
  writeCalls,
  writeFrame,
  writeNumber,
} from "../wire/frames.ts";
import { LineReader } from "./line_reader.ts";
import { type FromHost, type HostSetup, parseFromHost, type ToHost } from "../wire/messages.ts";
import { type HostCommand, startProcess } from "./process.ts";

/**
 * Output that is not a message, a second: beyond it the process is killed, because reading costs the
 * server.
 */
const MAX_STRAY_BYTES = 4 * 1024 * 1024;
const MAX_STRAY_LINES = 10_000;
/** Longest line that is not a message. */
const MAX_STRAY_LINE_BYTES = 65_536;
/** Longest message: the JSON Schema of a module's params, as JSON text in JSON. */
const MAX_MESSAGE_BYTES = 512 * 1024;
/** What a frame may hold beyond the largest result. */
const FRAME_BYTES = 64 * 1024;
/** Memory for one read of frames; a larger frame gets more while it arrives. */
const BUFFER_BYTES = 64 * 1024;
/** How Deno and V8 say why they end, and how they begin to. */
const COMPLAINT = /^#?\s*(?:error:|Fatal |memory allocation of )/i;
const OUT_OF_MEMORY = /out of memory|memory allocation of/i;
const CRASH = /^(?:#|<---)/;

/** What a host reports. */
export interface PipeEvents {
  readonly onMessage: (message: FromHost) => void;
  /**
   * Results of a worker; the payload is valid until it returns.
   *
   * @returns false when nobody asked for them, or they are malformed: then they count as output.
   */
  readonly onResults: (worker: number, payload: Uint8Array) => boolean;
}

/** A process and its pipes. */
export class HostPipe {
  readonly #token = crypto.randomUUID();
  readonly #mark = crypto.getRandomValues(new Uint8Array(MARK_BYTES));
  readonly #process: Deno.ChildProcess;
  readonly #events: PipeEvents;
  readonly #log: ReturnType<typeof logger>;
  readonly #input: HostInput;
  /** Whether its function shares an isolate with the code that knows the token. */
  readonly #isLone: boolean;
  readonly #strayOutput = new LineReader();
  #maxFrameBytes = FRAME_BYTES;
  #killReason: string | undefined;
  /** What Deno wrote about why it ends. */
  #complaint: string | undefined;
  /** What Deno writes from then on is for its developers. */
  #isCrashing = false;
  #stray = { second: 0, bytes: 0, lines: 0 };
  readonly #strayLines = new LineLimit({
    onLeftOut: (count) => this.#log.warning("{count} more lines of output left out", { count }),
  });

  /**
   * @param category of log lines for its output
   * @throws {Deno.errors} when the process cannot be started.
   */
  constructor(
    command: HostCommand,
    { setup, category, ...events }: PipeEvents & {
      readonly setup: Omit<HostSetup, "token" | "markHex">;
      readonly category: string;
    },
  ) {
    this.#log = logger(category);
    this.#events = events;
    this.#isLone = setup.isLone;
    this.#process = startProcess(command);
    this.#input = new HostInput(this.#process.stdin, command.input);
    const markHex = Array.from(this.#mark, (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.#input.message({ token: this.#token, markHex, ...setup });
  }

  /** Writes to the host. */
  get input(): HostInput {
    return this.#input;
  }

  /** From now on a frame may hold a result of this size. */
  expectResults(maxResultBytes: number): void {
    this.#maxFrameBytes = Math.max(this.#maxFrameBytes, maxResultBytes + FRAME_BYTES);
  }

  /** Ends the process at once. */
  kill(reason: string): void {
    this.#killReason ??= reason;
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has exited.
    }
  }

  /**
   * Reads until the process has ended.
   *
   * @returns why it ended, after everything that it had written.
   */
  async run(): Promise<string> {
    const guard = (reading: Promise<void>): Promise<void> =>
      reading.catch((error) => this.kill(`its output cannot be read: ${reasonOf(error)}`));
    const [status] = await Promise.all([
      this.#process.status,
      guard(this.#readFrames()),
      guard(this.#readErrors()),
    ]);
    await this.#input.close();
    this.#strayLines.flush();
    const how = status.signal === null ? `exit code ${status.code}` : status.signal;
    return this.#killReason ?? this.#explain(how);
  }

  #explain(how: string): string {
    const complaint = this.#complaint;
    if (complaint === undefined) return how;
    if (OUT_OF_MEMORY.test(complaint)) return `${how}, out of memory`;
    return `${how}, ${complaint}`;
  }

  /** Reads into one buffer: a stream that brings a buffer for each read costs twice as much. */
  async #readFrames(): Promise<void> {
    const splitter = new FrameSplitter(this.#mark, {
      onFrame: (worker, payload) => this.#receiveFrame(worker, payload),
      onStray: (bytes) => this.#receiveStray(bytes),
    });
    const reader = this.#process.stdout.getReader({ mode: "byob" });
    let buffer = new ArrayBuffer(BUFFER_BYTES);
    let used = 0;
    while (true) {
      const { value } = await reader.read(new Uint8Array(buffer, used));
      if (value === undefined || value.length === 0) return;
      buffer = value.buffer;
      const bytes = new Uint8Array(buffer, 0, used + value.length);
      const { taken, needed } = splitter.take(bytes);
      if (needed > this.#maxFrameBytes) return this.kill("it sent a message without end");
      used = bytes.length - taken;
      if (taken > 0 && used > 0) bytes.copyWithin(0, taken);
      buffer = fit(buffer, used, needed);
    }
  }

  #receiveFrame(worker: number, payload: Uint8Array): void {
    // What a function wrote before it without a line end is a line.
    if (this.#strayOutput.pendingBytes > 0) this.#receiveStray(LINE_END);
    if (!this.#events.onResults(worker, payload)) this.#countStray(payload.length, 1);
  }

  #receiveStray(bytes: Uint8Array): void {
    const lines = this.#strayOutput.read(bytes);
    this.#countStray(bytes.length, lines.length + this.#strayOutput.takeEmptyLines());
    for (const line of lines) {
      if (this.#strayLines.allows()) this.#log.info("{line}", { line: line.slice(0, 500) });
    }
    if (this.#strayOutput.pendingBytes > MAX_STRAY_LINE_BYTES) this.#strayOutput.dropPending();
  }

  async #readErrors(): Promise<void> {
    const reader = new LineReader();
    for await (const bytes of this.#process.stderr) {
      const lines = reader.read(bytes);
      this.#limitPending(reader);
      let messages = 0;
      for (const line of lines) {
        if (line.startsWith(this.#token)) {
          messages++;
          if (this.#isLone) this.#countStray(line.length, 1);
          this.#receiveMessage(line.slice(this.#token.length));
        } else {
          this.#countStray(line.length, 1);
          this.#writeError(line);
        }
      }
      // The host begins each message with a line end of its own.
      const empty = reader.takeEmptyLines() - messages;
      if (empty > 0) this.#countStray(empty, empty);
    }
  }

  #receiveMessage(json: string): void {
    const message = parseFromHost(json);
    if (message === undefined) this.kill("it sent a message that the server does not know");
    else this.#events.onMessage(message);
  }

  /** A line that does not end is output, unless it is a long message. */
  #limitPending(reader: LineReader): void {
    if (reader.pendingBytes > MAX_MESSAGE_BYTES) this.kill("it sent a message without end");
    if (reader.pendingBytes <= MAX_STRAY_LINE_BYTES) return;
    if (reader.pendingStart(this.#token.length) === this.#token) return;
    this.#countStray(reader.pendingBytes, 1);
    reader.dropPending();
  }

  #writeError(line: string): void {
    if (COMPLAINT.test(line)) this.#complaint ??= line.slice(0, 200);
    this.#isCrashing ||= COMPLAINT.test(line) || CRASH.test(line);
    if (!this.#isCrashing && !this.#strayLines.allows()) return;
    this.#log[this.#isCrashing ? "debug" : "warning"]("{line}", { line: line.slice(0, 500) });
  }

  #countStray(bytes: number, lines: number): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#stray.second) this.#stray = { second, bytes: 0, lines: 0 };
    this.#stray.bytes += bytes;
    this.#stray.lines += lines;
    if (this.#stray.bytes > MAX_STRAY_BYTES || this.#stray.lines > MAX_STRAY_LINES) {
      this.kill("it wrote too much output");
    }
  }
}

/** Writes frames to a host; those of one turn of the event loop, and of one write, leave together. */
export class HostInput {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  /** What waits; the other one is being written. */
  #waiting = new ByteWriter();
  #leaving = new ByteWriter();
  #isWriting = false;

  /** @param first a text that the process reads before any frame */
  constructor(stream: WritableStream<Uint8Array>, first = "") {
    this.#writer = stream.getWriter();
    this.#waiting.bytes(new TextEncoder().encode(first));
  }

  /** Sends a message in JSON. */
  message(message: HostSetup | ToHost): void {
    this.#send(FRAME.message, 0, (out) => out.text(JSON.stringify(message)));
  }

  /** Sends calls to a worker. */
  calls(worker: number, calls: readonly HostedCall[]): void {
    this.#send(FRAME.calls, worker, (out) => writeCalls(out, calls));
  }

  /** Tells a worker that nobody waits for a call any more. */
  abort(worker: number, call: CallNumber): void {
    this.#send(FRAME.abort, worker, (out) => writeNumber(out, call));
  }

  async close(): Promise<void> {
    await this.#writer.close().catch(() => {});
  }

  #send(kind: number, worker: number, write: (out: ByteWriter) => void): void {
    writeFrame(this.#waiting, { kind, worker }, write);
    if (!this.#isWriting) this.#flush();
  }

  async #flush(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#waiting.length > 0) {
        const leaving = this.#waiting;
        this.#waiting = this.#leaving;
        this.#leaving = leaving;
        await this.#writer.write(leaving.written);
        leaving.clear();
      }
      this.#isWriting = false;
    } catch {
      // It is ending; its end is reported by itself.
    }
  }
}

const LINE_END = Uint8Array.of(10);

/** A buffer for what is pending and needed; a large one grows with what arrived, not with what was announced. */
function fit(buffer: ArrayBuffer, used: number, needed: number): ArrayBuffer {
  const isLarge = needed > BUFFER_BYTES;
  const size = isLarge ? Math.min(needed, Math.max(BUFFER_BYTES, 2 * used)) : BUFFER_BYTES;
  if (size === buffer.byteLength || isLarge && size < buffer.byteLength) return buffer;
  const fitting = new ArrayBuffer(size);
  new Uint8Array(fitting).set(new Uint8Array(buffer, 0, used));
  return fitting;
}
