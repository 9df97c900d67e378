/**
 * @module
 * Key stores for benchmarks, on disk, and real sealed requests of their clients.
 */
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

/** A key store and what its clients hold. */
export interface BenchStore {
  readonly home: string;
  readonly server: KeyPair;
  /** The clients that send; they are registered last, so that a search finds them last. */
  readonly senders: readonly KeyPair[];
  /** One secret serves them all. */
  readonly secret: SecretHex;
}

/** Writes a server's folder with `count` registered keys, of which `senderCount` belong to somebody. */
export async function makeStore(
  home: string,
  { count, senderCount, config }: { count: number; senderCount: number; config: string },
): Promise<BenchStore> {
  const sec = join(home, "sec");
  await Deno.mkdir(join(home, "config"), { recursive: true });
  await Deno.mkdir(sec);
  await Deno.writeTextFile(join(home, "config/config.ini"), config);
  const server = generateKeyPair();
  Deno.writeTextFileSync(join(sec, "server.key"), formatKey(server.privateKey));
  Deno.writeTextFileSync(join(sec, "server.pub"), formatKey(server.publicKey));
  const senders = Array.from({ length: senderCount }, generateKeyPair);
  for (let i = 0; i < count; i++) {
    // Any 32 bytes are somebody's public key; nobody will send under these.
    const other = crypto.getRandomValues(new Uint8Array(32)) as PublicKey;
    const publicKey = senders[i - (count - senderCount)]?.publicKey ?? other;
    Deno.writeTextFileSync(join(sec, `client_${i + 1}.pub`), formatKey(publicKey));
  }
  const secret = generateSecret();
  Deno.writeTextFileSync(join(sec, "clients.dev"), `${secret}\n`);
  return { home, server, senders, secret };
}

const box = await Box.load();

/** Request bodies of some clients in turn, each under fresh nonces. */
export function sealRequests(
  store: BenchStore,
  clients: readonly KeyPair[],
  count: number,
  functionName = "time_test",
): string[] {
  const keys = clients.map(({ privateKey }) => {
    const key = box.deriveSharedKey(store.server.publicKey, privateKey);
    if (key === undefined) throw new Error("a key of low order");
    return key;
  });
  const nowSeconds = Math.floor(Date.now() / 1000);
  const nonce = new Uint8Array(24);
  const content = { secretHex: store.secret, functionName, nowSeconds };
  const bodies: string[] = [];
  for (let i = 0; i < count; i++) {
    const key = keys[i % keys.length];
    if (key === undefined) break;
    bodies.push(
      encodeRequest(content, (plain) => box.seal(key, crypto.getRandomValues(nonce), plain)),
    );
  }
  keys.forEach((key) => box.forget(key));
  return bodies;
}
