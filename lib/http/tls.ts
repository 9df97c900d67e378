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

/** Why Deno refused a pair that was read: its own words are about its library. */
export function pairFault(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  if (message.includes("KeyMismatch")) return "KeyFile is not the key of CertFile";
  if (/private key|decode key|no keys/i.test(message)) {
    return "KeyFile holds no key that can be used";
  }
  return "CertFile holds no certificate that can be used";
}

/** What can be seen of both files without reading them. */
async function lookAtTlsFiles({ certFile, keyFile }: TlsFiles): Promise<string> {
  return `${await lookAt(certFile)}\n${await lookAt(keyFile)}`;
}

async function readPem(path: string, label: PemLabel): Promise<string> {
  let text: string;
  try {
    text = (await Deno.readTextFile(path)).replace(/^\uFEFF/, "");
  } catch (error) {
    throw new ConfigError(`Cannot read ${path}: ${reasonOf(error)}`, {
      cause: error,
      hint: "see [Server] CertFile and KeyFile in config.ini",
    });
  }
  const fault = pemFault(text, label);
  if (fault === undefined) return text;
  throw new ConfigError(`Cannot use ${path}: ${fault.state}`, { hint: fault.hint });
}

type PemLabel = "CERTIFICATE" | "PRIVATE KEY";

/** What is wrong with a file that should hold PEM of a label, and what turns it into that. */
function pemFault(text: string, label: PemLabel): { state: string; hint: string } | undefined {
  const tool = label === "CERTIFICATE" ? "openssl x509" : "openssl pkey";
  const labels = [...text.matchAll(/-----BEGIN ([A-Z ]+)-----/g)].map(([, found = ""]) => found);
  const isEncrypted = labels.includes("ENCRYPTED PRIVATE KEY") ||
    /^Proc-Type:.*ENCRYPTED/m.test(text);
  if (label === "PRIVATE KEY" && isEncrypted) {
    const hint = `${tool} -in FILE -out NEW writes it without the passphrase`;
    return { state: "the key is encrypted with a passphrase", hint };
  }
  // A key may name its algorithm: EC PRIVATE KEY.
  const isWanted = (found: string): boolean =>
    found === label || label === "PRIVATE KEY" && found.endsWith(" PRIVATE KEY");
  if (labels.some(isWanted)) return undefined;
  if (labels.includes("TRUSTED CERTIFICATE")) {
    const hint = `${tool} -in FILE -out NEW writes it in that form`;
    return { state: "it holds a TRUSTED CERTIFICATE, expected a CERTIFICATE in PEM", hint };
  }
  if (/[\0\ufffd]/.test(text)) {
    const hint = `${tool} -inform der -in FILE -out NEW converts it`;
    return { state: `it is not text, expected a ${label} in PEM`, hint };
  }
  return {
    state: `it holds no ${label} in PEM`,
    hint: "see [Server] CertFile and KeyFile in config.ini; they may be swapped",
  };
}
