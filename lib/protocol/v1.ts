/**
 * @module
 * Protocol v1 behind the seam of protocol.ts: finds the sender by trying keys, verifies, seals. The
 * form of its messages is in v1_messages.ts.
 */
import type { Box } from "../crypto/box.ts";
import type { NonceMark } from "../crypto/nonce_mark.ts";
import type { CallResult } from "../functions/types.ts";
import type { Keyring } from "../keys/keyring.ts";
import type { Sender, SenderFinder, SenderRefusal } from "../keys/sender.ts";
import type { Refusal } from "../refusals.ts";
import type { Claims, NonceClaim } from "../replay/claims.ts";
import type {
  Authentic,
  Parsed,
  Protocol,
  Sealed,
  Soon,
  Unverified,
  Verified,
} from "./protocol.ts";
import {
  encodeResponse,
  RequestParser,
  type RequestTimes,
  type SealedRequest,
  verifyRequest,
} from "./v1_messages.ts";

/** The parts of protocol v1. */
export interface V1Parts {
  readonly box: Box;
  readonly keyring: Keyring;
  readonly senders: SenderFinder;
  readonly nonceMark: NonceMark;
  readonly claims: Claims<NonceClaim>;
  readonly requestTtlSeconds: number;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
}

/** `check`, `id`, `ts` and `entry`: the probe comes first, since it is the shortest. */
type Values = readonly [check: Uint8Array, id: Uint8Array, ts: Uint8Array, entry: Uint8Array];

const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json\s*(?:;|$)/i;

/** Protocol v1. */
export class V1 implements Protocol<string, SealedRequest, Sender<Values>, NonceClaim> {
  readonly name = "v1";
  readonly answerType = "application/json";
  readonly allowedOrigins = [];
  readonly bodyForm = "text";
  readonly claims: Claims<NonceClaim>;
  readonly #parts: V1Parts;
  readonly #clock: () => number;
  readonly #parser = new RequestParser();

  constructor(parts: V1Parts) {
    this.#parts = parts;
    this.claims = parts.claims;
    this.#clock = parts.clock ?? Date.now;
  }

  acceptsType(contentType: string): boolean {
    // The expression takes 2 µs, and nearly all clients write exactly this.
    return contentType === "application/json" || JSON_TYPE.test(contentType);
  }

  parse(body: string): Parsed<SealedRequest> | Refusal {
    return this.#parser.parse(body);
  }

  referenceOf(): undefined {}

  authenticate(
    { check, id, ts, entry }: SealedRequest,
    address: string,
  ): Soon<Authentic<Sender<Values>> | Refusal> {
    const values: Values = [check, id, ts, entry];
    const arrival = { address, nowSeconds: this.#nowSeconds() };
    const found = this.#parts.senders.find(values, arrival);
    return found instanceof Promise ? found.then(authentic) : authentic(found);
  }

  verify(
    { content: { client, sealed, opened } }: Authentic<Sender<Values>>,
  ): Verified<NonceClaim> | Unverified<NonceClaim> {
    const { keyring, nonceMark, requestTtlSeconds } = this.#parts;
    const [sealedCheck, sealedId, sealedTs, sealedEntry] = sealed;
    const nonces = [sealedId, sealedCheck, sealedTs, sealedEntry] as const;
    if (nonces.some((value) => nonceMark.isOwn(value))) return { ok: false, code: "reflected" };
    const nowSeconds = this.#nowSeconds();
    const [check, id, ts, entry] = opened;
    const verified = verifyRequest({ check, id, ts, entry }, {
      nowSeconds,
      requestTtlSeconds,
      isRegisteredSecret: (secret) => keyring.isRegisteredSecret(secret),
    });
    const claimAt = ({ sentAtSeconds, expiresAtSeconds }: RequestTimes): NonceClaim => {
      return { nonces, owner: client.slot, sentAtSeconds, expiresAtSeconds, nowSeconds };
    };
    if (verified.ok) {
      const { functionName } = verified.request;
      return { ok: true, claim: claimAt(verified.request), calls: [{ functionName }] };
    }
    const { times, ...refusal } = verified;
    return times === undefined ? refusal : { ...refusal, claim: claimAt(times) };
  }

  accepted({ content }: Authentic<Sender<Values>>, address: string): void {
    this.#parts.senders.accepted(content, { address, nowSeconds: this.#nowSeconds() });
  }

  sealBar(): undefined {}

  seal({ content }: Authentic<Sender<Values>>, [result]: readonly CallResult[]): Sealed | Refusal {
    if (result === undefined) return { ok: false, code: "internal_error" };
    // v1 has no words for errors: the sender gets the one refusal.
    if (!result.ok) {
      const { code, detail } = result;
      return detail === undefined ? { ok: false, code } : { ok: false, code, detail };
    }
    const { box, nonceMark } = this.#parts;
    const sealed = box.sealView(content.key, nonceMark.make(), result.bytes);
    return { ok: true, body: encodeResponse(sealed) };
  }

  #nowSeconds(): number {
    return Math.floor(this.#clock() / 1000);
  }
}

function authentic(
  found: Sender<Values> | SenderRefusal,
): Authentic<Sender<Values>> | Refusal {
  if (typeof found === "string") return { ok: false, code: found };
  return { ok: true, client: found.client, content: found };
}
