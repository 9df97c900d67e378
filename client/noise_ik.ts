/**
 * @module
 * The handshake `Noise_IK_25519_ChaChaPoly_SHA256` (Noise revision 34) as two state machines over given
 * primitives: the client's library brings @noble, the server libsodium and node:crypto. Knows nothing
 * of what is around the Noise messages or in their payloads (messages.ts).
 *
 * The responder reads the first message in steps, because the server decides between them: a sender
 * that is not registered costs one Diffie-Hellman, and the static-static result can be kept.
 */
import { type Bytes, concat } from "./bytes.ts";

/** Bytes of a public key, of a Diffie-Hellman result, of a digest and of a key. */
export const NOISE_KEY_BYTES = 32;
/** Bytes that sealing adds. */
export const TAG_BYTES = 16;
/** Bytes of the first message with an empty payload: `e`, `s` sealed, tag of the payload. */
export const FIRST_MESSAGE_BYTES = 2 * NOISE_KEY_BYTES + 2 * TAG_BYTES;

/** 32 bytes exactly, so it is its own hash (§5.2). */
const NAME = new TextEncoder().encode("Noise_IK_25519_ChaChaPoly_SHA256");

/** An X25519 pair; where its private key is and what it looks like is its own affair. */
export interface NoiseKeyPair {
  readonly publicKey: Uint8Array;
  /**
   * X25519 with another public key, 32 bytes; `undefined` when the result is all zeros, which ends the
   * handshake (RFC 7748 §6.1).
   */
  agree(publicKey: Uint8Array): Bytes | undefined;
}

/** The functions that Noise is made of. None keeps or changes what it is given. */
export interface NoisePrimitives {
  /** SHA-256 of two values, one after the other. */
  hash(first: Uint8Array, second: Uint8Array): Bytes;
  /** HKDF-SHA-256 (RFC 5869) without info, 64 bytes. */
  hkdf(salt: Uint8Array, input: Uint8Array): Bytes;
  /**
   * ChaCha20-Poly1305 (RFC 8439) under a nonce of 12 zero bytes: in this handshake no key seals twice.
   * Ciphertext, then tag.
   */
  seal(key: Uint8Array, data: { ad: Uint8Array; plaintext: Uint8Array }): Bytes;
  /** The plaintext, or `undefined` when it does not authenticate. */
  open(key: Uint8Array, data: { ad: Uint8Array; sealed: Uint8Array }): Bytes | undefined;
}

/** What both sides hold after the handshake (Noise §5.2, `Split()`). */
export interface TransportKeys {
  /** Initiator to responder. */
  readonly toResponder: Bytes;
  /** Responder to initiator. */
  readonly toInitiator: Bytes;
}

/** The hash of what both sides know before a handshake: its name, the prologue, and who responds. */
export function handshakeStart(
  { hash }: Pick<NoisePrimitives, "hash">,
  { prologue, responderKey }: { readonly prologue: Uint8Array; readonly responderKey: Uint8Array },
): Bytes {
  return hash(hash(NAME, prologue), responderKey);
}

/** `SymmetricState` of the specification (§5.2); every key is used once, so there is no counter. */
class SymmetricState {
  readonly #primitives: NoisePrimitives;
  #chainingKey: Bytes;
  #hash: Bytes;
  #key: Bytes = new Uint8Array(NOISE_KEY_BYTES);

  /** @param start of {@link handshakeStart} */
  constructor(primitives: NoisePrimitives, start: Bytes) {
    this.#primitives = primitives;
    this.#chainingKey = NAME.slice();
    this.#hash = start;
  }

  get hash(): Bytes {
    return this.#hash.slice();
  }

  mixHash(data: Uint8Array): void {
    this.#hash = this.#primitives.hash(this.#hash, data);
  }

  /** Wipes its input. */
  mixKey(input: Bytes): void {
    const output = this.#primitives.hkdf(this.#chainingKey, input);
    for (const secret of [input, this.#chainingKey, this.#key]) secret.fill(0);
    this.#chainingKey = output.slice(0, NOISE_KEY_BYTES);
    this.#key = output.slice(NOISE_KEY_BYTES);
    output.fill(0);
  }

  seal(plaintext: Uint8Array): Bytes {
    const sealed = this.#primitives.seal(this.#key, { ad: this.#hash, plaintext });
    this.mixHash(sealed);
    return sealed;
  }

  open(sealed: Uint8Array): Bytes | undefined {
    const plaintext = this.tryOpen(sealed);
    this.mixHash(sealed);
    return plaintext;
  }

  /** The first half of {@link SymmetricState.open}, which may be all that is needed. */
  tryOpen(sealed: Uint8Array): Bytes | undefined {
    return this.#primitives.open(this.#key, { ad: this.#hash, sealed });
  }

  split(): TransportKeys {
    const output = this.#primitives.hkdf(this.#chainingKey, new Uint8Array());
    const keys = {
      toResponder: output.slice(0, NOISE_KEY_BYTES),
      toInitiator: output.slice(NOISE_KEY_BYTES),
    };
    output.fill(0);
    return keys;
  }
}

/** What a side of a handshake starts with. */
export interface HandshakeOptions {
  readonly primitives: NoisePrimitives;
  readonly staticPair: NoiseKeyPair;
  /** Bytes that both sides know, and must agree on. */
  readonly prologue: Uint8Array;
}

/** What a responder starts with. */
export interface ResponderOptions extends HandshakeOptions {
  /** The result of {@link handshakeStart}, where it is known. */
  readonly start?: Bytes;
}

/** The side that calls. Each method once, in their order here. */
export class Initiator {
  readonly #options: HandshakeOptions;
  readonly #responderKey: Uint8Array;
  readonly #ephemeral: NoiseKeyPair;
  readonly #state: SymmetricState;

  /** @param ephemeral a fresh pair, used for this handshake only */
  constructor(
    options: HandshakeOptions,
    { responderKey, ephemeral }: { responderKey: Uint8Array; ephemeral: NoiseKeyPair },
  ) {
    this.#options = options;
    this.#responderKey = responderKey;
    this.#ephemeral = ephemeral;
    const { primitives, prologue } = options;
    this.#state = new SymmetricState(
      primitives,
      handshakeStart(primitives, { prologue, responderKey }),
    );
  }

  /** `-> e, es, s, ss`; `undefined` when the responder's key is a point of low order. */
  writeFirst(payload: Uint8Array): Bytes | undefined {
    const { staticPair } = this.#options;
    const { publicKey } = this.#ephemeral;
    const es = this.#ephemeral.agree(this.#responderKey);
    const ss = staticPair.agree(this.#responderKey);
    if (es === undefined || ss === undefined) return undefined;
    this.#state.mixHash(publicKey);
    this.#state.mixKey(es);
    const sealedKey = this.#state.seal(staticPair.publicKey);
    this.#state.mixKey(ss);
    return concat(publicKey, sealedKey, this.#state.seal(payload));
  }

  /** `<- e, ee, se`; `undefined` when the message is not by the responder, or not an answer to ours. */
  readSecond(
    message: Uint8Array,
  ): { readonly payload: Bytes; readonly keys: TransportKeys; readonly hash: Bytes } | undefined {
    if (message.length < NOISE_KEY_BYTES + TAG_BYTES) return undefined;
    const theirs = message.subarray(0, NOISE_KEY_BYTES);
    const ee = this.#ephemeral.agree(theirs);
    const se = this.#options.staticPair.agree(theirs);
    if (ee === undefined || se === undefined) return undefined;
    this.#state.mixHash(theirs);
    this.#state.mixKey(ee);
    this.#state.mixKey(se);
    const payload = this.#state.open(message.subarray(NOISE_KEY_BYTES));
    return payload && { payload, keys: this.#state.split(), hash: this.#state.hash };
  }
}

/** The side that is called. Each method once, in their order here; after `undefined`, none. */
export class Responder {
  readonly #options: HandshakeOptions;
  readonly #state: SymmetricState;
  #theirEphemeral: Bytes = new Uint8Array();
  #theirStatic: Bytes = new Uint8Array();
  #sealedStatic: Bytes = new Uint8Array();
  #sealedPayload: Bytes = new Uint8Array();

  constructor(options: ResponderOptions) {
    this.#options = options;
    const { primitives, prologue, staticPair: { publicKey: responderKey } } = options;
    const { start = handshakeStart(primitives, { prologue, responderKey }) } = options;
    this.#state = new SymmetricState(primitives, start);
  }

  /**
   * `-> e, es, s`: the initiator's static public key, which is not proven before
   * {@link Responder.readPayload}. Costs one Diffie-Hellman.
   */
  readSender(message: Uint8Array): Bytes | undefined {
    if (message.length < FIRST_MESSAGE_BYTES) return undefined;
    const sealedKeyEnd = 2 * NOISE_KEY_BYTES + TAG_BYTES;
    this.#theirEphemeral = new Uint8Array(message.subarray(0, NOISE_KEY_BYTES));
    this.#sealedStatic = new Uint8Array(message.subarray(NOISE_KEY_BYTES, sealedKeyEnd));
    this.#sealedPayload = new Uint8Array(message.subarray(sealedKeyEnd));
    const es = this.#options.staticPair.agree(this.#theirEphemeral);
    if (es === undefined) return undefined;
    this.#state.mixHash(this.#theirEphemeral);
    this.#state.mixKey(es);
    const sender = this.#state.tryOpen(this.#sealedStatic);
    if (sender !== undefined) this.#theirStatic = sender;
    return sender?.slice();
  }

  /**
   * `-> ss` and the payload, whose opening proves the initiator's static key.
   *
   * @param staticStatic the result of the two static keys, where it is known already
   */
  readPayload(
    staticStatic: Bytes | undefined = this.#options.staticPair.agree(this.#theirStatic),
  ): Bytes | undefined {
    if (staticStatic === undefined) return undefined;
    this.#state.mixHash(this.#sealedStatic);
    this.#state.mixKey(staticStatic.slice());
    return this.#state.open(this.#sealedPayload);
  }

  /**
   * `<- e, ee, se`: the keys after the handshake, known before the payload is written.
   *
   * @param ephemeral a fresh pair, used for this handshake only
   */
  agree(ephemeral: NoiseKeyPair): TransportKeys | undefined {
    const ee = ephemeral.agree(this.#theirEphemeral);
    const se = ephemeral.agree(this.#theirStatic);
    if (ee === undefined || se === undefined) return undefined;
    this.#state.mixHash(ephemeral.publicKey);
    this.#state.mixKey(ee);
    this.#state.mixKey(se);
    return this.#state.split();
  }

  /** The second message, without the `e` that opens it. */
  writePayload(payload: Uint8Array): { readonly sealed: Bytes; readonly hash: Bytes } {
    return { sealed: this.#state.seal(payload), hash: this.#state.hash };
  }
}
