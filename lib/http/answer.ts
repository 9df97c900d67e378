/**
 * @module
 * The way of a request from its body to the sealed answer: parse, find the sender, verify, remember,
 * call, seal. One direction; every other end of the way is a reason for the log. Knows no HTTP.
 */
import type { Box, SharedKey } from "../crypto/box.ts";
import type { NonceMark } from "../crypto/nonce_mark.ts";
import type { CallResult, FunctionCaller } from "../functions/types.ts";
import { type CallRefusalCode, REFUSALS } from "../refusals.ts";
import type { MemoryClaims } from "../replay/memory.ts";
import type { Keyring } from "../keys/keyring.ts";
import { copyRequest, type Sender, type SenderFinder } from "../keys/sender.ts";
import {
  encodeResponse,
  encodeResult,
  type ParseRefusal,
  RequestParser,
  type SealedRequest,
  VALUE_NAMES,
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
  | typeof REFUSALS["memory_full" | "predates_memory"]
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
  /** A request was authenticated, from this address. */
  readonly onAuthenticated: (address: string, nowSeconds: number) => void;
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
    const { request } = parsed;
    const find = (): ReturnType<SenderFinder["findLikely"]> =>
      senders.findLikely(request, address, this.#nowSeconds());
    const found = this.#traced("find-sender", find);
    if (found === undefined) return this.#answerAfterSearch(request, address);
    if (found === "tampered") return this.#refuseStranger(address);
    return this.#answerSender(request, found, address);
  }

  #traced<T>(step: Step, action: () => T): T {
    const { trace } = this.#parts;
    return trace === undefined ? action() : trace(step, action);
  }

  async #answerAfterSearch(request: SealedRequest, address: string): Promise<Answer> {
    const { senders } = this.#parts;
    // The search takes several turns of the event loop, in which the parser's buffer is reused.
    const copy = copyRequest(request);
    const search = (): ReturnType<SenderFinder["search"]> =>
      senders.search(copy.check, address, this.#nowSeconds());
    const found = await this.#traced("find-sender", search);
    if (found === "busy") return { ok: false, reason: "too many requests of strangers" };
    const sender = found === "none" ? undefined : senders.open(found, copy);
    if (sender === undefined) return this.#refuseStranger(address);
    return await this.#answerSender(copy, sender, address);
  }

  #refuseStranger(address: string): Answer {
    this.#parts.senders.noteFailure(address, this.#nowSeconds());
    return { ok: false, reason: "unknown sender or tampered value" };
  }

  #answerSender(request: SealedRequest, sender: Sender, address: string): Answer | Promise<Answer> {
    const admitted = this.#admit(request, sender, address);
    if (!admitted.ok) return admitted;
    const { functionName } = admitted;
    const { registry } = this.#parts;
    const result = this.#traced("function", () => registry.call(functionName, undefined));
    if (!(result instanceof Promise)) return this.#seal(result, functionName, sender.key);
    return result.then((later) => {
      // Whoever was removed in the meantime gets no answer.
      if (this.#parts.keyring.keyAt(sender.slot) !== sender.key) {
        return this.#refuseStranger(address);
      }
      return this.#seal(later, functionName, sender.key);
    });
  }

  #seal(result: CallResult, functionName: string, key: SharedKey): Answer {
    const { box, nonceMark, events } = this.#parts;
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
    sealed: SealedRequest,
    sender: Sender,
    address: string,
  ): { ok: true; functionName: string } | { ok: false; reason: Refusal } {
    const { keyring, senders, nonceMark, claims, requestTtlSeconds, events } = this.#parts;
    if (VALUE_NAMES.some((name) => nonceMark.isOwn(sealed[name]))) {
      return { ok: false, reason: "a value was sealed by this server" };
    }
    const nowSeconds = this.#nowSeconds();
    const verified = verifyRequest(sender.opened, {
      nowSeconds,
      requestTtlSeconds,
      isRegisteredSecret: (secret) => keyring.isRegisteredSecret(secret),
    });
    if (!verified.ok) return verified;
    const { functionName, expiresAtSeconds } = verified.request;
    const claimed = claims.claim({
      nonces: [sealed.id, sealed.check, sealed.ts, sealed.entry],
      owner: sender.slot,
      sentAtSeconds: expiresAtSeconds - requestTtlSeconds,
      expiresAtSeconds,
      nowSeconds,
    });
    if (claimed === "replayed") return { ok: false, reason: "seen before" };
    if (claimed !== "fresh") return { ok: false, reason: REFUSALS[claimed] };
    senders.remember(address, sender, nowSeconds);
    events.onAuthenticated(address, nowSeconds);
    return { ok: true, functionName };
  }

  #nowSeconds(): number {
    return Math.floor(this.#clock() / 1000);
  }
}
