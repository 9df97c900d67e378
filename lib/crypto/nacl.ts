/**
 * @module
 * tweetnacl: makes key pairs, and seals and opens on the client's side, where a few values a call
 * need no WebAssembly. The server's side is box.ts.
 */
import nacl from "tweetnacl";
import type { KeyPair, PrivateKey, PublicKey } from "./keys.ts";

/** A fresh X25519 pair from the platform's random source. */
export function generateKeyPair(): KeyPair {
  const { publicKey, secretKey } = nacl.box.keyPair();
  return { publicKey: publicKey as PublicKey, privateKey: secretKey as PrivateKey };
}

/** One client's NaCl box with one server: the shared key is computed once, at construction. */
export class ClientBox {
  readonly #sharedKey: Uint8Array;

  constructor(privateKey: PrivateKey, serverPublicKey: PublicKey) {
    this.#sharedKey = nacl.box.before(serverPublicKey, privateKey);
  }

  /** `nonce (24 bytes) ‖ tag (16 bytes) ‖ ciphertext` under a fresh random nonce. */
  seal(plaintext: Uint8Array): Uint8Array {
    const nonce = nacl.randomBytes(nacl.box.nonceLength);
    const boxed = nacl.box.after(plaintext, nonce, this.#sharedKey);
    const sealed = new Uint8Array(nonce.length + boxed.length);
    sealed.set(nonce);
    sealed.set(boxed, nonce.length);
    return sealed;
  }

  /** The plaintext of `nonce ‖ tag ‖ ciphertext`, or `undefined` when it does not authenticate. */
  open(sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < nacl.box.nonceLength + nacl.box.overheadLength) return undefined;
    const nonce = sealed.subarray(0, nacl.box.nonceLength);
    const boxed = sealed.subarray(nacl.box.nonceLength);
    return nacl.box.open.after(boxed, nonce, this.#sharedKey) ?? undefined;
  }
}
