/**
 * @module
 * The listening socket: `Deno.serve`, its life and its end. What is answered is up to the endpoint.
 */
import { ConfigError, reasonOf } from "../errors.ts";
import { removeIfThere } from "../files.ts";
import { logger } from "../log.ts";
import { type Endpoint, ENDPOINT_PATH } from "./endpoint.ts";
import { bracketed } from "./host_name.ts";
import { removeStaleSocket } from "./socket_file.ts";
import { isPairMismatch, type TlsPair } from "./tls.ts";

/** How long a stop waits for requests in flight. */
const STOP_TIMEOUT_MS = 10_000;
/** Time for the last answers to leave, after the last request has been handled. */
const FLUSH_MS = 200;
/** Pause before listening again after the platform gave up. */
const RETRY_MS = 500;
/** What stands in for the address of a peer on a Unix socket. */
const LOCAL_PEER = "local";
const log = logger("server");

/** Where to listen. */
export interface ListenOptions {
  /** IP address or host name. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** A Unix socket in place of host and port. */
  readonly socket?: { readonly path: string; readonly mode: number };
  readonly tls?: TlsPair;
}

/** Listens until it is stopped. */
export class Listener {
  readonly #endpoint: Endpoint;
  readonly #address: ListenOptions;
  #port: number;
  #tls: TlsPair | undefined;
  #server: Deno.HttpServer | undefined;
  #isStopping = false;
  #inFlight = 0;
  #onIdle = (): void => {};

  private constructor(endpoint: Endpoint, address: ListenOptions) {
    this.#endpoint = endpoint;
    this.#address = address;
    this.#port = address.port;
    this.#tls = address.tls;
  }

  /**
   * Listens.
   *
   * @throws {ConfigError} when the address cannot be listened on, or certificate and key do not fit.
   */
  static async start(endpoint: Endpoint, address: ListenOptions): Promise<Listener> {
    const listener = new Listener(endpoint, address);
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

  /** URL of the endpoint for a client on this machine; of a Unix socket, the one to send to it. */
  get url(): string {
    const { socket, host } = this.#address;
    if (socket !== undefined) return `http://localhost${ENDPOINT_PATH}`;
    const isAny = host === "0.0.0.0" || host === "::";
    const scheme = this.#tls === undefined ? "http" : "https";
    return `${scheme}://${isAny ? "localhost" : bracketed(host)}:${this.#port}${ENDPOINT_PATH}`;
  }

  /**
   * Takes another certificate for new connections. Those that are open end their requests.
   *
   * @throws {ConfigError} when certificate and key do not fit; then the old ones stay in use.
   */
  async useTls(pair: TlsPair): Promise<void> {
    const before = { tls: this.#tls, server: this.#server };
    this.#tls = pair;
    try {
      await this.#listen();
    } catch (error) {
      this.#tls = before.tls;
      throw error;
    }
    // Not waited for: one request that never ends would keep the next certificate from coming.
    before.server?.shutdown().catch(() => {});
  }

  /** Stops accepting and lets the requests in flight end, for 10 s at most. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const timers: ReturnType<typeof setTimeout>[] = [];
    const after = (milliseconds: number, action: () => void): void =>
      void timers.push(setTimeout(action, milliseconds));
    await new Promise<void>((resolve) => {
      this.#server?.shutdown().then(resolve, resolve);
      // Deno 2.4.2 waits for requests of which only a part was sent; we wait for those we have.
      this.#onIdle = () => after(FLUSH_MS, resolve);
      if (this.#inFlight === 0) this.#onIdle();
      after(STOP_TIMEOUT_MS, () => {
        log.warning("{count} requests did not end within {seconds} s, dropped", {
          count: this.#inFlight,
          seconds: STOP_TIMEOUT_MS / 1000,
        });
        resolve();
      });
    });
    timers.forEach(clearTimeout);
    // Deno 2.4.2 leaves it there.
    if (this.#address.socket !== undefined) await removeIfThere(this.#address.socket.path);
  }

  #handle(request: Request, peerAddress: string): Promise<Response> {
    this.#inFlight++;
    const response = this.#endpoint(request, peerAddress);
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
      // The platform makes the socket with mode 755: until the mode is set, only its owner may connect.
      return Deno.serve(
        { path: socket.path, onListen },
        (request) => this.#handle(request, LOCAL_PEER),
      );
    }
    const tcp = { hostname: host, port: this.#port, onListen };
    // With TLS, the next certificate listens beside the one before.
    const options = this.#tls === undefined ? tcp : { ...tcp, ...this.#tls, reusePort: true };
    return Deno.serve(
      options,
      (request, { remoteAddr }) =>
        this.#handle(request, remoteAddr.transport === "tcp" ? remoteAddr.hostname : LOCAL_PEER),
    );
  }

  /**
   * A port that may be shared does not tell that somebody else listens on it; and Deno 2.4.2 does not tell
   * which free one it took for TLS.
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
    const isPairWrong = isPairMismatch(error);
    const state = isPairWrong ? "KeyFile is not the key of CertFile" : reasonOf(error);
    const hint = isPairWrong
      ? "see [Server] CertFile and KeyFile in config.ini"
      : "choose another address with --host and --port, or in config.ini [Server]";
    return new ConfigError(`Cannot listen on ${this.listening}: ${state}`, { cause: error, hint });
  }

  /** The platform gives up when it runs out of file descriptors; the server does not. */
  #listenAgain(failed: Deno.HttpServer | undefined, error: unknown): void {
    if (this.#isStopping || failed !== this.#server) return;
    this.#server = undefined;
    log.error("Listening failed: {reason}; trying again", { reason: reasonOf(error) });
    setTimeout(() => {
      this.#listen().then(
        () => log.info("Listening again on {listening}", { listening: this.listening }),
        (failure) => this.#listenAgain(undefined, failure),
      );
    }, RETRY_MS);
  }
}
