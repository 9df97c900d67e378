/**
 * @module
 * The server's keys for the handshake of protocol v2: the present one, and previous ones within their
 * grace. Keeps the result of a client's key with each of them, which saves every later hello of that client
 * a Diffie-Hellman.
 */
import { type Bytes, toHex } from "../../client/bytes.ts";
import { keyIdOf, prologueOf } from "../../client/messages.ts";
import { handshakeStart } from "../../client/noise_ik.ts";
import { formatKey, type PrivateKey } from "../crypto/keys.ts";
import { hashPair } from "../crypto/digest.ts";
import { X25519Pair } from "../crypto/x25519.ts";
import type { ClientRecord } from "./keyring.ts";

/** A key of the server. */
export class HandshakeKey {
  readonly pair: X25519Pair;
  /** Short name, 16 hex digits. */
  readonly keyIdHex: string;
  /** Where every handshake with it begins. */
  readonly start: Bytes;
  /** Prologue of those handshakes. */
  readonly prologue: Bytes;
  readonly #agreed = new WeakMap<ClientRecord, Bytes>();

  constructor(privateKey: PrivateKey) {
    this.pair = X25519Pair.of(privateKey);
    const { publicKey } = this.pair;
    const keyId = keyIdOf(publicKey, hashPair);
    this.keyIdHex = toHex(keyId);
    this.prologue = prologueOf(keyId);
    this.start = handshakeStart({ hash: hashPair }, {
      prologue: this.prologue,
      responderKey: publicKey,
    });
  }

  /** The result of this key with a client's public key; `undefined` when it is all zeros. */
  agreeWith(client: ClientRecord, publicKey: Uint8Array): Bytes | undefined {
    const kept = this.#agreed.get(client);
    if (kept !== undefined) return kept;
    const agreed = this.pair.agree(publicKey);
    if (agreed !== undefined) this.#agreed.set(client, agreed);
    return agreed;
  }
}

/** All keys that clients may use. */
export class HandshakeKeys {
  /** By the text of the private key, in the order in which they are looked for. */
  #keys = new Map<string, HandshakeKey>();

  /** @param privateKeys the present one first; what was known of a key stays */
  use(privateKeys: readonly PrivateKey[]): void {
    const before = this.#keys;
    this.#keys = new Map(privateKeys.map((each) => {
      const text = formatKey(each);
      return [text, before.get(text) ?? new HandshakeKey(each)];
    }));
  }

  /** The key with a short name. */
  find(keyId: Uint8Array): HandshakeKey | undefined {
    const keyIdHex = toHex(keyId);
    return [...this.#keys.values()].find((key) => key.keyIdHex === keyIdHex);
  }
}
