/**
 * @module
 * Certificate and key for TLS: reads their files, and follows their changes.
 */
import type { TlsFiles } from "../config/settings.ts";
import { ConfigError, reasonOf } from "../errors.ts";
import type { Observer } from "../observer.ts";
import { lookAt, Watch } from "../watch.ts";

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

/** Follows the files of a listener; faults leave the previous certificate in use. */
export async function followCertificate(
  files: TlsFiles,
  use: (pair: TlsPair) => Promise<void>,
  observer: Observer,
): Promise<Watch> {
  const look = (): Promise<string> => lookAtTlsFiles(files);
  const onChange = async (): Promise<void> => {
    try {
      await use(await readTlsPair(files));
      observer.reloaded("certificate", files.certFile);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      observer.fault("listener", `${error.message}; the previous certificate stays in use`);
    }
  };
  return new Watch({ seen: await look(), look, onChange });
}

/** Whether Deno refused a pair because the key is not that of the certificate. */
export function isPairMismatch(error: unknown): boolean {
  return error instanceof Error && error.message.includes("KeyMismatch");
}

/** What can be seen of both files without reading them. */
async function lookAtTlsFiles({ certFile, keyFile }: TlsFiles): Promise<string> {
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
  throw new ConfigError(`Cannot use ${path}: it holds no ${label} in PEM`, {
    hint: "see [Server] CertFile and KeyFile in config.ini",
  });
}
