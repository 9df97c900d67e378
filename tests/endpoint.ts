/**
 * @module
 * An endpoint in the test's own process, with a clock of its own, and requests for it that are
 * sealed without our code.
 */
import crc32 from "crc-32";
import { Buffer } from "node:buffer";
import nacl from "tweetnacl";
import type { Box } from "../lib/crypto/box.ts";
import type { PrivateKey, PublicKey, SecretHex } from "../lib/crypto/keys.ts";
import { NonceMark } from "../lib/crypto/nonce_mark.ts";
import type { CallResult } from "../lib/functions/types.ts";
import { BodyReader } from "../lib/limits/body.ts";
import { WorkBudget } from "../lib/limits/budget.ts";
import { RequestGate } from "../lib/limits/gate.ts";
import { MemoryClaims } from "../lib/replay/memory.ts";
import { Answerer } from "../lib/http/answer.ts";
import { createEndpoint, type Endpoint } from "../lib/http/endpoint.ts";
import { Keyring } from "../lib/keys/keyring.ts";
import { SenderSearch } from "../lib/keys/search.ts";
import { SenderFinder } from "../lib/keys/sender.ts";

/** What an endpoint of a test knows. */
export interface EndpointSetup {
  readonly box: Box;
  readonly serverPrivateKey: PrivateKey;
  readonly clients: readonly PublicKey[];
  readonly secrets: readonly string[];
  readonly functions: Readonly<Record<string, () => string>>;
  readonly nowSeconds?: () => number;
}

/** Builds an endpoint; `refusals` collects the reasons that went to the log. */
export function makeEndpoint(setup: EndpointSetup): { endpoint: Endpoint; refusals: string[] } {
  const { box, serverPrivateKey, nowSeconds } = setup;
  const keyring = new Keyring(box, serverPrivateKey);
  for (const publicKey of setup.clients) keyring.addKey(publicKey);
  for (const secret of setup.secrets) keyring.addSecret(secret as SecretHex);
  const answerer = new Answerer({
    box,
    keyring,
    senders: new SenderFinder({
      box,
      keyring,
      search: new SenderSearch(keyring, new WorkBudget(1)),
      failuresPerMinute: 1_000_000,
      maxAddresses: 1000,
      addressTtlSeconds: 300,
      observer: { newAddress: () => {}, limitReached: () => {} },
    }),
    nonceMark: new NonceMark(box, serverPrivateKey),
    claims: new MemoryClaims({
      box,
      windowRequests: 1000,
      entryRequests: 1000,
      observer: { limitReached: () => {} },
    }),
    registry: {
      call(name): CallResult {
        const entry = Object.hasOwn(setup.functions, name) ? setup.functions[name] : undefined;
        return entry
          ? { ok: true, text: entry(), isJson: false }
          : { ok: false, code: "unknown_function" };
      },
    },
    requestTtlSeconds: 30,
    events: {},
    ...(nowSeconds === undefined ? {} : { clock: () => nowSeconds() * 1000 }),
  });
  const refusals: string[] = [];
  const bodies = new BodyReader({ maxBytes: 16_384, timeoutMs: 10_000 });
  const endpoint = createEndpoint({
    answerer,
    bodies,
    gate: new RequestGate({ requests: 1000, requestsPerAddress: 1000, makeRoom: () => false }),
    proxy: {
      forwardedFor: 0,
      forwardedHost: 0,
      forwardedPort: 0,
      forwardedPrefix: 0,
      forwardedProto: 0,
    },
    onAnswered: () => {},
    onRefused: ({ reason }) => refusals.push(reason),
  });
  return {
    refusals,
    async endpoint(request, peerAddress): Promise<Response> {
      const response = await endpoint(request, peerAddress);
      bodies.close();
      return response;
    },
  };
}

/** A POST to the endpoint, with the head that a client sends. */
export function post(body: string | Uint8Array<ArrayBuffer>, headers: HeadersInit = {}): Request {
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  return new Request("http://localhost:8000/v1", {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "content-length": String(length),
      host: "localhost:8000",
      ...headers,
    },
  });
}

/** Keys of a client, as bytes. */
export interface TestClient {
  readonly secretKey: Uint8Array;
  readonly serverPublicKey: Uint8Array;
  readonly secretHex: string;
}

/** Seals one value as a client does: base64url(nonce ‖ box). */
export function sealValue(client: TestClient, plaintext: Uint8Array): string {
  const nonce = nacl.randomBytes(24);
  const boxed = nacl.box(plaintext, nonce, client.serverPublicKey, client.secretKey);
  return Buffer.concat([nonce, boxed]).toString("base64url");
}

/** The four members of a request. */
export type RequestMembers = { id: string; check: string; ts: string; entry: string };

/** A well-formed request. */
export function sealRequest(
  client: TestClient,
  entry: string,
  nowSeconds?: number,
): RequestMembers {
  const id = Buffer.from(client.secretHex);
  const now = nowSeconds ?? Math.floor(Date.now() / 1000);
  return {
    id: sealValue(client, id),
    check: sealValue(client, integer(crc32.buf(id) >>> 0)),
    ts: sealValue(client, integer(now)),
    entry: sealValue(client, Buffer.from(entry)),
  };
}

/** Opens an answer's body. */
export function openAnswer(client: TestClient, body: string): string {
  const sealed = Buffer.from(JSON.parse(body).value, "base64url");
  const plaintext = nacl.box.open(
    new Uint8Array(sealed.subarray(24)),
    new Uint8Array(sealed.subarray(0, 24)),
    client.serverPublicKey,
    client.secretKey,
  );
  if (plaintext === null) throw new Error("the answer does not open");
  return new TextDecoder().decode(plaintext);
}

function integer(value: number): Uint8Array {
  const hex = value.toString(16);
  return new Uint8Array(Buffer.from(hex.padStart(hex.length + hex.length % 2, "0"), "hex"));
}
