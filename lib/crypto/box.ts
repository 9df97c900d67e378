/**
 * @module
 * What protocol v1 needs of libsodium: shared keys, opening and sealing of NaCl boxes
 * (X25519, XSalsa20-Poly1305), short and long keyed hashes. Works on the library's raw exports with
 * the shared keys lying in its heap, because the wrapped functions copy the key at every call and
 * signal a failed trial by an exception (7–10 µs against 0.5 µs).
 */
import { KEY_BYTES, type PrivateKey, type PublicKey } from "./keys.ts";
import { loadSodium, type Sodium } from "./sodium.ts";

/** Bytes of a nonce, which open every sealed value. */
export const NONCE_BYTES = 24;
/** Bytes that sealing adds: nonce and Poly1305 tag. */
export const SEAL_OVERHEAD = NONCE_BYTES + 16;

declare const brand: unique symbol;
/** Where a 32-byte shared key lies in the library's heap; valid until {@link Box.forget}. */
export type SharedKey = number & { readonly [brand]: "SharedKey" };

/** Where a 16-byte key of short hashes lies in the library's heap, for as long as the process lives. */
export type ShortHashKey = number & { readonly [brand]: "ShortHashKey" };

/** Bytes of an input that the first buffers hold; a request value is at most 12 KiB. */
const FIRST_CAPACITY = 16 * 1024;

/**
 * An instance of the library with its buffers. All methods are synchronous and copy what they
 * return, except where they say otherwise; none keeps a reference to what it is given.
 */
export class Box {
  readonly #sodium: Sodium;
  #capacity = 0;
  #input = 0;
  #output = 0;
  /** What openAll opened. */
  readonly #opened: number;
  /** Keys and nonces that are needed for one call only. */
  readonly #small: number;

  private constructor(sodium: Sodium) {
    this.#sodium = sodium;
    this.#small = sodium._malloc(2 * KEY_BYTES);
    this.#opened = sodium._malloc(FIRST_CAPACITY);
    this.#reserve(FIRST_CAPACITY);
  }

  /** @param sodium an instance that is there already; a new one takes about 20 ms */
  static async load(sodium?: Sodium): Promise<Box> {
    return new Box(sodium ?? await loadSodium());
  }

  /**
   * Computes the shared key of a pair (`crypto_box_beforenm`, about 0.1 ms) and keeps it in the heap.
   * `undefined` when the public key is a point of low order: its shared key would be known to
   * everybody (RFC 7748 §6.1).
   */
  deriveSharedKey(publicKey: PublicKey, privateKey: PrivateKey): SharedKey | undefined {
    const { _malloc, _free, _crypto_box_beforenm } = this.#sodium;
    const key = _malloc(KEY_BYTES);
    this.#sodium.HEAPU8.set(publicKey, this.#small);
    this.#sodium.HEAPU8.set(privateKey, this.#small + KEY_BYTES);
    const status = _crypto_box_beforenm(key, this.#small, this.#small + KEY_BYTES);
    this.#sodium.HEAPU8.fill(0, this.#small, this.#small + 2 * KEY_BYTES);
    if (status === 0) return key as SharedKey;
    _free(key);
    return undefined;
  }

  /**
   * Wipes a shared key and gives its place back; the handle must not be used any more. What is left
   * is random and not zero: nobody can seal under it.
   */
  forget(key: SharedKey): void {
    crypto.getRandomValues(this.#sodium.HEAPU8.subarray(key, key + KEY_BYTES));
    this.#sodium._free(key);
  }

  /** The plaintext of `nonce ‖ tag ‖ ciphertext`, or `undefined` when it does not authenticate. */
  open(key: SharedKey, sealed: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (sealed.length < SEAL_OVERHEAD) return undefined;
    this.#load(sealed);
    if (!this.#tryOpen(key, sealed.length)) return undefined;
    return this.#sodium.HEAPU8.slice(
      this.#output,
      this.#output + sealed.length - SEAL_OVERHEAD,
    );
  }

  /**
   * The plaintexts of several values that were sealed under one key, or `undefined` as soon as one
   * does not authenticate. They are views of the library's heap, valid until the next
   * openAll: copying them out costs as much as opening them.
   */
  openAll(key: SharedKey, values: readonly Uint8Array[]): Uint8Array[] | undefined {
    const plaintexts: Uint8Array[] = [];
    let output = this.#opened;
    for (const sealed of values) {
      if (sealed.length < SEAL_OVERHEAD) return undefined;
      if (output + sealed.length > this.#opened + FIRST_CAPACITY) return undefined;
      this.#load(sealed);
      if (!this.#tryOpen(key, sealed.length, output)) return undefined;
      const end = output + sealed.length - SEAL_OVERHEAD;
      plaintexts.push(this.#sodium.HEAPU8.subarray(output, end));
      output = end;
    }
    return plaintexts;
  }

  /**
   * Index of the first of the keys under which the sealed value opens, or -1. A key of 0 is none.
   * Costs about 0.4 µs a key for a short value.
   */
  findKey(keys: Uint32Array, sealed: Uint8Array): number {
    if (sealed.length < SEAL_OVERHEAD) return -1;
    this.#load(sealed);
    const { _crypto_box_open_easy_afternm } = this.#sodium;
    const output = this.#output, nonce = this.#input, boxed = this.#input + NONCE_BYTES;
    const length = sealed.length - NONCE_BYTES;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] ?? 0;
      if (key === 0) continue;
      if (_crypto_box_open_easy_afternm(output, boxed, length, 0, nonce, key) === 0) return i;
    }
    return -1;
  }

  /** `nonce ‖ tag ‖ ciphertext` of a plaintext; the nonce must never repeat under this key. */
  seal(key: SharedKey, nonce: Uint8Array, plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
    return this.sealView(key, nonce, plaintext).slice();
  }

  /**
   * As {@link Box.seal}, as a view of the library's heap that is valid until the next call of any method:
   * copying it out takes longer than sealing a short answer.
   */
  sealView(key: SharedKey, nonce: Uint8Array, plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
    if (nonce.length !== NONCE_BYTES) throw new RangeError(`nonce of ${nonce.length} bytes`);
    this.#load(plaintext);
    const { HEAPU8, _crypto_box_easy_afternm } = this.#sodium;
    HEAPU8.set(nonce, this.#output);
    const boxed = this.#output + NONCE_BYTES;
    _crypto_box_easy_afternm(boxed, this.#input, plaintext.length, 0, this.#output, key);
    return HEAPU8.subarray(this.#output, this.#output + SEAL_OVERHEAD + plaintext.length);
  }

  /** Keeps a 16-byte key for {@link Box.shortHash}. */
  keepShortHashKey(key: Uint8Array): ShortHashKey {
    if (key.length !== 16) throw new RangeError(`short hash key of ${key.length} bytes`);
    const address = this.#sodium._malloc(key.length);
    this.#sodium.HEAPU8.set(key, address);
    return address as ShortHashKey;
  }

  /**
   * SipHash-2-4 of the first `length` bytes of some data: 8 bytes, written as two little-endian
   * words to `out[at]` and `out[at + 1]`. Allocates nothing: it runs eight times a request.
   */
  shortHash(
    key: ShortHashKey,
    { data, length }: { data: Uint8Array; length: number },
    { out, at }: { out: Uint32Array; at: number },
  ): void {
    this.#load(data);
    this.#sodium._crypto_shorthash(this.#output, this.#input, length, 0, key);
    const { HEAPU8 } = this.#sodium;
    out[at] = readWord(HEAPU8, this.#output);
    out[at + 1] = readWord(HEAPU8, this.#output + 4);
  }

  /** Whether a compressed point of Edwards25519 is on the curve and in the subgroup of prime order. */
  isOfPrimeOrder(point: Uint8Array): boolean {
    this.#sodium.HEAPU8.set(point, this.#small);
    return this.#sodium._crypto_sign_ed25519_pk_to_curve25519(
      this.#small + KEY_BYTES,
      this.#small,
    ) === 0;
  }

  /** BLAKE2b of some bytes under a 32-byte key: 32 bytes. */
  hash(key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
    if (key.length !== 32) throw new RangeError(`hash key of ${key.length} bytes`);
    this.#load(data);
    this.#sodium.HEAPU8.set(key, this.#small);
    this.#sodium._crypto_generichash(
      this.#output,
      32,
      this.#input,
      data.length,
      0,
      this.#small,
      32,
    );
    return this.#sodium.HEAPU8.slice(this.#output, this.#output + 32);
  }

  /** Opens the input of a length under a key, to an address in the heap. */
  #tryOpen(key: SharedKey, length: number, output = this.#output): boolean {
    return this.#sodium._crypto_box_open_easy_afternm(
      output,
      this.#input + NONCE_BYTES,
      length - NONCE_BYTES,
      0,
      this.#input,
      key,
    ) === 0;
  }

  #load(data: Uint8Array): void {
    if (data.length > this.#capacity) this.#reserve(data.length);
    this.#sodium.HEAPU8.set(data, this.#input);
  }

  #reserve(capacity: number): void {
    const { _malloc, _free } = this.#sodium;
    if (this.#capacity > 0) {
      _free(this.#input);
      _free(this.#output);
    }
    this.#capacity = capacity;
    this.#input = _malloc(capacity);
    this.#output = _malloc(capacity + SEAL_OVERHEAD);
  }
}

/** Little-endian 32-bit word. */
function readWord(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) | (bytes[at + 1] ?? 0) << 8 | (bytes[at + 2] ?? 0) << 16 |
    (bytes[at + 3] ?? 0) << 24) >>> 0;
}
