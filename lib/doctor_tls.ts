/**
 * @module
 * What may be wrong with certificate and key for TLS.
 */
import { X509Certificate } from "node:crypto";
import type { TlsFiles } from "./config/settings.ts";
import { pairFault, readTlsPair, type TlsPair } from "./http/tls.ts";
import { attempt, type Finding } from "./keys/findings.ts";
import { count } from "./prose.ts";

const DAY_SECONDS = 86_400;
/** Certificates of public authorities are renewed about 30 days before their end. */
const SOON_DAYS = 14;

/** Everything that can be seen to be wrong with the files. */
export async function checkTls(files: TlsFiles, nowSeconds: number): Promise<Finding[]> {
  const { certFile, keyFile } = files;
  const findings: Finding[] = [];
  const wrong = (what: string, remedy: string): void =>
    void findings.push({ level: "wrong", what, remedy });
  const read = await attempt(() => readTlsPair(files));
  if ("finding" in read) return [read.finding];
  const pair = read.value;
  const mode = (await Deno.stat(keyFile)).mode ?? 0;
  // A group may have it: that of the certificate tool, or of the server's user.
  if ((mode & 0o007) !== 0) wrong(`${keyFile}: everybody can read it`, `chmod o-rwx ${keyFile}`);
  const state = pairState(pair);
  if (state !== undefined) wrong(`${certFile} and ${keyFile}: ${state}`, "issue both again");
  const daysLeft = (endOf(pair) - nowSeconds) / DAY_SECONDS;
  if (daysLeft < 0) wrong(`${certFile}: it has expired`, "renew it");
  else if (daysLeft < SOON_DAYS) {
    const what = `${certFile}: it expires in ${count(Math.floor(daysLeft), "day")}`;
    findings.push({ level: "note", what, remedy: "check why it was not renewed" });
  }
  return findings;
}

/** Why the platform would not serve with a pair. */
function pairState(pair: TlsPair): string | undefined {
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...pair }).close();
    return undefined;
  } catch (error) {
    return pairFault(error);
  }
}

/** Unix time at which a certificate ends; infinite where that cannot be read. */
function endOf({ cert }: TlsPair): number {
  try {
    const end = Date.parse(new X509Certificate(cert).validTo) / 1000;
    return Number.isNaN(end) ? Infinity : end;
  } catch {
    return Infinity;
  }
}
