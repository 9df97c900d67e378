/**
 * @module
 * Listens as the settings say, and follows the certificate where there is one.
 */
import type { ListenSettings, TlsFiles } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";
import { logger } from "../log.ts";
import { Watch } from "../watch.ts";
import type { Endpoint } from "./endpoint.ts";
import { Listener } from "./listener.ts";
import { lookAtTlsFiles, readTlsPair } from "./tls.ts";

const log = logger("server");

/** A listener, and the watch that keeps its certificate as it is on disk. */
export interface Listening {
  readonly listener: Listener;
  readonly tlsWatch?: Watch;
}

/**
 * Listens.
 *
 * @param onReloaded called when another certificate is in use
 * @throws {ConfigError} when the address cannot be listened on, or the certificate cannot be used.
 */
export async function listenOn(
  listen: ListenSettings,
  endpoint: Endpoint,
  { onReloaded }: { onReloaded: () => void },
): Promise<Listening> {
  const { tls: files, ...address } = listen;
  if (files === undefined) return { listener: await Listener.start(endpoint, address) };
  const seen = await lookAtTlsFiles(files);
  const tls = await readTlsPair(files);
  const listener = await Listener.start(endpoint, { ...address, tls });
  const look = (): Promise<string> => lookAtTlsFiles(files);
  const onChange = async (): Promise<void> => {
    if (await takeUpTls(listener, files)) onReloaded();
  };
  return { listener, tlsWatch: new Watch({ seen, look, onChange }) };
}

async function takeUpTls(listener: Listener, files: TlsFiles): Promise<boolean> {
  try {
    await listener.useTls(await readTlsPair(files));
    log.info("Certificate in use: {path}", { path: files.certFile });
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error("{message}; the certificate before stays in use", { message: error.message });
    return false;
  }
}
