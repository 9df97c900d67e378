/**
 * @module
 * A server of protocol v2 in a test's own process, behind a `fetch` that can lose, change and delay what
 * passes. It uses the client's primitives and none of the server's code, so it runs where the client does.
 */
import { type Bytes, concat, toBase64, toHex } from "../client/bytes.ts";
import type { Clock } from "../client/deadline.ts";
import { CallError } from "../client/errors.ts";
import {
  decodeUtf8,
  keyIdOf,
  KIND,
  padText,
  prologueOf,
  readCall,
  readHello,
  sealAnswer,
  type Welcome,
  writeWelcomePayload,
} from "../client/messages.ts";
import { Responder, type TransportKeys } from "../client/noise_ik.ts";
import { CIPHER, pairOf, PRIMITIVES, randomBytes } from "../client/primitives.ts";
import type { Profile } from "../client/profile.ts";
import type { Fetch } from "../client/transport.ts";

/** What happens to one request on its way. */
export type Fate = (deliver: () => Promise<Response>, init: RequestInit) => Promise<Response>;

/** What a function of the test does: its result, or the error object that is answered. */
export type TestFunction = (params: unknown) => { result: unknown } | { error: unknown };

interface RpcCall {
  readonly method: string;
  readonly params?: unknown;
  readonly id?: unknown;
}

/** The server. */
export class TestServer {
  readonly #serverKey = randomBytes(32);
  readonly #clientKey = randomBytes(32);
  #sessions = new Map<string, { keys: TransportKeys; used: Set<number> }>();
  /** What happens to the next requests; those after them are delivered. */
  readonly fates: Fate[] = [];
  readonly functions: Record<string, TestFunction> = {
    echo: (params) => ({ result: params ?? null }),
    "rpc.functions": () => ({ result: this.list }),
  };
  /** What `rpc.functions` says. */
  list: unknown = [];
  /** Part of every welcome. */
  welcome: Partial<Welcome> = {};
  /** Tokens, and the keys that used them, in hex; empty where none did. */
  readonly invites = new Map<string, string>();
  /** Payloads of the hellos of unknown senders. */
  readonly payloads: string[] = [];
  /** Names of the functions that ran, in their order. */
  readonly ran: string[] = [];
  hellos = 0;
  requests = 0;

  readonly profile: Profile = {
    url: "http://test.invalid/v2",
    serverKey: toBase64(pairOf(this.#serverKey).publicKey),
    privateKey: toBase64(this.#clientKey),
    name: "test",
  };

  readonly fetch: Fetch = (_url, init) => {
    this.requests++;
    const fate = this.fates.shift();
    const body = init.body;
    if (!(body instanceof Uint8Array)) throw new TypeError("no bytes");
    const deliver = (): Promise<Response> => Promise.resolve(this.answer(Uint8Array.from(body)));
    return fate === undefined ? deliver() : fate(deliver, init);
  };

  /** Forgets all tickets, as a restart does. */
  restart(): void {
    this.#sessions = new Map();
  }

  /** Answers one request. */
  answer(body: Bytes): Response {
    const answered = body[0] === KIND.hello ? this.#welcome(body) : this.#call(body);
    if (answered === undefined) return new Response(null, { status: 401 });
    return new Response(answered, { headers: { "content-type": "application/octet-stream" } });
  }

  #welcome(body: Bytes): Bytes | undefined {
    this.hellos++;
    const hello = readHello(body);
    const staticPair = pairOf(this.#serverKey);
    const keyId = keyIdOf(staticPair.publicKey, PRIMITIVES.hash);
    if (hello === undefined || toHex(hello.keyId) !== toHex(keyId)) return undefined;
    const responder = new Responder({
      primitives: PRIMITIVES,
      staticPair,
      prologue: prologueOf(keyId),
    });
    const sender = responder.readSender(hello.noise);
    const payload = sender && responder.readPayload();
    if (sender === undefined || payload === undefined) return undefined;
    const isKnown = toHex(sender) === toHex(pairOf(this.#clientKey).publicKey);
    const status = isKnown ? "welcome" : this.#join(toHex(sender), decodeUtf8(payload) ?? "");
    if (status === undefined) return undefined;
    const ephemeral = pairOf(randomBytes(32));
    const keys = responder.agree(ephemeral);
    if (keys === undefined) return undefined;
    const ticket = randomBytes(40);
    this.#sessions.set(toHex(ticket), { keys, used: new Set() });
    const { sealed } = responder.writePayload(writeWelcomePayload({
      status,
      lifetimeSeconds: 3600,
      timeMs: 0,
      ticket,
      info: '{"maxBody":16384,"maxBatch":16}',
      ...this.welcome,
    }));
    return concat(Uint8Array.of(KIND.welcome), ephemeral.publicKey, sealed);
  }

  /** What an unknown sender gets for an invite; nothing without one. */
  #join(sender: string, text: string): Welcome["status"] | undefined {
    this.payloads.push(text);
    if (text === "") return undefined;
    const { invite } = JSON.parse(text);
    if (!this.invites.has(invite)) return undefined;
    const user = this.invites.get(invite) || sender;
    this.invites.set(invite, user);
    return user === sender ? "welcome" : "invite not valid";
  }

  #call(body: Bytes): Bytes | undefined {
    const call = readCall(body);
    const session = call && this.#sessions.get(toHex(call.ticket));
    const plaintext = session && CIPHER.open(session.keys.toResponder, call.nonce, call);
    if (plaintext === undefined || call === undefined || session === undefined) return undefined;
    if (call.number > 0xffff || session.used.has(call.number)) return undefined;
    session.used.add(call.number);
    const request = JSON.parse(decodeUtf8(plaintext) ?? "");
    const response = Array.isArray(request)
      ? request.map((each) => this.#run(each))
      : this.#run(request);
    return sealAnswer(CIPHER, session.keys.toInitiator, {
      callNonce: call.nonce,
      nonce: randomBytes(24),
      plaintext: padText(this.rawResponse ?? JSON.stringify(response)),
    });
  }

  /** In place of what would be answered. */
  rawResponse: string | undefined;

  #run({ method, params, id }: RpcCall): unknown {
    const found = this.functions[method];
    if (found === undefined) {
      return { jsonrpc: "2.0", error: { code: -32601, message: "Method not found" }, id };
    }
    if (!method.startsWith("rpc.")) this.ran.push(method);
    return { jsonrpc: "2.0", ...found(params), id };
  }
}

/** A clock that the test moves. */
export class TestClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ atMs: number; action: () => void }>();

  now(): number {
    return this.#now;
  }

  setTimeout(action: () => void, milliseconds: number): () => void {
    const timer = { atMs: this.#now + milliseconds, action };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** How many timers run. */
  get timers(): number {
    return this.#timers.size;
  }

  move(milliseconds: number): void {
    this.#now += milliseconds;
    for (const timer of this.#timers) {
      if (timer.atMs > this.#now) continue;
      this.#timers.delete(timer);
      timer.action();
    }
  }
}

/** The request is lost, and nobody knows where. */
export const lostBefore: Fate = () => Promise.reject(new TypeError("connection reset"));
/** The connection never came about. */
export const notConnected: Fate = () =>
  Promise.reject(
    new TypeError("fetch failed", {
      cause: Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }),
    }),
  );
/** The request arrives, its answer is lost. */
export const lostAfter: Fate = async (deliver) => {
  await (await deliver()).body?.cancel();
  throw new TypeError("connection reset");
};
/** Nothing comes back, until the client gives up. */
export function silent(isDelivered: boolean): Fate {
  return async (deliver, { signal }) => {
    if (isDelivered) await (await deliver()).body?.cancel();
    return await new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  };
}
/** Somebody in between answers with a status; the request may arrive or not. */
export function status(code: number, isDelivered = false, headers: HeadersInit = {}): Fate {
  return async (deliver) => {
    if (isDelivered) await (await deliver()).body?.cancel();
    return new Response(null, { status: code, headers });
  };
}
/** The request arrives, the answer is changed. */
export function changed(change: (body: Bytes) => Bytes): Fate {
  return async (deliver) => {
    const response = await deliver();
    return new Response(change(new Uint8Array(await response.arrayBuffer())));
  };
}

/** The error that a call ends with. */
export async function errorOf(call: Promise<unknown>): Promise<CallError> {
  const error = await call.then(() => new Error("the call brought a result"), (reason) => reason);
  if (error instanceof CallError) return error;
  throw error;
}
