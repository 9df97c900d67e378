/**
 * @module
 * What protocol v2 needs of libsodium: ChaCha20-Poly1305 and HKDF-SHA-256 for its handshake,
 * XChaCha20-Poly1305 for tickets, calls and answers. Works on the library's raw exports, with one
 * stretch of its heap for everything; keys are wiped from there after each use.
 */
import type { LongNonceCipher } from "../../client/messages.ts";
import type { Sodium } from "./sodium.ts";

/** Bytes of a key and of a pseudorandom key. */
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const HKDF_BYTES = 64;
const LONG_NONCE_BYTES = 24;
const SHORT_NONCE = new Uint8Array(12);
/** Key, nonce and the longest output of a fixed length lie before the rest. */
const NONCE_AT = KEY_BYTES;
const FIXED_AT = NONCE_AT + KEY_BYTES;
const DATA_AT = FIXED_AT + HKDF_BYTES;
const FIRST_CAPACITY = 4096;

type Bytes = Uint8Array<ArrayBuffer>;

/** Seals and opens. All methods are synchronous, copy what they return and keep nothing. */
export class Aead implements LongNonceCipher {
  /**
   * The same, whose results are views of the library's heap that are valid until the next call: copying
   * a short result out takes as long as opening it.
   */
  readonly views: LongNonceCipher = {
    seal: (key, nonce, { ad, plaintext }) => this.#sealLong({ key, nonce, ad, plaintext }),
    open: (key, nonce, { ad, sealed }) => this.#openLong({ key, nonce, ad, sealed }),
  };
  readonly #sodium: Sodium;
  #at = 0;
  #capacity = 0;

  constructor(sodium: Sodium) {
    this.#sodium = sodium;
    this.#reserve(FIRST_CAPACITY);
  }

  /** XChaCha20-Poly1305: ciphertext, then tag. */
  seal(
    key: Uint8Array,
    nonce: Uint8Array,
    { ad, plaintext }: { ad: Uint8Array; plaintext: Uint8Array },
  ): Bytes {
    return this.#sealLong({ key, nonce, ad, plaintext }).slice();
  }

  /** XChaCha20-Poly1305: the plaintext, or `undefined` when it does not authenticate. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    { ad, sealed }: { ad: Uint8Array; sealed: Uint8Array },
  ): Bytes | undefined {
    return this.#openLong({ key, nonce, ad, sealed })?.slice();
  }

  /** ChaCha20-Poly1305 under a nonce of zeros, for keys that seal once. */
  sealOnce(
    key: Uint8Array,
    { ad, plaintext }: { ad: Uint8Array; plaintext: Uint8Array },
  ): Bytes {
    const nonce = SHORT_NONCE;
    return this.#seal("_crypto_aead_chacha20poly1305_ietf_encrypt", { key, nonce, ad, plaintext })
      .slice();
  }

  /** ChaCha20-Poly1305 under a nonce of zeros. */
  openOnce(
    key: Uint8Array,
    { ad, sealed }: { ad: Uint8Array; sealed: Uint8Array },
  ): Bytes | undefined {
    const nonce = SHORT_NONCE;
    return this.#open("_crypto_aead_chacha20poly1305_ietf_decrypt", { key, nonce, ad, sealed })
      ?.slice();
  }

  /** HKDF-SHA-256 (RFC 5869) without info: 64 bytes. */
  hkdf(salt: Uint8Array, input: Uint8Array): Bytes {
    const inputAt = DATA_AT + salt.length;
    this.#reserve(inputAt + input.length);
    const sodium = this.#sodium, at = this.#at;
    sodium.HEAPU8.set(salt, at + DATA_AT);
    sodium.HEAPU8.set(input, at + inputAt);
    sodium._crypto_kdf_hkdf_sha256_extract(
      at,
      at + DATA_AT,
      salt.length,
      at + inputAt,
      input.length,
    );
    sodium._crypto_kdf_hkdf_sha256_expand(at + FIXED_AT, HKDF_BYTES, 0, 0, at);
    const output = sodium.HEAPU8.slice(at + FIXED_AT, at + DATA_AT);
    sodium.HEAPU8.fill(0, at, at + inputAt + input.length);
    return output;
  }

  #sealLong(parts: Record<"key" | "nonce" | "ad" | "plaintext", Uint8Array>): Bytes {
    checkNonce(parts.nonce);
    return this.#seal("_crypto_aead_xchacha20poly1305_ietf_encrypt", parts);
  }

  #openLong(parts: Record<"key" | "nonce" | "ad" | "sealed", Uint8Array>): Bytes | undefined {
    checkNonce(parts.nonce);
    return this.#open("_crypto_aead_xchacha20poly1305_ietf_decrypt", parts);
  }

  /** @returns a view of the heap */
  #seal(
    name: `_crypto_aead_${string}_ietf_encrypt` & keyof Sodium,
    { key, nonce, ad, plaintext }: Record<"key" | "nonce" | "ad" | "plaintext", Uint8Array>,
  ): Bytes {
    const { input, output } = this.#load({ key, nonce, ad, input: plaintext });
    const sodium = this.#sodium, at = this.#at, { length } = plaintext;
    const data = at + DATA_AT;
    sodium[name](output, 0, input, length, 0, data, ad.length, 0, 0, at + NONCE_AT, at);
    sodium.HEAPU8.fill(0, at, at + KEY_BYTES);
    return sodium.HEAPU8.subarray(output, output + length + TAG_BYTES);
  }

  /** @returns a view of the heap */
  #open(
    name: `_crypto_aead_${string}_ietf_decrypt` & keyof Sodium,
    { key, nonce, ad, sealed }: Record<"key" | "nonce" | "ad" | "sealed", Uint8Array>,
  ): Bytes | undefined {
    if (sealed.length < TAG_BYTES) return undefined;
    const { input, output } = this.#load({ key, nonce, ad, input: sealed });
    const sodium = this.#sodium, at = this.#at, { length } = sealed;
    const data = at + DATA_AT;
    const status = sodium[name](
      output,
      0,
      0,
      input,
      length,
      0,
      data,
      ad.length,
      0,
      at + NONCE_AT,
      at,
    );
    sodium.HEAPU8.fill(0, at, at + KEY_BYTES);
    return status === 0 ? sodium.HEAPU8.subarray(output, output + length - TAG_BYTES) : undefined;
  }

  /** Copies everything in. @returns the addresses of the input, and of the output behind it. */
  #load(
    { key, nonce, ad, input }: Record<"key" | "nonce" | "ad" | "input", Uint8Array>,
  ): { input: number; output: number } {
    if (key.length !== KEY_BYTES) throw new RangeError(`key of ${key.length} bytes`);
    const inputAt = DATA_AT + ad.length, outputAt = inputAt + input.length;
    this.#reserve(outputAt + input.length + TAG_BYTES);
    const { HEAPU8 } = this.#sodium, at = this.#at;
    HEAPU8.set(key, at);
    HEAPU8.set(nonce, at + NONCE_AT);
    HEAPU8.set(ad, at + DATA_AT);
    HEAPU8.set(input, at + inputAt);
    return { input: at + inputAt, output: at + outputAt };
  }

  #reserve(capacity: number): void {
    if (capacity <= this.#capacity) return;
    if (this.#capacity > 0) this.#sodium._free(this.#at);
    this.#at = this.#sodium._malloc(capacity);
    this.#capacity = capacity;
  }
}

function checkNonce(nonce: Uint8Array): void {
  if (nonce.length !== LONG_NONCE_BYTES) throw new RangeError(`nonce of ${nonce.length} bytes`);
}
