/**
 * @module
 * The server's side of one function host, from its start to its end: the process, the messages, the
 * workers in it and whether they have loaded. Which host serves a function is decided function by
 * function: a host serves those that loaded in it until a later one does.
 */
import { reasonOf } from "../errors.ts";
import { LineLimit } from "../limits/line_limit.ts";
import { logger } from "../log.ts";
import { believeAbout, type FunctionAbout } from "./about.ts";
import { type LoadedFunction, type ServedFunction, WorkerSlot } from "./function.ts";
import { type FromHost, type HostedFunction, LineReader, type ToHost } from "./messages.ts";

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

/** What happens in hosts; the supervisor listens. */
export interface HostEvents {
  /** Every worker of a function has loaded it. */
  loaded(host: HostProcess, served: ServedFunction, loaded: LoadedFunction): void;
  failed(host: HostProcess, served: ServedFunction, why: string): void;
  /** Once, when each function has loaded or failed; `isTainted` when a module still loads. */
  settled(host: HostProcess, isTainted: boolean): void;
  /** Once, whatever the reason; after everything that it had written. */
  ended(host: HostProcess, reason: string): void;
}

/** What a host is made of. */
export interface HostParts {
  readonly served: readonly ServedFunction[];
  readonly command: HostCommand;
  /** Bytes of resident memory beyond those at the start. */
  readonly maxGrowthBytes: number;
}

/** Time for a module to load, its top-level `await` included. */
const LOAD_TIMEOUT_MS = 10_000;
/** Bytes of stray output in a second, beyond which a host is ended: reading them costs the server. */
const MAX_STRAY_BYTES = 4 * 1024 * 1024;
/** Longest message: the largest MaxResult, as JSON of control characters. */
const MAX_LINE_LENGTH = 6 * 67_108_864 + 65_536;

const log = logger("functions");

/** A function host. */
export class HostProcess {
  readonly #token = crypto.randomUUID();
  readonly #events: HostEvents;
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #encoder = new TextEncoder();
  #outgoing = "";
  #isWriting = false;
  /** By worker number. */
  readonly #workers: { served: ServedFunction; slot: WorkerSlot }[] = [];
  /** Workers that have not loaded yet, by function. */
  readonly #loading = new Map<ServedFunction, number>();
  readonly #loadTimer: ReturnType<typeof setTimeout>;
  #endReason: string | undefined;
  /** What Deno wrote about why it ends. */
  #complaint: string | undefined;
  #isRetiring = false;
  #stray = { second: 0, bytes: 0 };
  readonly #strayLines = new LineLimit({
    onLeftOut: (count) => log.warning("{count} more lines of output left out", { count }),
  });

  /** @throws {Deno.errors} when the process cannot be started. */
  constructor({ served, command, maxGrowthBytes }: HostParts, events: HostEvents) {
    this.#events = events;
    this.#process = spawn(command);
    this.#writer = this.#process.stdin.getWriter();
    const hosted = served.map(toHosted);
    served.forEach((each, i) => {
      const instances = hosted[i]?.instances ?? 1;
      this.#loading.set(each, instances);
      for (let n = 0; n < instances; n++) {
        const slot = new WorkerSlot(this.#workers.length, (message) => this.#send(message));
        this.#workers.push({ served: each, slot });
      }
    });
    this.#outgoing = command.input ?? "";
    this.#write(JSON.stringify({ token: this.#token, functions: hosted, maxGrowthBytes }));
    this.#loadTimer = setTimeout(() => this.#giveUpLoading(), LOAD_TIMEOUT_MS);
    this.#live();
  }

  /** Functions that have neither loaded nor failed. */
  get loading(): ServedFunction[] {
    return [...this.#loading.keys()];
  }

  /** Whether it was told to end. */
  get isRetiring(): boolean {
    return this.#isRetiring;
  }

  /** Whether new calls go to no worker of this host, and none is waited for. */
  get isIdle(): boolean {
    return this.#workers.every(({ served, slot }) =>
      slot.awaited === 0 && !served.slots.includes(slot)
    );
  }

  /** Ends the process, because it is not needed any more. */
  retire(): void {
    this.#isRetiring = true;
    this.#kill("it is not needed any more");
  }

  #kill(reason: string): void {
    this.#endReason ??= reason;
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has exited.
    }
  }

  #send(message: ToHost): void {
    this.#write(JSON.stringify(message));
  }

  /** Lines of one turn of the event loop leave together. */
  #write(line: string): void {
    this.#outgoing += `${line}\n`;
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
    clearTimeout(this.#loadTimer);
    this.#strayLines.flush();
    const how = status.signal === null ? `exit code ${status.code}` : status.signal;
    const why = this.#complaint === undefined ? how : `${how}, ${this.#complaint}`;
    const reason = this.#endReason ?? why;
    for (const served of new Set(this.#workers.map((each) => each.served))) {
      served.loseWorkers(this.#slotsOf(served), `its process ended: ${reason}`);
    }
    this.#events.ended(this, reason);
  }

  async #read(stream: ReadableStream<Uint8Array>, isError: boolean): Promise<void> {
    const lines = new LineReader();
    try {
      for await (const bytes of stream) {
        for (const line of lines.read(bytes)) this.#handle(line, isError);
        if (lines.pendingLength > MAX_LINE_LENGTH) this.#kill("a line of its output never ended");
      }
    } catch (error) {
      this.#kill(`its output cannot be read: ${reasonOf(error)}`);
    }
  }

  #handle(line: string, isError: boolean): void {
    if (!isError && line.startsWith(this.#token)) {
      this.#receive(JSON.parse(line.slice(this.#token.length)));
    } else if (line !== "") this.#handleStray(line, isError);
  }

  /** A line that is no message: functions and Deno can write to the same descriptors. */
  #handleStray(line: string, isError: boolean): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#stray.second) this.#stray = { second, bytes: 0 };
    this.#stray.bytes += line.length;
    if (this.#stray.bytes > MAX_STRAY_BYTES) this.#kill("it wrote too much output");
    else if (this.#strayLines.allows()) {
      // What Deno writes when it ends is for its developers.
      log[isError ? "debug" : "info"]("{line}", { line: line.slice(0, 500) });
    }
    if (isError && /^#?\s*(?:error:|Fatal )/i.test(line)) this.#complaint ??= line.slice(0, 200);
  }

  #receive(message: FromHost): void {
    if (message[0] === "memory") {
      const megabytes = Math.round(message[1] / 1024 / 1024);
      this.#kill(`it had ${megabytes} MB, more than MaxHeap allows`);
      return;
    }
    const worker = this.#workers[message[1]];
    if (worker === undefined) return;
    const { served, slot } = worker;
    if (message[0] === "results") served.receive(slot, message[2], message[3]);
    else if (message[0] === "loaded") this.#noteLoaded(served, believeAbout(message[2]));
    else if (message[0] === "failed") this.#noteFailed(served, message[2]);
    else {
      const own = logger(`functions.${served.functionName}`);
      if (message[0] === "output") own[message[2]]("{text}", { text: message[3] });
      else own.warn("{count} more lines left out", { count: message[2] });
    }
  }

  #slotsOf(served: ServedFunction): WorkerSlot[] {
    return this.#workers.filter((each) => each.served === served).map(({ slot }) => slot);
  }

  #noteLoaded(served: ServedFunction, about: FunctionAbout): void {
    const missing = this.#loading.get(served);
    if (missing === undefined) return;
    this.#loading.set(served, missing - 1);
    if (missing > 1) return;
    this.#loading.delete(served);
    this.#events.loaded(this, served, { slots: this.#slotsOf(served), about });
    this.#checkSettled(false);
  }

  #noteFailed(served: ServedFunction, why: string): void {
    if (!this.#loading.delete(served)) return;
    this.#events.failed(this, served, why);
    this.#checkSettled(false);
  }

  #giveUpLoading(): void {
    for (const served of this.loading) {
      this.#loading.delete(served);
      this.#events.failed(this, served, `does not finish loading in ${LOAD_TIMEOUT_MS / 1000} s`);
    }
    this.#checkSettled(true);
  }

  #checkSettled(isTainted: boolean): void {
    if (this.#loading.size > 0) return;
    clearTimeout(this.#loadTimer);
    this.#events.settled(this, isTainted);
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

function toHosted({ functionName, plan }: ServedFunction): HostedFunction {
  if (plan === undefined) throw new Error(`function ${functionName} has no plan`);
  const { config, permissions, moduleUrl } = plan;
  const { instances, maxResultBytes } = config;
  return { functionName, moduleUrl, permissions, instances, maxResultBytes };
}
