/**
 * @module
 * A listening socket: `Deno.serve`, its life and its end, for the endpoint and for the admin address.
 * What is answered is up to the handler.
 */
import type { ListenAddress } from "../config/settings.ts";
import { ConfigError, reasonOf } from "../errors.ts";
import { removeIfThere } from "../files.ts";
import { logger } from "../log.ts";
import type { FaultyPart, Observer } from "../observer.ts";
import { pairFault, type TlsPair } from "./tls.ts";

/** How long a stop waits for requests in flight. */
const STOP_TIMEOUT_MS = 10_000;
/** Time for the last answers to leave, after the last request has been handled. */
const FLUSH_MS = 200;
/** First pause before listening again, and the longest. */
const RETRY_MS = { first: 500, longest: 10_000 } as const;
/** What stands in for the address of a peer on a Unix socket. */
const LOCAL_PEER = "local";
const log = logger("server");

/** Where to listen. */
export interface ListenOptions extends ListenAddress {
  /** A Unix socket in place of host and port. */
  readonly socket?: { readonly path: string; readonly mode: number };
  readonly tls?: TlsPair;
}

/** Answers one request; never rejects. */
export type Handler = (request: Request, peerAddress: string) => Promise<Response>;

/** What a listener serves, and who is told when it fails. */
export interface ListenerParts {
  readonly handler: Handler;
  readonly observer: Observer;
  readonly part: FaultyPart & ("listener" | "admin_listener");
  /** Options that choose the address, for a hint. */
  readonly addressOptions: string;
}

/** Listens until it is stopped. */
export class Listener {
  readonly #parts: ListenerParts;
  readonly #address: ListenOptions;
  #port: number;
  #tls: TlsPair | undefined;
  #server: Deno.HttpServer | undefined;
  #isStopping = false;
  #inFlight = 0;
  #onIdle = (): void => {};
  #retryMs: number = RETRY_MS.first;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  private constructor(parts: ListenerParts, address: ListenOptions) {
    this.#parts = parts;
    this.#address = address;
    this.#port = address.port;
    this.#tls = address.tls;
  }

  /**
   * Listens.
   *
   * @throws {ConfigError} when the address cannot be listened on, or certificate and key do not fit.
   */
  static async start(parts: ListenerParts, address: ListenOptions): Promise<Listener> {
    const listener = new Listener(parts, address);
    if (address.tls !== undefined) listener.#probe();
    await listener.#listen();
    return listener;
  }

  /** Whether it listens now. */
  get isListening(): boolean {
    return this.#server !== undefined && !this.#isStopping;
  }

  /** Host and port, with the port that was taken; or the path of the socket. */
  get listening(): string {
    const { socket, host } = this.#address;
    return socket?.path ?? `${bracketed(host)}:${this.#port}`;
  }

  /** Scheme, host and port for a client on this machine; of a Unix socket, those to send to it. */
  get origin(): string {
    const { socket, host } = this.#address;
    if (socket !== undefined) return "http://localhost";
    const isAny = host === "0.0.0.0" || host === "::";
    const scheme = this.#tls === undefined ? "http" : "https";
    return `${scheme}://${isAny ? "localhost" : bracketed(host)}:${this.#port}`;
  }

  /**
   * Uses another certificate for new connections. Open connections finish their requests.
   *
   * @throws {ConfigError} when certificate and key do not fit; then the previous ones stay in use.
   */
  async useTls(pair: TlsPair): Promise<void> {
    const previous = { tls: this.#tls, server: this.#server };
    this.#tls = pair;
    try {
      await this.#listen();
    } catch (error) {
      this.#tls = previous.tls;
      throw error;
    }
    // Not waited for: one request that never ends would block the next certificate.
    previous.server?.shutdown().catch(() => {});
  }

  /** Stops accepting and waits for the requests in flight, 10 s at most. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#retryTimer);
    const timers: ReturnType<typeof setTimeout>[] = [];
    const after = (milliseconds: number, action: () => void): void =>
      void timers.push(setTimeout(action, milliseconds));
    await new Promise<void>((resolve) => {
      if (this.#server === undefined) resolve();
      this.#server?.shutdown().then(resolve, resolve);
      // Deno 2.4.2 waits for requests of which only a part was sent; we wait for those we have.
      this.#onIdle = () => after(FLUSH_MS, resolve);
      if (this.#inFlight === 0) this.#onIdle();
      after(STOP_TIMEOUT_MS, () => {
        log.warning("{count} requests did not end within {seconds} s and were dropped", {
          count: this.#inFlight,
          seconds: STOP_TIMEOUT_MS / 1000,
        });
        resolve();
      });
    });
    timers.forEach(clearTimeout);
    // Deno 2.4.2 leaves the socket file behind.
    if (this.#address.socket !== undefined) await removeIfThere(this.#address.socket.path);
  }

  #handle(request: Request, peerAddress: string): Promise<Response> {
    this.#inFlight++;
    const response = this.#parts.handler(request, peerAddress);
    response.then(() => {
      if (--this.#inFlight === 0 && this.#isStopping) this.#onIdle();
    });
    return response;
  }

  async #listen(): Promise<void> {
    const { socket } = this.#address;
    if (socket !== undefined) await removeStaleSocket(socket.path);
    try {
      const server = this.#serve();
      if (socket !== undefined) await Deno.chmod(socket.path, socket.mode);
      this.#checkAddress(server);
      if (server.addr.transport === "tcp") this.#port = server.addr.port;
      this.#server = server;
      server.finished.catch((error) => this.#listenAgain(server, error));
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #serve(): Deno.HttpServer {
    const { socket, host } = this.#address;
    const onListen = (): void => {};
    if (socket !== undefined) {
      // Deno creates the socket with mode 755: until the mode is set, only its owner may connect.
      return Deno.serve(
        { path: socket.path, onListen },
        (request) => this.#handle(request, LOCAL_PEER),
      );
    }
    const tcp = { hostname: host, port: this.#port, onListen };
    // With TLS, the next certificate listens beside the previous one.
    const options = this.#tls === undefined ? tcp : { ...tcp, ...this.#tls, reusePort: true };
    return Deno.serve(
      options,
      (request, { remoteAddr }) =>
        this.#handle(request, remoteAddr.transport === "tcp" ? remoteAddr.hostname : LOCAL_PEER),
    );
  }

  /** Deno overrides any address by the variable DENO_SERVE_ADDRESS, which it does not let us read. */
  #checkAddress(server: Deno.HttpServer): void {
    const { addr } = server;
    const { socket } = this.#address;
    // Deno 2.4.2 does not tell where it listens with TLS; the port was probed before.
    if (this.#tls !== undefined) return;
    const isAsked = socket !== undefined
      ? addr.transport !== "tcp"
      : addr.transport === "tcp" && (this.#port === 0 || addr.port === this.#port);
    if (isAsked) return;
    server.shutdown().catch(() => {});
    const other = addr.transport === "tcp" ? `${addr.hostname}:${addr.port}` : "a socket";
    throw new ConfigError(`Cannot listen on ${this.listening}: Deno listens on ${other} instead`, {
      hint: "unset the variable DENO_SERVE_ADDRESS",
    });
  }

  /**
   * A shared port does not tell that somebody else listens on it; and Deno 2.4.2 does not tell which
   * free port it took for TLS.
   */
  #probe(): void {
    try {
      using probe = Deno.listen({ hostname: this.#address.host, port: this.#port });
      this.#port = probe.addr.port;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): ConfigError {
    if (error instanceof ConfigError) return error;
    const { addressOptions } = this.#parts;
    const isForRoot = this.#address.socket === undefined && this.#port < 1024 &&
      error instanceof Deno.errors.PermissionDenied;
    if (this.#tls === undefined || isAddressError(error)) {
      return new ConfigError(`Cannot listen on ${this.listening}: ${reasonOf(error)}`, {
        cause: error,
        hint: isForRoot
          ? "a port below 1024 is for root: choose 1024 or more, or let a reverse proxy listen there"
          : `choose another address with ${addressOptions}`,
      });
    }
    return new ConfigError(`Cannot use the certificate: ${pairFault(error)}`, {
      cause: error,
      hint: "check [Server] CertFile and KeyFile in config.ini",
    });
  }

  /** Deno's server ends when it runs out of file descriptors; ours does not. */
  #listenAgain(failed: Deno.HttpServer | undefined, error: unknown): void {
    if (this.#isStopping || failed !== this.#server) return;
    const { observer, part } = this.#parts;
    if (this.#server !== undefined) {
      this.#retryMs = RETRY_MS.first;
      observer.fault(part, `Stopped listening on ${this.listening}: ${reasonOf(error)}; retrying`);
    }
    this.#server = undefined;
    this.#retryTimer = setTimeout(() => {
      this.#listen().then(
        () => observer.recovered(part, `Listening again on ${this.listening}`),
        (failure) => this.#listenAgain(undefined, failure),
      );
    }, this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS.longest);
  }
}

function isAddressError(error: unknown): boolean {
  return error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.AddrNotAvailable ||
    error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable;
}

/**
 * A host as it stands before a port: IPv6 addresses in brackets.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(bracketed("::1"), "[::1]");
 * assert.equal(bracketed("127.0.0.1"), "127.0.0.1");
 * ```
 */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** Removes a socket file that a killed server left behind; refuses one that is in use. */
async function removeStaleSocket(path: string): Promise<void> {
  const refuse = (state: string, cause?: unknown): never => {
    throw new ConfigError(`Cannot listen on ${path}: ${state}`, {
      cause,
      hint: "choose another path in config.ini [Server] Socket",
    });
  };
  try {
    const { isSocket } = await Deno.lstat(path);
    if (isSocket !== true) refuse("the file there is not a socket");
    if (await isAnswered(path)) refuse("another program listens there");
    await Deno.remove(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof ConfigError) throw error;
    refuse(reasonOf(error), error);
  }
}

async function isAnswered(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}
