/**
 * @module
 * A v1 client of the tests: requests that are sealed without our code.
 */
import crc32 from "crc-32";
import { Buffer } from "node:buffer";
import nacl from "tweetnacl";

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
