/**
 * @module
 * The process that registers one client with an invite, and does nothing else: the server that starts it
 * has given up writing to the key store. Gets a request as one line of JSON on standard input, and answers
 * with one. Imports no package, since it is started for each client that joins.
 */
import { dirname } from "node:path";
import { narrowPermissions } from "./config/permissions.ts";
import type { StorePaths } from "./config/settings.ts";
import { parsePublicKey } from "./crypto/keys.ts";
import { MspError } from "./errors.ts";
import { redeemInvite } from "./keys/invites.ts";

/** Characters of a request at most. */
const MAX_REQUEST = 65_536;

/** What the server asks for. The token and the secret themselves stay with the server. */
export interface RegistrationRequest {
  readonly paths: StorePaths;
  readonly tokenSha256: string;
  readonly publicKeyBase64: string;
  readonly name?: string;
  readonly secretLine?: string;
  readonly address: string;
}

/** What came of it: the file of the client, or why there is none. */
export type RegistrationAnswer =
  | { readonly status: "registered"; readonly file: string }
  | { readonly status: "invalid" }
  | { readonly status: "failed"; readonly message: string };

/** Folders of the key store. */
export function storeFolders(paths: StorePaths): string[] {
  return [...new Set([paths.serverFolder, paths.clientsFolder, dirname(paths.register)])];
}

/**
 * Registers the client of a request.
 *
 * @returns the answer; `undefined` when it was not a server that asked.
 */
export async function runRegistration(
  input: ReadableStream<Uint8Array<ArrayBuffer>>,
): Promise<string | undefined> {
  const request = parse(await readText(input));
  if (request === undefined) return undefined;
  narrowPermissions({ read: [], write: storeFolders(request.paths) });
  for (const name of ["net", "env", "run"] as const) Deno.permissions.revokeSync({ name });
  return `${JSON.stringify(await register(request))}\n`;
}

async function register(request: RegistrationRequest): Promise<RegistrationAnswer> {
  const { paths, publicKeyBase64, tokenSha256, name, secretLine, address } = request;
  const publicKey = parsePublicKey(publicKeyBase64);
  if (typeof publicKey === "string") return { status: "failed", message: "the key is malformed" };
  try {
    const now = new Date();
    return await redeemInvite(paths, { tokenSha256, publicKey, name, secretLine, address, now });
  } catch (error) {
    if (!(error instanceof MspError)) throw error;
    return { status: "failed", message: error.message };
  }
}

async function readText(input: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of input.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.length > MAX_REQUEST) return "";
  }
  return text;
}

function parse(text: string): RegistrationRequest | undefined {
  try {
    const request: RegistrationRequest = JSON.parse(text);
    const { paths, tokenSha256, publicKeyBase64, name = "", secretLine = "", address } = request;
    const { serverFolder, clientsFolder, register } = paths;
    const texts = [
      serverFolder,
      clientsFolder,
      register,
      publicKeyBase64,
      name,
      secretLine,
      address,
    ];
    const isComplete = texts.every((each) => typeof each === "string");
    // Its beginning is the name of a file.
    return isComplete && /^[0-9a-f]{64}$/.test(tokenSha256) ? request : undefined;
  } catch {
    return undefined;
  }
}
