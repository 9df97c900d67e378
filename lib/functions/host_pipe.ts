/**
 * @module
 * The process of a function host and its pipes: starts it, writes messages, reads messages and whatever
 * else is written to its standard output and error, and keeps all of that within limits.
 */
import { reasonOf } from "../errors.ts";
import { LineLimit } from "../limits/line_limit.ts";
import { logger } from "../log.ts";
import { LineReader } from "./line_reader.ts";
import { type FromHost, MAX_OUTCOMES, parseFromHost } from "./messages.ts";

/** How a host is started. */
export interface HostCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** What it reads before the messages of the server. */
  readonly input?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * Output that is not a message, a second: beyond it the process is killed, because reading costs the
 * server.
 */
const MAX_STRAY_BYTES = 4 * 1024 * 1024;
const MAX_STRAY_LINES = 10_000;
/** Longest line that is not a message. */
const MAX_STRAY_LINE_BYTES = 65_536;
/** A message without the texts of results: numbers, names, one line of output. */
const MESSAGE_BYTES = 65_536 + 64 * MAX_OUTCOMES;
/** Bytes of a control character in JSON. */
const ESCAPED_BYTES = 6;
/** How Deno and V8 say why they end, and how they begin to. */
const COMPLAINT = /^#?\s*(?:error:|Fatal )/i;
const CRASH = /^(?:#|<---)/;

/** A process and its pipes. */
export class HostPipe {
  readonly #token = crypto.randomUUID();
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #encoder = new TextEncoder();
  readonly #log: ReturnType<typeof logger>;
  readonly #errorsRead: Promise<void>;
  #outgoing = "";
  #isWriting = false;
  #maxMessageBytes = MESSAGE_BYTES;
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
  constructor(command: HostCommand, category: string) {
    this.#log = logger(category);
    this.#process = spawn(command);
    this.#outgoing = command.input ?? "";
    this.#writer = this.#process.stdin.getWriter();
    this.#errorsRead = this.#readErrors();
  }

  /** Begins each line that is a message. */
  get token(): string {
    return this.#token;
  }

  /** From now on a message may hold a result of this size. */
  expectResults(maxResultBytes: number): void {
    const bytes = ESCAPED_BYTES * maxResultBytes + MESSAGE_BYTES;
    this.#maxMessageBytes = Math.max(this.#maxMessageBytes, bytes);
  }

  /** Sends a message as a line; those of one turn of the event loop leave together. */
  send(message: unknown): void {
    this.#outgoing += `${JSON.stringify(message)}\n`;
    if (!this.#isWriting) this.#flush();
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

  /** Messages, as they come together; ends with standard output. */
  async *messages(): AsyncGenerator<readonly FromHost[]> {
    const reader = new LineReader();
    try {
      for await (const bytes of this.#process.stdout) {
        const lines = reader.read(bytes);
        this.#limitPending(reader);
        const messages = lines.map((line) => this.#parse(line))
          .filter((each) => each !== undefined);
        // The host begins each message with a line end of its own.
        const empty = reader.takeEmptyLines() - messages.length;
        if (empty > 0) this.#countStray(empty, empty);
        if (messages.length > 0) yield messages;
      }
    } catch (error) {
      this.kill(`its output cannot be read: ${reasonOf(error)}`);
    }
  }

  /** Why the process ended; resolves after everything that it had written to standard error. */
  async ended(): Promise<string> {
    const [status] = await Promise.all([this.#process.status, this.#errorsRead]);
    await this.#writer.close().catch(() => {});
    this.#strayLines.flush();
    const how = status.signal === null ? `exit code ${status.code}` : status.signal;
    const why = this.#complaint === undefined ? how : `${how}, ${this.#complaint}`;
    return this.#killReason ?? why;
  }

  async #flush(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#outgoing !== "") {
        const bytes = this.#encoder.encode(this.#outgoing);
        this.#outgoing = "";
        await this.#writer.write(bytes);
      }
      this.#isWriting = false;
    } catch {
      // It is ending; its end is reported by itself.
    }
  }

  async #readErrors(): Promise<void> {
    const reader = new LineReader();
    try {
      for await (const bytes of this.#process.stderr) {
        const lines = reader.read(bytes);
        this.#countStray(bytes.length, lines.length);
        for (const line of lines) this.#writeError(line);
        if (reader.pendingBytes > MAX_STRAY_LINE_BYTES) reader.dropPending();
      }
    } catch (error) {
      this.kill(`its output cannot be read: ${reasonOf(error)}`);
    }
  }

  /** The message of a line. A line without the token is output: functions can write there too. */
  #parse(line: string): FromHost | undefined {
    if (!line.startsWith(this.#token)) {
      this.#countStray(line.length, 1);
      if (this.#strayLines.allows()) this.#log.info("{line}", { line: line.slice(0, 500) });
      return undefined;
    }
    const message = parseFromHost(line.slice(this.#token.length));
    if (message === undefined) this.kill("it sent a message that the server does not know");
    return message;
  }

  /** A line that does not end is output, unless it is a message with a long result. */
  #limitPending(reader: LineReader): void {
    if (reader.pendingBytes > this.#maxMessageBytes) this.kill("it sent a message without end");
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

function spawn({ program, args, env, uid, gid }: HostCommand): Deno.ChildProcess {
  return new Deno.Command(program, {
    args: [...args],
    env: { ...env },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  }).spawn();
}
