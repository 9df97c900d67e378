/**
 * @module
 * One connection to a Redis or Valkey server, and the only file that knows the client library. A command
 * has a deadline of its own, because a server that was stopped gives neither a reply nor an error. The
 * library neither reconnects nor queues: link.ts does that.
 */
import type { RedisClientType } from "@redis/client";
import { Buffer } from "node:buffer";
import type { ClusterSettings, RedisAddress } from "../config/settings.ts";
import { ConfigError, reasonOf } from "../errors.ts";
import { networkReason } from "../network_reason.ts";

/** The last of these milliseconds, for replies that arrived while this process was busy. */
const READ_MS = 10;
/** Milliseconds for connecting, TLS and authentication. */
const CONNECT_DEADLINE_MS = 1000;

/** A part of a command. Bytes are sent as they are. */
export type RedisArgument = string | Uint8Array;

/** How to reach a server. */
export interface RedisTarget {
  readonly address: RedisAddress;
  readonly password?: string | undefined;
  /** PEM of the authorities for TLS; the public ones when absent. */
  readonly ca?: string | undefined;
  /** Milliseconds that a command may take, from its call to its reply. */
  readonly timeoutMs: number;
}

/** Redis cannot be asked, or refused a command. The message never holds a value of a command. */
export class RedisError extends Error {
  override readonly name = "RedisError";
  /** First word of an error reply, `NOSCRIPT`; `timeout` or `lost` when there was no reply. */
  readonly kind: string;

  constructor(kind: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** A connection that works until it fails once. */
export class RedisConnection {
  readonly #client: RedisClientType;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<(error: RedisError) => void>();
  #failure: RedisError | undefined;
  /** Called once, when the connection cannot be used any more. */
  onFailure: (error: RedisError) => void = () => {};

  private constructor(client: RedisClientType, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
    client.on("error", (error) => this.fail(lost(error)));
    client.on("end", () => this.fail(lost(undefined)));
  }

  /**
   * Connects and authenticates.
   *
   * @throws {RedisError} when that fails or takes longer than a second.
   */
  static async open({ address, password, ca, timeoutMs }: RedisTarget): Promise<RedisConnection> {
    // Loaded here: a server without [Cluster] needs neither the time nor the memory.
    // CommonJS: the names of its exports are lost where it is bundled.
    const { default: { createClient } } = await import("@redis/client");
    const { host, port, isTls, username, database } = address;
    const client = createClient({
      ...username === undefined ? {} : { username },
      ...password === undefined ? {} : { password },
      database,
      RESP: 2,
      disableClientInfo: true,
      disableOfflineQueue: true,
      maintNotifications: "disabled",
      socket: {
        host,
        port,
        connectTimeout: CONNECT_DEADLINE_MS,
        reconnectStrategy: false,
        ...isTls ? { tls: true, ...ca === undefined ? {} : { ca } } : {},
      },
    }) as unknown as RedisClientType;
    const connection = new RedisConnection(client, timeoutMs);
    await connection.#inTime(client.connect(), CONNECT_DEADLINE_MS);
    return connection;
  }

  /**
   * Sends a command. Those of one turn of the event loop travel together.
   *
   * @throws {RedisError} without a reply in time, which also ends the
   * connection: a later reply would belong to nobody. Or for an error reply.
   */
  ask(command: readonly RedisArgument[]): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const args = command.map((each) => typeof each === "string" ? each : asBuffer(each));
    return this.#inTime(this.#client.sendCommand(args), this.#timeoutMs);
  }

  /** Ends the connection; what waits for a reply fails with this error, now. */
  fail(error: RedisError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
    this.#destroy();
    this.onFailure(error);
  }

  /** Ends the connection on purpose. */
  close(): void {
    this.onFailure = () => {};
    this.fail(new RedisError("lost", "the connection was closed"));
  }

  #destroy(): void {
    try {
      this.#client.destroy();
    } catch {
      // It is closed already.
    }
  }

  #inTime<T>(reply: Promise<T>, deadlineMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(reject);
      };
      let timer = setTimeout(() => {
        // Where this process was busy itself, the reply may be there and not read yet.
        timer = setTimeout(() => {
          this.fail(new RedisError("timeout", `no reply within ${deadlineMs} ms`));
        }, READ_MS);
      }, deadlineMs - READ_MS);
      this.#waiting.add(reject);
      reply.then((value) => {
        settle();
        resolve(value);
      }, (error) => {
        settle();
        // The error that ended the connection says more than what the library makes of it.
        reject(this.#failure ?? errorOf(error));
      });
    });
  }
}

/** The part of config.ini that describes a connection. */
export type TargetSettings = Pick<
  ClusterSettings,
  "redis" | "password" | "passwordFile" | "caFile" | "timeoutMs"
>;

/**
 * The connection that config.ini describes.
 *
 * @throws {ConfigError} when a file with the password or the authority cannot be read.
 */
export async function targetOf(
  { redis: address, password, passwordFile, caFile, timeoutMs }: TargetSettings,
): Promise<RedisTarget> {
  const read = async (path: string): Promise<string> => {
    try {
      return await Deno.readTextFile(path);
    } catch (cause) {
      throw new ConfigError(`Cannot read ${path}: ${reasonOf(cause)}`, { cause });
    }
  };
  const fromFile = passwordFile === undefined || password !== undefined
    ? password
    : (await read(passwordFile)).replace(/\r?\n$/, "");
  return { address, password: fromFile, ca: caFile && await read(caFile), timeoutMs };
}

/** Where a server is, for messages: never who asks. */
export function nameOf({ host, port }: RedisAddress): string {
  return `Redis at ${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function lost(cause: unknown): RedisError {
  const error = cause === undefined ? undefined : errorOf(cause);
  return error ?? new RedisError("lost", "the connection was closed");
}

/** What people read of an error reply: it can repeat what was sent. */
const REPLIES: Readonly<Record<string, string>> = {
  WRONGPASS: "it does not accept the user or the password",
  NOAUTH: "it wants a password: set MSP_REDIS_PASSWORD or [Cluster] PasswordFile",
  NOPERM: "its user may not run a command that is needed; see docs/cluster.md",
  READONLY: "it is a replica that accepts no writes",
  MASTERDOWN: "it is a replica without its primary",
  LOADING: "it is loading its data",
  OOM: "its memory is full",
  MISCONF: "it accepts no writes because it cannot save its data",
  NOREPLICAS: "it accepts no writes because it has too few replicas",
  BUSY: "a script keeps it busy",
};

function errorOf(error: unknown): RedisError {
  if (error instanceof RedisError) return error;
  const text = error instanceof Error ? error.message : "";
  const [, kind = ""] = /^([A-Z]{3,20})(?: |$)/.exec(text) ?? [];
  const known = REPLIES[kind] ?? /invalid password|no password is set/i.test(text)
    ? REPLIES[kind] ?? REPLIES["WRONGPASS"]
    : undefined;
  if (known !== undefined) return new RedisError(kind || "WRONGPASS", known, error);
  if (/socket closed/i.test(text)) return new RedisError("lost", "it closed the connection", error);
  if (kind !== "") return new RedisError(kind, `it answered with the error ${kind}`, error);
  return new RedisError("lost", networkReason(error).state, error);
}
