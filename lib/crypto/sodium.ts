/**
 * @module
 * The one door to libsodium (WebAssembly): loads it and types its raw exports. box.ts and aead.ts share
 * one instance.
 */
import sodiumFactory from "libsodium";

/**
 * The raw exports that are used here: addresses in the library's heap, statuses of 0 for success.
 * 64-bit lengths are passed as low and high word.
 */
export interface Sodium {
  HEAPU8: Uint8Array<ArrayBuffer>;
  _sodium_init(): number;
  _malloc(bytes: number): number;
  _free(address: number): void;
  _crypto_box_beforenm(key: number, publicKey: number, privateKey: number): number;
  _crypto_sign_ed25519_pk_to_curve25519(out: number, publicKey: number): number;
  _crypto_box_easy_afternm(
    out: number,
    plain: number,
    length: number,
    lengthHigh: number,
    nonce: number,
    key: number,
  ): number;
  _crypto_box_open_easy_afternm(
    out: number,
    boxed: number,
    length: number,
    lengthHigh: number,
    nonce: number,
    key: number,
  ): number;
  _crypto_shorthash(
    out: number,
    data: number,
    length: number,
    lengthHigh: number,
    key: number,
  ): number;
  _crypto_generichash(
    out: number,
    outLength: number,
    data: number,
    length: number,
    lengthHigh: number,
    key: number,
    keyLength: number,
  ): number;
  _crypto_kdf_hkdf_sha256_extract(
    out: number,
    salt: number,
    saltLength: number,
    input: number,
    inputLength: number,
  ): number;
  _crypto_kdf_hkdf_sha256_expand(
    out: number,
    outLength: number,
    context: number,
    contextLength: number,
    key: number,
  ): number;
  _crypto_aead_chacha20poly1305_ietf_encrypt(
    out: number,
    outLength: number,
    plain: number,
    length: number,
    lengthHigh: number,
    data: number,
    dataLength: number,
    dataLengthHigh: number,
    unused: number,
    nonce: number,
    key: number,
  ): number;
  _crypto_aead_chacha20poly1305_ietf_decrypt(
    out: number,
    outLength: number,
    unused: number,
    sealed: number,
    length: number,
    lengthHigh: number,
    data: number,
    dataLength: number,
    dataLengthHigh: number,
    nonce: number,
    key: number,
  ): number;
  _crypto_aead_xchacha20poly1305_ietf_encrypt(
    out: number,
    outLength: number,
    plain: number,
    length: number,
    lengthHigh: number,
    data: number,
    dataLength: number,
    dataLengthHigh: number,
    unused: number,
    nonce: number,
    key: number,
  ): number;
  _crypto_aead_xchacha20poly1305_ietf_decrypt(
    out: number,
    outLength: number,
    unused: number,
    sealed: number,
    length: number,
    lengthHigh: number,
    data: number,
    dataLength: number,
    dataLengthHigh: number,
    nonce: number,
    key: number,
  ): number;
}

/** Compiles the library and starts it, which takes about 20 ms. */
export async function loadSodium(): Promise<Sodium> {
  const sodium: Sodium = await sodiumFactory({
    getRandomValue: (): number => {
      const [word = 0] = crypto.getRandomValues(new Uint32Array(1));
      return word;
    },
  });
  if (sodium._sodium_init() < 0) throw new Error("libsodium does not start");
  return sodium;
}
