/**
 * @module
 * Key stores for benchmarks, on disk, and real sealed requests of their clients.
 */
import { Buffer } from "node:buffer";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { Box } from "../lib/crypto/box.ts";
import {
  formatKey,
  generateSecret,
  type KeyPair,
  type PublicKey,
  type SecretHex,
} from "../lib/crypto/keys.ts";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { encodeRequest } from "../lib/protocol/v1_messages.ts";

/** Keys of a server and of its clients. */
export interface BenchKeys {
  readonly server: KeyPair;
  /** The clients that send; they are registered last, so that a search finds them last. */
  readonly senders: readonly KeyPair[];
  /** One secret serves them all. */
  readonly secret: SecretHex;
}

/** A key store and what its clients hold. */
export interface BenchStore extends BenchKeys {
  readonly home: string;
}

/** Creates the keys of a server with some clients. */
export function makeKeys(senderCount: number): BenchKeys {
  const senders = Array.from({ length: senderCount }, generateKeyPair);
  return { server: generateKeyPair(), senders, secret: generateSecret() };
}

/** Writes a server's folder with `count` registered keys, of which `senderCount` send. */
export async function makeStore(
  home: string,
  { count, senderCount, config, keys = makeKeys(senderCount) }: {
    count: number;
    senderCount: number;
    config: string;
    /** Keys of another store, so that both accept the same requests. */
    keys?: BenchKeys;
  },
): Promise<BenchStore> {
  const sec = join(home, "sec");
  await Deno.mkdir(join(home, "config"), { recursive: true });
  await Deno.mkdir(sec);
  await Deno.writeTextFile(join(home, "config/config.ini"), config);
  const { server, senders, secret } = keys;
  const write = (name: string, text: string): void =>
    Deno.writeTextFileSync(join(sec, name), text, { mode: 0o600 });
  write("server.key", formatKey(server.privateKey));
  write("server.pub", formatKey(server.publicKey));
  for (let i = 0; i < count; i++) {
    const sender = senders[i - (count - senderCount)];
    write(`client_${i + 1}.pub`, formatKey(sender?.publicKey ?? makePublicKey()));
  }
  write("clients.dev", `${secret}\n`);
  return { home, ...keys };
}

/** The public key of a pair that nobody keeps. A tenth of the time that tweetnacl takes. */
function makePublicKey(): PublicKey {
  const { publicKey } = generateKeyPairSync("x25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  return new Uint8Array(Buffer.from(x, "base64url")) as PublicKey;
}

/** Gives a server's folder a function `time_test` that returns a constant text. */
export async function installConstant(home: string): Promise<void> {
  await Deno.mkdir(join(home, "modules"));
  await Deno.writeTextFile(join(home, "modules/constant.js"), CONSTANT_MODULE);
  await Deno.writeTextFile(join(home, "config/modules.ini"), "[Modules]\ntime_test=constant\n");
}

/** As long as the answer of the function that a new installation has. */
export const CONSTANT_TEXT = "It is currently: \n\tSat Mar 30 13:20:53 2024";
const CONSTANT_MODULE = `export const entry_call = () => ${JSON.stringify(CONSTANT_TEXT)};\n`;

/** Characters that are written at once. */
const WRITE_CHARACTERS = 1_000_000;

const box = await Box.load();

/**
 * Request bodies of some clients in turn, each under fresh nonces. One after the other: a heap of hundreds of
 * megabytes would be collected while the next measurement runs, and take a core from it.
 */
export function* sealRequests(
  keys: BenchKeys,
  clients: readonly KeyPair[],
  count: number,
  { functionName = "time_test", nowSeconds = Math.floor(Date.now() / 1000) } = {},
): Generator<string, undefined> {
  const sharedKeys = clients.map(({ privateKey }) => {
    const key = box.deriveSharedKey(keys.server.publicKey, privateKey);
    if (key === undefined) throw new Error("a key of low order");
    return key;
  });
  const nonce = new Uint8Array(24);
  const content = { secretHex: keys.secret, functionName, nowSeconds };
  try {
    for (let i = 0; i < count; i++) {
      const key = sharedKeys[i % sharedKeys.length];
      if (key === undefined) return;
      yield encodeRequest(content, (plain) => box.seal(key, crypto.getRandomValues(nonce), plain));
    }
  } finally {
    sharedKeys.forEach((key) => box.forget(key));
  }
}

/** Writes request bodies to a file, one a line. */
export async function writeBodies(path: string, bodies: Iterable<string>): Promise<void> {
  using file = await Deno.create(path);
  const writer = file.writable.getWriter();
  const encoder = new TextEncoder();
  let lines = "";
  for (const body of bodies) {
    lines += `${body}\n`;
    if (lines.length < WRITE_CHARACTERS) continue;
    await writer.write(encoder.encode(lines));
    lines = "";
  }
  await writer.write(encoder.encode(lines));
  await writer.close();
}
