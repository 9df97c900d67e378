/**
 * @module
 * The way of a call, the same for every protocol: parse → sender → verify → claim → rules → run → seal. One
 * direction; a refusal at any step ends it. Knows no HTTP and no wire format.
 *
 * Three promises of the server can be read here: a claim is made in one step and is settled (where it
 * survives the process) before the function runs; the rules of a client are enforced after that, so that
 * a copy of a refused request is refused as well; and a client that was removed meanwhile gets no answer.
 */
import type { CallResult, FailedCall, FunctionCaller } from "./functions/types.ts";
import type { ClientRecord } from "./keys/keyring.ts";
import type { ClientBar } from "./keys/policy.ts";
import type { RateCounter } from "./keys/shared_rates.ts";
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
import type { Refusal, RefusalCode } from "./refusals.ts";

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
  /** Counts the calls of all replicas; without, only this server's count. */
  readonly rates?: RateCounter | undefined;
  /** Milliseconds since 1970, for keys that expire. */
  readonly clock?: () => number;
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
      if ("answer" in sender) return sender.answer;
      const { client } = sender;
      const verified = protocol.verify(sender);
      if (!verified.ok) return this.#refuse(protocol, verified, { client, reference });
      const { claim, calls } = verified;
      const accepted = { sender, calls, reference, address };
      if (claim === undefined) return this.#enter(protocol, accepted)();
      return then(protocol.claims.claim(claim), (claimed) => {
        if (claimed !== "fresh") return refuse({ ok: false, code: claimed }, { client, reference });
        const next = this.#enter(protocol, accepted);
        return then(protocol.claims.settle(), next);
      });
    });
  }

  /**
   * Enforces when and from where a client may send requests.
   *
   * @returns the next step, for when the claim is settled
   */
  #enter<Content>(
    protocol: AnsweringProtocol<Content>,
    request: AcceptedRequest<Content>,
  ): () => Soon<Sealed | RefusedCall> {
    const { sender, address } = request;
    const nowSeconds = Math.floor((this.#parts.clock ?? Date.now)() / 1000);
    const code = sender.client.policy.bars({ address, nowSeconds });
    if (code !== undefined) return () => this.#bar(protocol, request, code);
    protocol.accepted(sender, address);
    return () => this.#run(protocol, request);
  }

  /** Refuses a client, which is told where the protocol has words for it. */
  #bar<Content>(
    protocol: AnsweringProtocol<Content>,
    { sender, reference, address }: AcceptedRequest<Content>,
    code: ClientBar,
  ): Sealed | RefusedCall {
    const { client } = sender;
    const told = protocol.sealBar(sender, code) ?? { ok: false, code };
    if (!told.ok) return refuse(told, { client, reference });
    this.#parts.observer.barred({ protocol: protocol.name, code, client, reference, address });
    return told;
  }

  /** Enforces how often and what a client may call. */
  #ruleOut({ functionName }: WantedCall, client: ClientRecord): Soon<FailedCall | undefined> {
    const { policy } = client;
    const { rates } = this.#parts;
    const ownMs = policy.count(performance.now());
    const isShared = ownMs === 0 && rates !== undefined && policy.rates.length > 0;
    return then(isShared ? rates.count(client) : ownMs, (waitMs) => {
      if (waitMs > 0) {
        const data = { retryAfterMs: Math.ceil(waitMs) };
        return { ok: false, code: "client_rate", executed: "no", data };
      }
      if (policy.mayCall(functionName)) return undefined;
      return { ok: false, code: "function_not_allowed", executed: "no" };
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
    protocol: AnsweringProtocol<Content>,
    { sender, calls, reference }: AcceptedRequest<Content>,
  ): Soon<Sealed | RefusedCall> {
    const { client } = sender;
    const answer = (results: readonly CallResult[]): Sealed | RefusedCall => {
      if (!this.#parts.isRegistered(client)) {
        return named({ ok: false, code: "client_removed" }, reference);
      }
      const sealed = protocol.seal(sender, results);
      return sealed.ok ? sealed : this.#refuseCall(sealed, { client, reference, call: calls[0] });
    };
    const from = { client, reference };
    const [first] = calls;
    if (first === undefined) return answer([]);
    if (calls.length === 1) return then(this.#call(first, from), (result) => answer([result]));
    return Promise.all(calls.map((each) => this.#call(each, from))).then(answer);
  }

  #call(wanted: WantedCall, from: Caller): Soon<CallResult> {
    const { functions } = this.#parts;
    const { functionName, params } = wanted;
    const { client } = from;
    const startedMs = performance.now();
    return then(this.#ruleOut(wanted, client), (ruledOut) => {
      if (ruledOut !== undefined) return this.#called(wanted, ruledOut, { ...from, startedMs });
      return then(
        functions.call(functionName, { params, client: client.name }),
        (result) => this.#called(wanted, result, { ...from, startedMs }),
      );
    });
  }

  #called(
    { functionName }: WantedCall,
    result: CallResult,
    { client, reference, startedMs }: Caller & { readonly startedMs: number },
  ): CallResult {
    const durationMs = performance.now() - startedMs;
    const refusal = result.ok ? undefined : result.code;
    const detail = result.ok ? undefined : result.detail;
    const name = this.#nameFor(functionName, refusal);
    const from = { client, reference };
    this.#parts.observer.called({ functionName: name, refusal, detail, ...from, durationMs });
    return result;
  }

  #refuseCall(
    refusal: Refusal,
    { call, ...from }: Caller & { readonly call: WantedCall | undefined },
  ): RefusedCall {
    const refused = refuse(refusal, from);
    const functionName = call && this.#nameFor(call.functionName, refusal.code);
    return functionName === undefined ? refused : { ...refused, functionName };
  }

  /** A name that is not registered is the sender's text, which stays out of log and metrics. */
  #nameFor(functionName: string, code: RefusalCode | undefined): string | undefined {
    const wasReached = code === undefined ||
      (code.startsWith("function_") && code !== "function_not_allowed");
    return wasReached || this.#parts.functions.isRegistered(functionName)
      ? functionName
      : undefined;
  }
}

/** What answers a request that was claimed. */
type AnsweringProtocol<Content> = Pick<
  Protocol<never, never, Content>,
  "name" | "accepted" | "seal" | "sealBar"
>;

/** Who calls, for functions and observers. */
interface Caller {
  readonly client: ClientRecord;
  readonly reference: string | undefined;
}

interface AcceptedRequest<Content> {
  readonly sender: Authentic<Content>;
  readonly calls: readonly WantedCall[];
  readonly reference: string | undefined;
  readonly address: string;
}

function named(refusal: Refusal, reference: string | undefined): RefusedCall {
  return reference === undefined ? refusal : { ...refusal, reference };
}

function refuse(refusal: Refusal, { client, reference }: Caller): RefusedCall {
  return { ...named(refusal, reference), client };
}
