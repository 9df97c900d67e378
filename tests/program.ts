/**
 * @module
 * Runs the real program: `deno run` with the permissions of the `msp` task, or the executable that
 * MSP_TEST_BINARY names. Waits for states, never for time; whatever was started is stopped.
 */
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { programFlags } from "../tasks/flags.ts";
import { repositoryPath } from "../tasks/root.ts";

const BINARY = Deno.env.get("MSP_TEST_BINARY");

/** Program and arguments that come before those of a test. */
export const PROGRAM: readonly string[] = programLine();

/** The runtime of the program under test. */
export interface Runtime {
  /** Version of Deno. */
  readonly version: string;
  /** Whether it is an executable; some things are fixed when that is built. */
  readonly isExecutable: boolean;
  /** Whether its version is this one or a newer one. */
  readonly isAtLeast: (version: string) => boolean;
}

/** What the program under test says of its runtime. */
export const RUNTIME: Runtime = await askRuntime();

function programLine(): string[] {
  if (BINARY !== undefined) return [resolve(BINARY)];
  return [Deno.execPath(), "run", ...programFlags(), repositoryPath("main.ts")];
}

async function askRuntime(): Promise<Runtime> {
  const version = BINARY === undefined ? Deno.version.deno : await askVersion();
  const isAtLeast = (wanted: string): boolean =>
    version.localeCompare(wanted, "en", { numeric: true }) >= 0;
  return { version, isExecutable: BINARY !== undefined, isAtLeast };
}

/** Fails when the file is another program, such as a plain runtime. */
async function askVersion(): Promise<string> {
  const { out, err } = await run([...PROGRAM, "--version"], { cwd: "/" });
  const [, version] = /^msp \S+ \(Mini Share Point; .*\bDeno (\d+\.\d+\.\d+)/.exec(out) ?? [];
  assert.ok(version !== undefined, `MSP_TEST_BINARY is not the program: ${out}${err}`);
  return version;
}

/** What a command left behind. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Where and how to run. */
export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command to its end. */
export async function msp(
  args: readonly string[],
  { cwd, env = {} }: RunOptions,
): Promise<Outcome> {
  return await run([...PROGRAM, ...args], { cwd, env });
}

/** Runs any program to its end, without standard input. */
export async function run(line: readonly string[], options: RunOptions): Promise<Outcome> {
  const [command = "", ...args] = line;
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd: options.cwd,
    env: { ...options.env, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** Runs a command that must succeed, and gives its standard output. */
export async function mspOk(args: readonly string[], options: RunOptions): Promise<string> {
  const outcome = await msp(args, options);
  assert.equal(outcome.code, 0, outcome.err);
  return outcome.out;
}

/** A port that nobody listens on now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** How to start a server. */
export interface ServerOptions extends RunOptions {
  readonly args?: readonly string[];
  /** How many files it may have open. */
  readonly openFiles?: number;
  /** A program and its arguments, which becomes the server. */
  readonly wrap?: readonly string[];
  /** How the program itself is started, if not as {@link PROGRAM}. */
  readonly program?: readonly string[];
}

/** A server of the program, in a process of its own. */
export class ServerProcess {
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<unknown>;
  #out = "";
  #err = "";
  #isOver = false;
  #onText = (): void => {};

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#output = Promise.all([
      this.#collect(process.stdout, (text) => void (this.#out += text)),
      this.#collect(process.stderr, (text) => void (this.#err += text)),
    ]).finally(() => {
      this.#isOver = true;
      this.#onText();
    });
  }

  /** Starts a server on a free port and waits until it is ready. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const args = ["--host", "127.0.0.1", "--port", "0", ...options.args ?? []];
    return await ServerProcess.startListening({ ...options, args });
  }

  /** Starts a server where its configuration says, and waits until it is ready. */
  static async startListening(options: ServerOptions): Promise<ServerProcess> {
    const server = ServerProcess.spawn(options);
    await server.waitUntilReady();
    return server;
  }

  /** Starts a server where its configuration says, and waits for nothing. */
  static spawn(options: ServerOptions): ServerProcess {
    const { openFiles, args = [] } = options;
    // The shell becomes the program, so that signals reach it.
    const limit = openFiles === undefined
      ? []
      : ["bash", "-c", `ulimit -n ${openFiles}; exec "$@"`, "bash"];
    const line = [...limit, ...options.wrap ?? [], ...options.program ?? PROGRAM, "serve", ...args];
    const process = new Deno.Command(line[0] ?? "", {
      args: line.slice(1),
      cwd: options.cwd,
      env: { ...options.env, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new ServerProcess(process);
  }

  /** Waits for the ready line. */
  async waitUntilReady(): Promise<void> {
    await this.waitFor(() => this.#out.includes("\n"), "the ready line");
  }

  /** The ready line. */
  get out(): string {
    return this.#out;
  }

  /** The log so far. */
  get err(): string {
    return this.#err;
  }

  get url(): string {
    return /https?:\/\/\S+/.exec(this.#out)?.[0] ?? "";
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get publicKeyBase64(): string {
    return /public key (\S+)/.exec(this.#out)?.[1] ?? "";
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Waits until something is true of the output; fails when the program ends before, or after 20 s. */
  async waitFor(condition: () => boolean, what: string): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve, reject) => {
      const fail = (): void => reject(new Error(`no ${what}; standard error:\n${this.#err}`));
      timer = setTimeout(fail, 20_000);
      this.#onText = () => {
        if (condition()) resolve();
        else if (this.#isOver) fail();
      };
      this.#onText();
    }).finally(() => clearTimeout(timer));
    this.#onText = () => {};
  }

  /** Waits for a line of the log. */
  async waitForLog(pattern: RegExp): Promise<void> {
    await this.waitFor(() => pattern.test(this.#err), String(pattern));
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Waits for the end of the process. */
  async status(): Promise<Deno.CommandStatus> {
    const status = await this.#process.status;
    await this.#output;
    return status;
  }

  /** Stops it in an orderly way, and gives the exit code. */
  async stop(): Promise<number> {
    if (!this.#isOver) this.signal("SIGTERM");
    return (await this.status()).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #collect(
    stream: ReadableStream<Uint8Array>,
    append: (text: string) => void,
  ): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      append(decoder.decode(chunk, { stream: true }));
      this.#onText();
    }
  }
}

/** A folder that is gone after the test. */
export class TempFolder {
  private constructor(readonly path: string) {}

  static async make(): Promise<TempFolder> {
    return new TempFolder(await Deno.makeTempDir({ prefix: "msp-test-" }));
  }

  join(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  async write(path: string, text: string): Promise<void> {
    const target = this.join(path);
    await Deno.mkdir(join(target, ".."), { recursive: true });
    await Deno.writeTextFile(target, text);
  }

  async read(path: string): Promise<string> {
    return await Deno.readTextFile(this.join(path));
  }

  async names(path = "."): Promise<string[]> {
    const entries = await Array.fromAsync(Deno.readDir(this.join(path)));
    return entries.map(({ name }) => name).sort();
  }

  async mode(path: string): Promise<string> {
    return ((await Deno.stat(this.join(path))).mode ?? 0 & 0o777).toString(8).slice(-3);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
