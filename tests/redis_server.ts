/**
 * @module
 * The real redis-server of the system, in a process of its own, on a port of 127.0.0.1.
 */
import { waitUntil } from "./functions.ts";
import { isInstalled } from "./conditions.ts";
import { freePort, run, type TempFolder } from "./program.ts";

/** Whether redis-server and redis-cli are there. */
export const HAS_REDIS = isInstalled("redis-server") && isInstalled("redis-cli");

/** Why tests are skipped without it. */
export const NO_REDIS = "redis-server is not installed";

/** A Redis server. */
export class RedisServer {
  #port = freePort();
  readonly #folder: TempFolder;
  readonly #args: readonly string[];
  #process: Deno.ChildProcess | undefined;

  private constructor(folder: TempFolder, args: readonly string[]) {
    this.#folder = folder;
    this.#args = args;
  }

  /** Starts it, without persistence, and waits until it answers. */
  static async start(folder: TempFolder, args: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(folder, args);
    await server.startAgain();
    return server;
  }

  /** Starts it on the same port, empty. */
  async startAgain(): Promise<void> {
    const args = ["--port", `${this.#port}`, "--bind", "127.0.0.1", "--save", "", ...this.#args];
    this.#process = new Deno.Command("/usr/bin/redis-server", {
      args: [...args, "--dir", this.#folder.path],
      cwd: this.#folder.path,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await waitUntil(async () => /PONG|NOAUTH/.test(await this.ask("ping")), "an answer of Redis");
  }

  /** The reply to a command, as redis-cli prints it. */
  async ask(...command: string[]): Promise<string> {
    const line = ["/usr/bin/redis-cli", "-p", `${this.#port}`, ...command];
    return (await run(line, { cwd: "/" })).out.trim();
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Listens on another port, as an address that is moved to another server at a failover. */
  async moveTo(port: number): Promise<void> {
    await this.ask("config", "set", "port", `${port}`);
    this.#port = port;
    await waitUntil(async () => await this.ask("ping") === "PONG", "an answer of Redis");
  }

  signal(signal: Deno.Signal): void {
    this.#process?.kill(signal);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#process?.status;
    this.#process = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process !== undefined) await this.kill();
  }
}
