/**
 * @module
 * `msp call`: the client.
 */
import { resolve } from "node:path";
import { callFunction, readCertificate } from "../lib/client.ts";
import { readPrivateKey, readPublicKey, readSecret } from "../lib/crypto/key_file.ts";
import { KeyFileError } from "../lib/errors.ts";
import { wrongUsage } from "./arguments.ts";
import type { CommandTexts, Io } from "./command.ts";
import { defineCommand } from "./define.ts";

const TEXTS = {
  name: "call",
  summary: "call a function of a server and print the answer",
  args: ["URL", "FUNCTION"],
  flags: {
    key: { value: "FILE", meaning: "the client's private key (default client.key)" },
    secret: { value: "FILE", meaning: "the client's secret (default client.secret)" },
    "server-key": { value: "FILE", meaning: "the server's public key (default server.pub)" },
    ca: { value: "FILE", meaning: "certificate authority to trust for https, in PEM" },
  },
  description:
    `Standard output is the answer alone, with a line end. The exit status is 1 when there is none.

HTTP_PROXY and HTTPS_PROXY are used, but HTTP_PROXY not for this machine.`,
  example: "msp call http://localhost:8000/v1 time_test",
} as const satisfies CommandTexts;

/** The command. */
export const call = defineCommand({
  ...TEXTS,
  async run({ flags, args: [urlText = "", functionName = ""] }, io): Promise<number> {
    const url = URL.parse(urlText);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw wrongUsage(TEXTS, `${shown(urlText)}, expected a URL such as http://localhost:8000/v1`);
    }
    const keyPath = resolve(flags.key ?? "client.key");
    const secretPath = resolve(flags.secret ?? "client.secret");
    const serverKeyPath = resolve(flags["server-key"] ?? "server.pub");
    const keys = {
      privateKey: await readNamed("--key", readPrivateKey(keyPath)),
      secretHex: await readNamed("--secret", readSecret(secretPath)),
      serverPublicKey: await readNamed("--server-key", readPublicKey(serverKeyPath)),
    };
    for (const path of [keyPath, secretPath]) await warnOfReaders(path, io);
    const caCertificate = flags.ca === undefined ? undefined : await readCertificate(flags.ca);
    const options = { url, functionName, keys };
    const answer = await callFunction(
      caCertificate === undefined ? options : { ...options, caCertificate },
    );
    io.out(`${answer}\n`);
    return 0;
  },
});

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

/** A URL that is none may still hold a password. */
function shown(text: string): string {
  return JSON.stringify(text.replace(/[^/]*@/, "…@").slice(0, 80));
}

/** Says when others on this machine can read a file that is for its owner only. */
async function warnOfReaders(path: string, io: Io): Promise<void> {
  const mode = (await Deno.stat(path).catch(() => undefined))?.mode ?? 0;
  if ((mode & 0o077) === 0) return;
  io.note(`others can read ${path}: chmod 600 ${path}`);
}
