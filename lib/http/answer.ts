/**
 * @module
 * The way of a request from its body to the sealed answer: parse, find the sender, verify, remember,
 * call, seal. One direction; every other end of the way is a reason for the log. Knows no HTTP.
 */
import type { Box } from "../crypto/box.ts";
import type { NonceMark } from "../crypto/nonce_mark.ts";
import type { CallResult, FunctionCaller } from "../functions/types.ts";
import { type CallRefusalCode, REFUSALS } from "../refusals.ts";
import type { MemoryClaims } from "../replay/memory.ts";
import type { Keyring } from "../keys/keyring.ts";
import type { Sender, SenderFinder, SenderRefusal } from "../keys/sender.ts";
import {
  encodeResponse,
  encodeResult,
  type ParseRefusal,
  RequestParser,
  type VerifyRefusal,
  verifyRequest,
} from "../protocol/v1.ts";
import type { Step, Trace } from "./tracing.ts";

/** Why a call brought no result, for the log. */
const CALL_REFUSALS = {
  unknown_function: "unknown function",
  function_failed: "function failed",
  function_timed_out: "function timed out",
  function_busy: "function is busy",
  function_broken: "function is broken",
} as const satisfies Record<CallRefusalCode, string>;

/** Why a call brought no result. */
export type CallRefusal = (typeof CALL_REFUSALS)[CallRefusalCode];

/** Why a request was not answered. */
export type Refusal =
  | ParseRefusal
  | "unknown sender or tampered value"
  | "too many requests of strangers"
  | "a value was sealed by this server"
  | VerifyRefusal
  | "seen before"
  | typeof REFUSALS["memory_full" | "predates_memory" | "client_removed"]
  | CallRefusal;

/** The body of the answer, or why there is none. */
export type Answer =
  | { readonly ok: true; readonly body: string }
  | {
    readonly ok: false;
    readonly reason: Refusal;
    /** Set when the request reached a registered function. */
    readonly functionName?: string;
    readonly error?: unknown;
  };

/** What happens on the way that somebody may want to note. */
export interface AnswerEvents {
  /** A function of modules.ini was called; `refusal` when that brought no result. */
  readonly onCalled?: (functionName: string, refusal: CallRefusal | undefined) => void;
}

/** The parts that answer requests. */
export interface AnswerParts {
  readonly box: Box;
  readonly keyring: Keyring;
  readonly senders: SenderFinder;
  readonly nonceMark: NonceMark;
  readonly claims: MemoryClaims;
  readonly registry: FunctionCaller;
  readonly requestTtlSeconds: number;
  readonly events: AnswerEvents;
  /** Spans of the steps, where somebody wants them. */
  readonly trace?: Trace | undefined;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
}

/** The sealed `check`, `id`, `ts` and `entry` of a request. */
type Values = readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];

/** Answers requests. */
export class Answerer {
  readonly #parts: AnswerParts;
  readonly #clock: () => number;
  readonly #parser = new RequestParser();

  constructor(parts: AnswerParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? Date.now;
  }

  /**
   * Answers the request in a body that came from an address. Not a promise where nothing had to be
   * waited for, which is the usual case and saves a turn.
   */
  answer(body: string, address: string): Answer | Promise<Answer> {
    const { senders } = this.#parts;
    const parsed = this.#parser.parse(body);
    if (!parsed.ok) return parsed;
    const { check, id, ts, entry } = parsed.request;
    const arrival = { address, nowSeconds: this.#nowSeconds() };
    const values: Values = [check, id, ts, entry];
    const found = this.#traced("find-sender", () => senders.find(values, arrival));
    return found instanceof Promise
      ? found.then((later) => this.#answerFound(later, address))
      : this.#answerFound(found, address);
  }

  #traced<T>(step: Step, action: () => T): T {
    const { trace } = this.#parts;
    return trace === undefined ? action() : trace(step, action);
  }

  #answerFound(found: Sender<Values> | SenderRefusal, address: string): Answer | Promise<Answer> {
    if (found === "search_limit") return { ok: false, reason: "too many requests of strangers" };
    if (found === "unknown_sender") {
      return { ok: false, reason: "unknown sender or tampered value" };
    }
    return this.#answerSender(found, address);
  }

  #answerSender(sender: Sender<Values>, address: string): Answer | Promise<Answer> {
    const admitted = this.#admit(sender, address);
    if (!admitted.ok) return admitted;
    const { functionName } = admitted;
    const { registry } = this.#parts;
    const result = this.#traced("function", () => registry.call(functionName, undefined));
    if (!(result instanceof Promise)) return this.#seal(result, functionName, sender);
    return result.then((later) => this.#seal(later, functionName, sender));
  }

  #seal(result: CallResult, functionName: string, { client, key }: Sender<Values>): Answer {
    const { box, keyring, nonceMark, events } = this.#parts;
    // A client that was removed in the meantime gets no answer.
    if (!keyring.isRegistered(client)) return { ok: false, reason: REFUSALS.client_removed };
    if (result.ok) {
      events.onCalled?.(functionName, undefined);
      const { text } = result;
      const sealed = this.#traced(
        "seal",
        () => box.seal(key, nonceMark.make(), encodeResult(text)),
      );
      return { ok: true, body: encodeResponse(sealed) };
    }
    const { code, detail: error } = result;
    const reason = CALL_REFUSALS[code];
    // An unknown name is the sender's text, which stays out of the log.
    if (reason === "unknown function") return { ok: false, reason };
    events.onCalled?.(functionName, reason);
    return { ok: false, reason, functionName, error };
  }

  /**
   * Everything between the sender and the call, in one step of the event loop: copies of a request
   * cannot pass side by side.
   */
  #admit(
    sender: Sender<Values>,
    address: string,
  ): { ok: true; functionName: string } | { ok: false; reason: Refusal } {
    const { keyring, senders, nonceMark, claims, requestTtlSeconds } = this.#parts;
    const [check, id, ts, entry] = sender.sealed;
    if (sender.sealed.some((each) => nonceMark.isOwn(each))) {
      return { ok: false, reason: "a value was sealed by this server" };
    }
    const nowSeconds = this.#nowSeconds();
    const [openedCheck, openedId, openedTs, openedEntry] = sender.opened;
    const opened = { check: openedCheck, id: openedId, ts: openedTs, entry: openedEntry };
    const verified = verifyRequest(opened, {
      nowSeconds,
      requestTtlSeconds,
      isRegisteredSecret: (secret) => keyring.isRegisteredSecret(secret),
    });
    if (!verified.ok) return verified;
    const { functionName, expiresAtSeconds } = verified.request;
    const claimed = claims.claim({
      nonces: [id, check, ts, entry],
      owner: sender.client.slot,
      sentAtSeconds: expiresAtSeconds - requestTtlSeconds,
      expiresAtSeconds,
      nowSeconds,
    });
    if (claimed === "replayed") return { ok: false, reason: "seen before" };
    if (claimed !== "fresh") return { ok: false, reason: REFUSALS[claimed] };
    senders.accepted(sender, { address, nowSeconds });
    return { ok: true, functionName };
  }

  #nowSeconds(): number {
    return Math.floor(this.#clock() / 1000);
  }
}
