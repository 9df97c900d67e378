/**
 * @module
 * The server's side of one function host: starts the process, sends and receives messages, ends it.
 */
import { reasonOf } from "../errors.ts";
import { type FromHost, type HostSetup, LineReader, type ToHost } from "./messages.ts";

/** How a host is started. */
export interface HostCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
}

/** What a host reports. */
export interface HostEvents {
  readonly onMessage: (message: FromHost) => void;
  /** A line that is no message: functions and the platform can write to the same descriptors. */
  readonly onStray: (line: string, isError: boolean) => void;
  /** Once, whatever the reason; after everything that it had written. */
  readonly onEnd: (reason: string) => void;
}

/** Bytes of stray output in a second, beyond which a host is ended: reading them costs the server. */
const MAX_STRAY_BYTES = 4 * 1024 * 1024;
/** Longest message: the largest MaxResult, as JSON of control characters. */
const MAX_LINE_LENGTH = 6 * 67_108_864 + 65_536;

/** A function host. */
export class HostProcess {
  readonly #token: string;
  readonly #events: HostEvents;
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #encoder = new TextEncoder();
  #outgoing = "";
  #isWriting = false;
  #endReason: string | undefined;
  /** What the platform wrote about why it ends. */
  #complaint: string | undefined;
  #stray = { second: 0, bytes: 0 };

  /** @throws {Deno.errors} when the process cannot be started. */
  constructor(command: HostCommand, setup: Omit<HostSetup, "token">, events: HostEvents) {
    const { program, args, env, uid, gid } = command;
    this.#token = crypto.randomUUID();
    this.#events = events;
    this.#process = new Deno.Command(program, {
      args: [...args],
      env: { ...env },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#write(`${JSON.stringify({ token: this.#token, ...setup })}\n`);
    this.#live();
  }

  /** Sends a message; those of one turn of the event loop leave together. */
  send(message: ToHost): void {
    this.#write(`${JSON.stringify(message)}\n`);
  }

  /** Ends the process at once; `reason` goes to {@link HostEvents.onEnd}. */
  kill(reason: string): void {
    this.#endReason ??= reason;
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // Over already.
    }
  }

  #write(text: string): void {
    this.#outgoing += text;
    if (!this.#isWriting) this.#flush();
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

  async #live(): Promise<void> {
    const [, , status] = await Promise.all([
      this.#read(this.#process.stdout, false),
      this.#read(this.#process.stderr, true),
      this.#process.status,
    ]);
    await this.#writer.close().catch(() => {});
    const how = status.signal === null ? `exit code ${status.code}` : status.signal;
    const why = this.#complaint === undefined ? how : `${how}, ${this.#complaint}`;
    this.#events.onEnd(this.#endReason ?? why);
  }

  async #read(stream: ReadableStream<Uint8Array>, isError: boolean): Promise<void> {
    const lines = new LineReader();
    try {
      for await (const bytes of stream) {
        for (const line of lines.read(bytes)) this.#handle(line, isError);
        if (lines.pendingLength > MAX_LINE_LENGTH) this.kill("a line of its output never ended");
      }
    } catch (error) {
      this.kill(`its output cannot be read: ${reasonOf(error)}`);
    }
  }

  #handle(line: string, isError: boolean): void {
    if (!isError && line.startsWith(this.#token)) {
      this.#events.onMessage(JSON.parse(line.slice(this.#token.length)));
    } else if (line !== "") this.#handleStray(line, isError);
  }

  #handleStray(line: string, isError: boolean): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#stray.second) this.#stray = { second, bytes: 0 };
    this.#stray.bytes += line.length;
    if (this.#stray.bytes > MAX_STRAY_BYTES) this.kill("it wrote too much output");
    else this.#events.onStray(line, isError);
    if (isError && /^#?\s*(?:error:|Fatal )/i.test(line)) this.#complaint ??= line.slice(0, 200);
  }
}
