/**
 * @module
 * Calls of one server's functions: sessions that begin by themselves, time limits, and what may be
 * repeated (docs/protocol-v2.md, "What a client must do").
 */
import { type Clock, Deadline, PLATFORM_CLOCK } from "./deadline.ts";
import { CallError } from "./errors.ts";
import {
  callNonce,
  callReference,
  decodeUtf8,
  openAnswer,
  padText,
  sealCall,
  type WelcomeInfo,
} from "./messages.ts";
import { CIPHER, pairOf, randomBytes } from "./primitives.ts";
import { type Profile, useProfile } from "./profile.ts";
import {
  type BatchCall,
  type CallOutcome,
  type Params,
  readResponse,
  writeRequest,
} from "./rpc.ts";
import { Sessions } from "./sessions.ts";
import { type Fetch, toCallError, Transport } from "./transport.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Bytes of a call around its ticket and its text: kind, length, nonce, tag. */
const CALL_OVERHEAD = 1 + 2 + 24 + 16;

/** How a connection behaves. */
export interface ConnectOptions {
  /** For each call that does not say otherwise, hello included; 30 seconds without. */
  readonly timeoutMs?: number;
  /** The platform's own without. */
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  /** A larger answer is refused; 16 MiB without. */
  readonly maxAnswerBytes?: number;
}

/** What differs for one call. */
export interface CallOptions {
  readonly timeoutMs?: number;
  /** Aborting rejects the call with the signal's reason; whether the function ran is then unknown. */
  readonly signal?: AbortSignal;
  /**
   * Whether the call may be repeated when it is unknown whether it ran. Without it, the function's own
   * annotations decide (`idempotentHint`, `readOnlyHint`).
   */
  readonly idempotent?: boolean;
}

/** What a server says of a function: the form of an MCP tool. */
export interface FunctionInfo {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  /** JSON Schema of its arguments. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly annotations?: {
    readonly readOnlyHint?: boolean;
    readonly destructiveHint?: boolean;
    readonly idempotentHint?: boolean;
  };
}

/** A request that is sent, and sent again where that is allowed. */
interface Exchange {
  readonly calls: readonly BatchCall[];
  readonly isBatch: boolean;
  readonly idempotent: boolean | undefined;
  readonly deadline: Deadline;
}

/** A server, as one client sees it. Says hello when it must; nothing happens before the first call. */
export class Connection {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #transport: Transport;
  readonly #sessions: Sessions;

  /** @throws {TypeError} when the profile is malformed */
  constructor(profile: Profile, options: ConnectOptions = {}) {
    const { url, serverKey, privateKey } = useProfile(profile);
    this.#clock = options.clock ?? PLATFORM_CLOCK;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#transport = new Transport({
      url,
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      maxAnswerBytes: options.maxAnswerBytes ?? DEFAULT_MAX_ANSWER_BYTES,
      contentType: "application/octet-stream",
    });
    this.#sessions = new Sessions({
      serverKey,
      staticPair: pairOf(privateKey),
      transport: this.#transport,
      clock: this.#clock,
    });
  }

  /**
   * Says hello, where there is no session: tells whether the server can be reached and accepts this client.
   *
   * @throws {CallError} when it does not
   */
  async open(options: Pick<CallOptions, "signal" | "timeoutMs"> = {}): Promise<void> {
    await this.#within(options, (deadline) => this.#sessions.get(deadline));
  }

  /**
   * Calls a function.
   *
   * @param params its arguments, by name
   * @returns its result
   * @throws {CallError} when there is none
   */
  async call<Result = unknown>(
    name: string,
    params?: Params,
    options: CallOptions = {},
  ): Promise<Result> {
    const [outcome] = await this.#outcomes([[name, params]], false, options);
    if (outcome?.status === "fulfilled") return outcome.value as Result;
    throw outcome?.reason;
  }

  /**
   * Calls several functions in one request. They may run in any order, and at the same time.
   *
   * @returns an outcome for each call, in their order: `{ status: "fulfilled", value }` or
   * `{ status: "rejected", reason }` with a {@link CallError}
   * @throws {CallError} when the request as a whole brought nothing
   */
  async batch(calls: readonly BatchCall[], options: CallOptions = {}): Promise<CallOutcome[]> {
    return calls.length === 0 ? [] : await this.#outcomes(calls, true, options);
  }

  /**
   * The functions that this client may call.
   *
   * @throws {CallError} when the server does not say
   */
  async functions(options: CallOptions = {}): Promise<FunctionInfo[]> {
    return await this.call<FunctionInfo[]>("rpc.functions", undefined, options);
  }

  /** Forgets the session; calls on their way go on. A later call begins a new one. */
  close(): void {
    this.#sessions.forget();
  }

  async #outcomes(
    calls: readonly BatchCall[],
    isBatch: boolean,
    options: CallOptions,
  ): Promise<CallOutcome[]> {
    const { idempotent } = options;
    return await this.#within(
      options,
      (deadline) => this.#exchange({ calls, isBatch, idempotent, deadline }),
    );
  }

  async #within<T>(options: CallOptions, action: (deadline: Deadline) => Promise<T>): Promise<T> {
    const { timeoutMs = this.#timeoutMs, signal } = options;
    const deadline = new Deadline(this.#clock, { timeoutMs, signal });
    try {
      return await action(deadline);
    } finally {
      deadline.end();
    }
  }

  async #exchange(exchange: Exchange): Promise<CallOutcome[]> {
    const text = writeRequest(exchange.calls, exchange.isBatch);
    try {
      return await this.#attempt(text, exchange);
    } catch (error) {
      if (!(error instanceof CallError) || !await this.#mayRepeat(error, exchange)) throw error;
    }
    try {
      const outcomes = await this.#attempt(text, exchange);
      return outcomes.map((each) =>
        each.status === "rejected" ? { ...each, reason: each.reason.afterAttempt() } : each
      );
    } catch (error) {
      throw error instanceof CallError ? error.afterAttempt() : error;
    }
  }

  /** Whether a request that may have run can be sent again. */
  async #mayRepeat(error: CallError, { calls, idempotent, deadline }: Exchange): Promise<boolean> {
    if (error.code !== "session-lost" && error.code !== "unreachable") return false;
    if (error.executed === "no") return false;
    if (idempotent !== undefined) return idempotent;
    if (calls.every(([name]) => name.startsWith("rpc."))) return true;
    if (error.code === "unreachable") return false;
    // The server may be another one since: what it says of its functions now is what counts.
    return await this.#areIdempotent(calls, deadline).catch(() => false);
  }

  async #areIdempotent(calls: readonly BatchCall[], deadline: Deadline): Promise<boolean> {
    const list = [["rpc.functions"]] as const;
    const text = writeRequest(list, false);
    const [outcome] = await this.#attempt(text, { calls: list, isBatch: false, deadline });
    if (outcome?.status !== "fulfilled" || !Array.isArray(outcome.value)) return false;
    const functions: readonly FunctionInfo[] = outcome.value;
    return calls.every(([name]) => {
      const found = functions.find((each) => each.name.toLowerCase() === name.toLowerCase());
      const { idempotentHint, readOnlyHint } = found?.annotations ?? {};
      return idempotentHint === true || readOnlyHint === true;
    });
  }

  /** Sends a request once. */
  async #attempt(
    text: string,
    { calls, isBatch, deadline }: Omit<Exchange, "idempotent">,
  ): Promise<CallOutcome[]> {
    const what = isBatch ? `a batch of ${calls.length}` : calls[0]?.[0] ?? "";
    const { session, number } = await this.#sessions.take(deadline);
    checkSize({ text, what, batchLength: isBatch ? calls.length : 0 }, session);
    const nonce = callNonce(number, randomBytes(20));
    const ref = callReference(nonce);
    const body = sealCall(CIPHER, session.keys.toResponder, {
      ticket: session.ticket,
      nonce,
      plaintext: padText(text),
    });
    const answerKey = session.keys.toInitiator;
    const post = this.#transport.post(body, deadline.signal);
    const answer = await deadline.race(post).catch((error) => {
      throw toCallError(error, { what: `Cannot call ${what}`, ref, isCall: true });
    });
    if (answer === "refused") {
      this.#sessions.forget(session);
      const message = `Cannot call ${what}: the server did not accept the session`;
      throw new CallError("session-lost", message, { executed: "maybe", ref });
    }
    const plaintext = openAnswer(CIPHER, answerKey, { callNonce: nonce, body: answer });
    const opened = plaintext && decodeUtf8(plaintext);
    if (opened === undefined) {
      const message = `Cannot call ${what}: the answer does not open with the keys of the session`;
      throw new CallError("protocol", message, { executed: "maybe", ref });
    }
    return readResponse(opened, { calls, isBatch, ref });
  }
}

/**
 * Connects to a server: says hello, and gives what calls its functions.
 *
 * @throws {TypeError} when the profile is malformed
 * @throws {CallError} when the server cannot be reached or does not accept this client
 */
export async function connect(
  profile: Profile,
  options: ConnectOptions & Pick<CallOptions, "signal"> = {},
): Promise<Connection> {
  const connection = new Connection(profile, options);
  await connection.open(options);
  return connection;
}

/** Refuses what the server would refuse, as long as it certainly did not run. */
function checkSize(
  { text, what, batchLength }: { text: string; what: string; batchLength: number },
  { info, ticket }: { info: WelcomeInfo; ticket: Uint8Array },
): void {
  const { maxBody = Infinity, maxBatch = Infinity } = info;
  const bytes = CALL_OVERHEAD + ticket.length + padText(text).length;
  const why = bytes > maxBody
    ? `the request has ${bytes} bytes, the server accepts ${maxBody}`
    : batchLength > maxBatch
    ? `the server accepts ${maxBatch} calls at once`
    : undefined;
  if (why === undefined) return;
  throw new CallError("too-large", `Cannot call ${what}: ${why}`, { executed: "no" });
}
