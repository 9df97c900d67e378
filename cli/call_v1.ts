/**
 * @module
 * `msp call URL FUNCTION`: a call of protocol v1, with the three files of its client.
 */
import { resolve } from "node:path";
import { CallError as ClientError } from "../client/errors.ts";
import { callV1 } from "../client/v1.ts";
import { readPrivateKey, readPublicKey, readSecret } from "../lib/crypto/key_file.ts";
import { formatKey, type PrivateKey } from "../lib/crypto/keys.ts";
import { publicKeyOf } from "../lib/crypto/x25519.ts";
import { KeyFileError } from "../lib/errors.ts";
import { describeCallError } from "./call_error.ts";
import type { Io } from "./command.ts";
import { Network, type NetworkOptions } from "./network.ts";

/** One call. */
export interface ClassicCall extends NetworkOptions {
  readonly url: URL;
  readonly functionName: string;
  readonly timeoutMs: number;
  /** Paths of the files, where they are not the usual ones. */
  readonly key: string | undefined;
  readonly secret: string | undefined;
  readonly serverKey: string | undefined;
}

/**
 * Calls a function by protocol v1.
 *
 * @throws {CallError} when there is no answer.
 * @throws {KeyFileError} when one of the files cannot be used.
 */
export async function callClassic(call: ClassicCall, { note }: Pick<Io, "note">): Promise<string> {
  const { url, functionName, timeoutMs } = call;
  const keyPath = resolve(call.key ?? "client.key");
  const secretPath = resolve(call.secret ?? "client.secret");
  const serverKeyPath = resolve(call.serverKey ?? "server.pub");
  const privateKey = await readNamed("--key", readPrivateKey(keyPath));
  const keys = {
    privateKey: formatKey(privateKey),
    secret: await readNamed("--secret", readSecret(secretPath)),
    serverKey: formatKey(await readNamed("--server-key", readPublicKey(serverKeyPath))),
  };
  for (const path of [keyPath, secretPath]) await warnOfReaders(path, note);
  using network = await Network.open(url, call);
  try {
    return await callV1({ url: url.href, functionName, keys, timeoutMs, fetch: network.fetch });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const hint = error.code === "refused" ? await strangeKeyHint(keyPath, privateKey) : undefined;
    throw describeCallError(error, { url, functionName, protocol: "v1", network, hint });
  }
}

/** What a file holds; when there is none, the error says how to name another. */
async function readNamed<T>(flag: string, content: Promise<T>): Promise<T> {
  try {
    return await content;
  } catch (error) {
    const isMissing = error instanceof KeyFileError && error.cause instanceof Deno.errors.NotFound;
    if (!isMissing) throw error;
    const hint =
      `run the command in the folder of the client's files, or name this one with ${flag} FILE`;
    throw new KeyFileError(error.message, { cause: error.cause, hint });
  }
}

/** The public key beside a private one is what was registered. It may be that of another. */
export async function strangeKeyHint(path: string, key: PrivateKey): Promise<string | undefined> {
  const publicPath = path.replace(/\.key$/, ".pub");
  const registered = publicPath === path
    ? undefined
    : await readPublicKey(publicPath).catch(() => undefined);
  if (registered === undefined || formatKey(registered) === formatKey(publicKeyOf(key))) {
    return undefined;
  }
  return `${publicPath} does not belong to ${path}: register ${formatKey(publicKeyOf(key))}`;
}

/** Says when others on this machine can read a file that is for its owner only. */
export async function warnOfReaders(path: string, note: Io["note"]): Promise<void> {
  const mode = (await Deno.stat(path).catch(() => undefined))?.mode ?? 0;
  if ((mode & 0o077) === 0) return;
  note(`others can read ${path}: chmod 600 ${path}`);
}
