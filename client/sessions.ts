/**
 * @module
 * The session of a connection: begun when the first call needs one, shared by all calls, and begun again
 * when it ends. A hello that several calls wait for is said once.
 */
import type { Bytes } from "./bytes.ts";
import type { Clock, Deadline } from "./deadline.ts";
import { CallError } from "./errors.ts";
import type { NoiseKeyPair } from "./noise_ik.ts";
import { Hello, type Session } from "./session.ts";
import { toCallError, type Transport } from "./transport.ts";

/** The client that says hello, the server, and the transport. */
export interface SessionsOptions {
  readonly serverKey: Bytes;
  readonly staticPair: NoiseKeyPair;
  readonly transport: Transport;
  readonly clock: Clock;
}

/** A hello that several calls may wait for. */
interface SharedHello {
  readonly session: Promise<Session>;
  readonly controller: AbortController;
  waiters: number;
}

/** The session that is in use. */
export class Sessions {
  readonly #options: SessionsOptions;
  #session: Session | undefined;
  #hello: SharedHello | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** No call uses this session any more; without one, the present one. */
  forget(session = this.#session): void {
    if (this.#session === session) this.#session = undefined;
  }

  /**
   * A session, and a number of it that no other call has.
   *
   * @throws {CallError} when there is none; nothing was called then
   */
  async take(deadline: Deadline): Promise<{ session: Session; number: number }> {
    for (;;) {
      const session = await this.get(deadline);
      if (deadline.signal.aborted) throw failure(deadline.signal.reason);
      // Others may have taken the last ones meanwhile.
      const number = session.takeNumber();
      if (number !== undefined) return { session, number };
    }
  }

  /**
   * A session, after a hello where there is none that can be used.
   *
   * @throws {CallError} when there is none; nothing was called then
   */
  async get(deadline: Deadline): Promise<Session> {
    if (this.#session?.isUsable(this.#options.clock.now())) return this.#session;
    const hello = this.#hello ??= this.#startHello();
    hello.waiters++;
    try {
      return await deadline.race(hello.session);
    } catch (error) {
      throw failure(error);
    } finally {
      // Once nobody waits, the answer is not needed either.
      if (--hello.waiters === 0) hello.controller.abort();
    }
  }

  #startHello(): SharedHello {
    const controller = new AbortController();
    const hello = { session: this.#sayHello(controller.signal), controller, waiters: 0 };
    const over = (): void => {
      if (this.#hello === hello) this.#hello = undefined;
    };
    hello.session.then(over, over);
    controller.signal.addEventListener("abort", over);
    return hello;
  }

  async #sayHello(signal: AbortSignal): Promise<Session> {
    const { serverKey, staticPair, transport, clock } = this.#options;
    const hello = new Hello({ serverKey, staticPair });
    const saidAtMs = clock.now();
    const answer = await transport.post(hello.body, signal).catch((error) => {
      throw failure(error, hello.ref);
    });
    if (answer === "refused") {
      const message = "Cannot connect: the server does not know this client, or has another key";
      throw new CallError("refused", message, { executed: "no", ref: hello.ref });
    }
    this.#session = hello.finish(answer, saidAtMs);
    return this.#session;
  }
}

function failure(error: unknown, ref?: string): unknown {
  return toCallError(error, { what: "Cannot connect", ref, isCall: false });
}
