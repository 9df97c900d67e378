/**
 * @module
 * Certificate and key for TLS, as they are in their files now.
 */
import type { TlsFiles } from "../config/settings.ts";
import { ConfigError, reasonOf } from "../errors.ts";
import { lookAt } from "../watch.ts";

/** A certificate chain and its private key, in PEM. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads both files.
 *
 * @throws {ConfigError} naming the file that cannot be used, never what is in it.
 */
export async function readTlsPair({ certFile, keyFile }: TlsFiles): Promise<TlsPair> {
  return {
    cert: await readPem(certFile, "CERTIFICATE"),
    key: await readPem(keyFile, "PRIVATE KEY"),
  };
}

/** Whether the platform refused a pair because the key is not that of the certificate. */
export function isPairMismatch(error: unknown): boolean {
  return error instanceof Error && error.message.includes("KeyMismatch");
}

/** What can be seen of both files without reading them. */
export async function lookAtTlsFiles({ certFile, keyFile }: TlsFiles): Promise<string> {
  return `${await lookAt(certFile)}\n${await lookAt(keyFile)}`;
}

async function readPem(path: string, label: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw new ConfigError(`Cannot read ${path}: ${reasonOf(error)}`, {
      cause: error,
      hint: "see [Server] CertFile and KeyFile in config.ini",
    });
  }
  // The label may name an algorithm: EC PRIVATE KEY.
  if (new RegExp(`-----BEGIN [A-Z ]*${label}-----`).test(text)) return text;
  throw new ConfigError(`Cannot use ${path}: no ${label} in PEM`, {
    hint: "see [Server] CertFile and KeyFile in config.ini",
  });
}
