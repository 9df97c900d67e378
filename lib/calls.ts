/**
 * @module
 * The way of a call, the same for every protocol: parse → sender → verify → claim → run → seal. One
 * direction; a refusal at any step ends it. Knows no HTTP and no wire format.
 *
 * Two promises of the server can be read here: a claim is made in one step and is settled (on disk)
 * before the function runs, and a client that was removed meanwhile gets no answer.
 */
import type { CallResult, FunctionCaller } from "./functions/types.ts";
import type { ClientRecord } from "./keys/keyring.ts";
import type { Observer } from "./observer.ts";
import type {
  Authentic,
  Protocol,
  Sealed,
  Soon,
  Verified,
  WantedCall,
} from "./protocol/protocol.ts";
import type { Refusal } from "./refusals.ts";
import type { ClaimResult, Claims } from "./replay/claims.ts";

/** A refusal, with what the operator may know of the request. */
export interface RefusedCall extends Refusal {
  /** Set when the sender is a registered client. */
  readonly client?: ClientRecord;
  /** Set when the request reached a registered function. */
  readonly functionName?: string;
}

/** The parts that a call meets on its way. */
export interface CallParts {
  readonly claims: Claims;
  readonly functions: FunctionCaller;
  readonly observer: Observer;
  /** Whether a client is still registered. */
  readonly isRegistered: (client: ClientRecord) => boolean;
}

/** Runs calls. */
export class Calls {
  readonly #parts: CallParts;

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  /**
   * Answers the request in a body that came from an address. Not a promise where nothing had to be
   * waited for, which saves a turn of the event loop.
   */
  answer<Body, Message, Content>(
    protocol: Protocol<Body, Message, Content>,
    body: Body,
    address: string,
  ): Soon<Sealed | RefusedCall> {
    const parsed = protocol.parse(body);
    if (!parsed.ok) return parsed;
    return then(protocol.authenticate(parsed.message, address), (sender) => {
      if (!sender.ok) return sender;
      const verified = protocol.verify(sender);
      if (!verified.ok) return refuse(verified, sender.client);
      return then(this.#parts.claims.claim(verified.claim), (claimed) => {
        return this.#run(protocol, { sender, verified, claimed, address });
      });
    });
  }

  #run<Content>(
    protocol: Pick<Protocol<never, never, Content>, "accepted" | "seal">,
    { sender, verified, claimed, address }: ClaimedRequest<Content>,
  ): Soon<Sealed | RefusedCall> {
    const { claims } = this.#parts;
    const { client } = sender;
    if (claimed !== "fresh") return refuse({ ok: false, code: claimed }, client);
    protocol.accepted(sender, address);
    return then(claims.settle(), () =>
      then(this.#callAll(verified.calls, client), (results) => {
        if (!this.#parts.isRegistered(client)) return { ok: false, code: "client_removed" };
        const sealed = protocol.seal(sender, results);
        return sealed.ok ? sealed : refuse(sealed, client, verified.calls[0]);
      }));
  }

  #callAll(calls: readonly WantedCall[], client: ClientRecord): Soon<readonly CallResult[]> {
    const [first] = calls;
    if (calls.length === 1 && first !== undefined) {
      return then(this.#call(first, client), (result) => [result]);
    }
    return Promise.all(calls.map((each) => this.#call(each, client)));
  }

  #call({ functionName, params }: WantedCall, client: ClientRecord): Soon<CallResult> {
    const { functions, observer } = this.#parts;
    const startedMs = performance.now();
    return then(functions.call(functionName, params), (result) => {
      // A name that is not registered is the sender's text, which stays out of log and metrics.
      if (!result.ok && result.code === "unknown_function") return result;
      const durationMs = performance.now() - startedMs;
      const refusal = result.ok ? undefined : result.code;
      observer.called({ functionName, refusal, client, durationMs });
      return result;
    });
  }
}

interface ClaimedRequest<Content> {
  readonly sender: Authentic<Content>;
  readonly verified: Verified;
  readonly claimed: ClaimResult;
  readonly address: string;
}

function refuse(refusal: Refusal, client: ClientRecord, call?: WantedCall): RefusedCall {
  const isReached = refusal.code.startsWith("function_");
  return {
    ...refusal,
    client,
    ...(call !== undefined && isReached ? { functionName: call.functionName } : {}),
  };
}

/** Goes on with a value, at once where it is there: a promise costs a turn of the event loop. */
function then<T, U>(value: Soon<T>, next: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
