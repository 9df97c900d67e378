/**
 * @module
 * The way of a call, the same for every protocol: parse → sender → verify → claim → run → seal. One
 * direction; a refusal at any step ends it. Knows no HTTP and no wire format.
 *
 * Two promises of the server can be read here: a claim is made in one step and is settled (where it
 * survives the process) before the function runs, and a client that was removed meanwhile gets no
 * answer.
 */
import type { CallResult, FunctionCaller } from "./functions/types.ts";
import type { ClientRecord } from "./keys/keyring.ts";
import type { Observer } from "./observer.ts";
import {
  type Authentic,
  type Protocol,
  type Sealed,
  type Soon,
  then,
  type Unverified,
  type WantedCall,
} from "./protocol/protocol.ts";
import type { Refusal } from "./refusals.ts";

/** A refusal, with what the operator may know of the request. */
export interface RefusedCall extends Refusal {
  /** Set when the sender is a registered client. */
  readonly client?: ClientRecord;
  /** Set when the request reached a registered function. */
  readonly functionName?: string;
  /** What the sender can find it by. */
  readonly reference?: string | undefined;
}

/** The parts that a call meets on its way. */
export interface CallParts {
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
  answer<Body, Message, Content, Claim>(
    protocol: Protocol<Body, Message, Content, Claim>,
    body: Body,
    address: string,
  ): Soon<Sealed | RefusedCall> {
    const parsed = protocol.parse(body);
    if (!parsed.ok) return parsed;
    const reference = protocol.referenceOf(parsed.message);
    return then(protocol.authenticate(parsed.message, address), (sender) => {
      if (!sender.ok) return named(sender, reference);
      const { client } = sender;
      const verified = protocol.verify(sender);
      if (!verified.ok) return this.#refuse(protocol, verified, { client, reference });
      const { claim, calls } = verified;
      const run = (): Soon<Sealed | RefusedCall> =>
        this.#run(protocol, { sender, calls, reference });
      if (claim === undefined) {
        protocol.accepted(sender, address);
        return run();
      }
      return then(protocol.claims.claim(claim), (claimed) => {
        if (claimed !== "fresh") return refuse({ ok: false, code: claimed }, { client, reference });
        protocol.accepted(sender, address);
        return then(protocol.claims.settle(), run);
      });
    });
  }

  /** Refuses a request, for good where a copy of it would be accepted later. */
  #refuse<Claim>(
    { claims }: Pick<Protocol<never, never, never, Claim>, "claims">,
    { claim, ...refusal }: Unverified<Claim>,
    from: Caller,
  ): Soon<RefusedCall> {
    const refused = refuse(refusal, from);
    if (claim === undefined) return refused;
    return then(claims.claim(claim), () => then(claims.settle(), () => refused));
  }

  #run<Content>(
    protocol: Pick<Protocol<never, never, Content>, "seal">,
    { sender, calls, reference }: AcceptedRequest<Content>,
  ): Soon<Sealed | RefusedCall> {
    const { client } = sender;
    return then(this.#callAll(calls, { client, reference }), (results) => {
      if (!this.#parts.isRegistered(client)) {
        return named({ ok: false, code: "client_removed" }, reference);
      }
      const sealed = protocol.seal(sender, results);
      return sealed.ok ? sealed : refuse(sealed, { client, reference, call: calls[0] });
    });
  }

  #callAll(calls: readonly WantedCall[], from: Caller): Soon<readonly CallResult[]> {
    const [first] = calls;
    if (first === undefined) return [];
    if (calls.length === 1) return then(this.#call(first, from), (result) => [result]);
    return Promise.all(calls.map((each) => this.#call(each, from)));
  }

  #call({ functionName, params }: WantedCall, { client, reference }: Caller): Soon<CallResult> {
    const { functions, observer } = this.#parts;
    const startedMs = performance.now();
    return then(functions.call(functionName, { params, client: client.name }), (result) => {
      // A name that is not registered is the sender's text, which stays out of log and metrics.
      if (!result.ok && result.code === "unknown_function") return result;
      const durationMs = performance.now() - startedMs;
      const refusal = result.ok ? undefined : result.code;
      const detail = result.ok ? undefined : result.detail;
      observer.called({ functionName, refusal, detail, client, reference, durationMs });
      return result;
    });
  }
}

/** Who calls, for functions and observers. */
interface Caller {
  readonly client: ClientRecord;
  readonly reference: string | undefined;
}

interface AcceptedRequest<Content> {
  readonly sender: Authentic<Content>;
  readonly calls: readonly WantedCall[];
  readonly reference: string | undefined;
}

function named(refusal: Refusal, reference: string | undefined): RefusedCall {
  return reference === undefined ? refusal : { ...refusal, reference };
}

function refuse(
  refusal: Refusal,
  { client, reference, call }: Caller & { readonly call?: WantedCall | undefined },
): RefusedCall {
  const isReached = call !== undefined && refusal.code.startsWith("function_");
  const functionName = isReached ? { functionName: call.functionName } : {};
  return { ...named(refusal, reference), client, ...functionName };
}
