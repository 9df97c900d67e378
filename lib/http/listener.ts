/**
 * @module
 * The listening socket: `Deno.serve`, its life and its end. What is answered is up to the endpoint.
 */
import { ConfigError, reasonOf } from "../errors.ts";
import { logger } from "../log.ts";
import { type Endpoint, ENDPOINT_PATH } from "./endpoint.ts";

/** How long a stop waits for requests in flight. */
const STOP_TIMEOUT_MS = 10_000;
/** Time for the last answers to leave, after the last request has been handled. */
const FLUSH_MS = 200;
/** Pause before listening again after the platform gave up. */
const RETRY_MS = 500;
const log = logger("server");

/** Where to listen. */
export interface ListenAddress {
  /** IP address or host name. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

/** Listens from its construction on. */
export class Listener {
  readonly #endpoint: Endpoint;
  readonly #host: string;
  #port: number;
  #server: Deno.HttpServer<Deno.NetAddr>;
  #isStopping = false;
  #inFlight = 0;
  #onIdle = (): void => {};

  /** @throws {ConfigError} when the address cannot be listened on. */
  constructor(endpoint: Endpoint, { host, port }: ListenAddress) {
    this.#endpoint = endpoint;
    this.#host = host;
    this.#port = port;
    this.#server = this.#listen();
    this.#port = this.#server.addr.port;
  }

  /** Host and port, with the port that was taken. */
  get listening(): string {
    return `${bracketed(this.#host)}:${this.#port}`;
  }

  /** URL of the endpoint for a client on this machine. */
  get url(): string {
    const isAny = this.#host === "0.0.0.0" || this.#host === "::";
    return `http://${isAny ? "localhost" : bracketed(this.#host)}:${this.#port}${ENDPOINT_PATH}`;
  }

  /** Stops accepting and lets the requests in flight end, for 10 s at most. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const timers: ReturnType<typeof setTimeout>[] = [];
    const after = (milliseconds: number, action: () => void): void =>
      void timers.push(setTimeout(action, milliseconds));
    await new Promise<void>((resolve) => {
      this.#server.shutdown().then(resolve, resolve);
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
  }

  #handle(request: Request, peerAddress: string): Promise<Response> {
    this.#inFlight++;
    const response = this.#endpoint(request, peerAddress);
    response.then(() => {
      if (--this.#inFlight === 0 && this.#isStopping) this.#onIdle();
    });
    return response;
  }

  #listen(): Deno.HttpServer<Deno.NetAddr> {
    try {
      const server = Deno.serve(
        { hostname: this.#host, port: this.#port, onListen: () => {} },
        (request, { remoteAddr }) => this.#handle(request, remoteAddr.hostname),
      );
      server.finished.catch((error) => this.#listenAgain(error));
      return server;
    } catch (error) {
      throw new ConfigError(`Cannot listen on ${this.listening}: ${reasonOf(error)}`, {
        cause: error,
        hint: "choose another address with --host and --port, or in config.ini [Server]",
      });
    }
  }

  /** The platform gives up when it runs out of file descriptors; the server does not. */
  #listenAgain(error: unknown): void {
    if (this.#isStopping) return;
    log.error("Listening failed: {reason}; trying again", { reason: reasonOf(error) });
    setTimeout(() => {
      try {
        this.#server = this.#listen();
        log.info("Listening again on {listening}", { listening: this.listening });
      } catch (failure) {
        this.#listenAgain(failure);
      }
    }, RETRY_MS);
  }
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
