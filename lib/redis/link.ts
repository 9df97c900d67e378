/**
 * @module
 * The way to the Redis or Valkey server that replicas share: one connection, opened again with growing
 * pauses after a failure. While there is none, a command fails at once: nothing waits for Redis.
 *
 * A connection is in use once every part has prepared it. The parts learn the server's `run_id`, which
 * changes when Redis restarts or another server takes over: then what Redis knew may be gone.
 */
import type { ClusterSettings } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";
import type { Observer } from "../observer.ts";
import { Retry } from "../retry.ts";
import {
  nameOf,
  type RedisArgument,
  RedisConnection,
  RedisError,
  targetOf,
  type TargetSettings,
} from "./connection.ts";
import type { Script } from "./script.ts";
import { readServerInfo } from "./server_info.ts";

/** Service must be back within 2 s of Redis; an attempt only waits, so it needs no rest. */
const PAUSES = { firstPauseMs: 50, longestPauseMs: 500, restFactor: 0 } as const;

/** How often a connection is tried that nobody uses: whether Redis answers is asked for by proxies. */
const PING_MS = 1000;

/** Error replies after which a connection can still be used. */
const HARMLESS = new Set(["NOSCRIPT"]);

/** What a part can do with a connection before it is in use. */
export interface RedisSession {
  /** Names this run of the server; another one may not know what this one knew. */
  readonly runId: string;
  ask(command: readonly RedisArgument[]): Promise<unknown>;
  /** Gives Redis a script, so that it can be run by its digest. */
  load(script: Script): Promise<unknown>;
  run(script: Script, call: ScriptCall): Promise<unknown>;
}

/** Names of keys, and other arguments of a script. */
export interface ScriptCall {
  readonly keys: readonly RedisArgument[];
  readonly args: readonly RedisArgument[];
}

/** What a link needs. */
export interface RedisLinkOptions {
  readonly settings: TargetSettings & Pick<ClusterSettings, "onFailure">;
  readonly observer: Pick<Observer, "fault" | "recovered" | "redisConnected" | "redisAsked">;
}

/** Asks Redis, as long as it can be asked. */
export class RedisLink {
  readonly #options: RedisLinkOptions;
  readonly #retry: Retry;
  readonly #parts: ((session: RedisSession) => Promise<void>)[] = [];
  #connection: RedisConnection | undefined;
  #runId: string | undefined;
  #isClosed = false;
  #pinging: ReturnType<typeof setInterval> | undefined;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
    const { settings: { redis, onFailure }, observer } = options;
    const name = nameOf(redis);
    const effect = onFailure === "local"
      ? "requests are accepted with the memory of this server alone, so a recorded request can run once " +
        "on each replica ([Cluster] OnFailure=local)"
      : "requests are refused until it answers";
    this.#retry = new Retry({
      ...PAUSES,
      attempt: () => this.#connect(),
      onFault: (error) =>
        observer.fault("redis", `Cannot use ${name}: ${stateOf(error)}; ${effect}`),
      onRecovered: () => observer.recovered("redis", `${name} can be used again`),
    });
  }

  /** Whether Redis can be asked. */
  get isUp(): boolean {
    return this.#connection !== undefined;
  }

  /** `run_id` of the server; `undefined` while it cannot be asked. */
  get runId(): string | undefined {
    return this.isUp ? this.#runId : undefined;
  }

  /** Adds what must be done with each new connection before it is in use. Before {@link open}. */
  prepare(part: (session: RedisSession) => Promise<void>): void {
    this.#parts.push(part);
  }

  /** Connects. When that fails, it is reported and tried again. */
  async open(): Promise<void> {
    await this.#retry.now();
    this.#pinging = setInterval(() => {
      // A failure ends the connection, and is reported there.
      if (this.isUp) this.ask(["PING"]).catch(() => {});
    }, PING_MS);
  }

  /**
   * Sends a command.
   *
   * @throws {RedisError} at once while there is no connection.
   */
  ask(command: readonly RedisArgument[]): Promise<unknown> {
    return this.#connection === undefined
      ? Promise.reject(new RedisError("lost", "there is no connection"))
      : this.#askOn(this.#connection, command);
  }

  /**
   * Runs a script, which is one step for everybody who asks.
   *
   * @throws {RedisError} as {@link ask} does.
   */
  run(script: Script, call: ScriptCall): Promise<unknown> {
    return runWith((command) => this.ask(command), script, call);
  }

  /** Ends the connection for good. */
  close(): void {
    clearInterval(this.#pinging);
    this.#isClosed = true;
    this.#retry.close();
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #connect(): Promise<void> {
    const { settings, observer } = this.#options;
    const connection = await RedisConnection.open(await targetOf(settings));
    try {
      const { runId, role } = readServerInfo(await connection.ask(["INFO"]));
      if (role !== "master") throw new RedisError("READONLY", "it is a replica, not a primary");
      const ask = (command: readonly RedisArgument[]): Promise<unknown> =>
        this.#askOn(connection, command);
      const session = {
        runId,
        ask,
        load: ({ text }: Script): Promise<unknown> => ask(["SCRIPT", "LOAD", text]),
        run: (script: Script, call: ScriptCall): Promise<unknown> => runWith(ask, script, call),
      };
      for (const part of this.#parts) await part(session);
      if (this.#isClosed) throw new RedisError("lost", "the server is stopping");
      this.#runId = runId;
    } catch (error) {
      connection.close();
      throw error;
    }
    connection.onFailure = (error) => {
      this.#connection = undefined;
      this.#retry.failed(error);
    };
    this.#connection = connection;
    observer.redisConnected();
  }

  async #askOn(connection: RedisConnection, command: readonly RedisArgument[]): Promise<unknown> {
    const { observer } = this.#options;
    const startedMs = performance.now();
    try {
      const reply = await connection.ask(command);
      observer.redisAsked("ok", performance.now() - startedMs);
      return reply;
    } catch (error) {
      const { kind } = error instanceof RedisError ? error : { kind: "lost" };
      const outcome = kind === "timeout" ? "timeout" : "error";
      observer.redisAsked(outcome, performance.now() - startedMs);
      // A server that refuses one command refuses the next: the outage is reported and tried again.
      if (error instanceof RedisError && !HARMLESS.has(kind)) connection.fail(error);
      throw error;
    }
  }
}

/** Runs a script by its digest, and sends the whole script where Redis does not have it. */
async function runWith(
  ask: (command: readonly RedisArgument[]) => Promise<unknown>,
  { text, digest }: Script,
  { keys, args }: ScriptCall,
): Promise<unknown> {
  const rest = [`${keys.length}`, ...keys, ...args];
  try {
    return await ask(["EVALSHA", digest, ...rest]);
  } catch (error) {
    if (!(error instanceof RedisError) || error.kind !== "NOSCRIPT") throw error;
    return await ask(["EVAL", text, ...rest]);
  }
}

function stateOf(error: unknown): string {
  const isKnown = error instanceof RedisError || error instanceof ConfigError;
  return isKnown ? error.message : "the client library failed";
}
