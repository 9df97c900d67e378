/**
 * @module
 * What may be wrong with a key store: the server's keys, modes and leftovers here, clients and secrets
 * in files of their own. Says where and what to do, never what a file holds.
 */
import { join } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import type { KeyPair } from "../crypto/keys.ts";
import { exists } from "../files.ts";
import { checkClients } from "./check_clients.ts";
import { checkRegister } from "./check_register.ts";
import { attempt, type Finding } from "./findings.ts";
import { invitesFolder } from "./invite_files.ts";
import {
  checkServerPublicKey,
  previousKeyPath,
  readPreviousKeys,
  readServerPair,
  SERVER_PAIRS,
  serverKeyPath,
  type ServerPairName,
} from "./server_keys.ts";
import { timeText } from "../prose.ts";

/** Files that only their owner should read, and others can. */
export async function checkModes(paths: StorePaths): Promise<Finding[]> {
  const findings: Finding[] = [];
  const look = async (path: string, forbidden: number, remedy: string): Promise<void> => {
    const mode = (await Deno.stat(path).catch(() => undefined))?.mode ?? 0;
    if ((mode & forbidden) === 0) return;
    const text = (mode & 0o777).toString(8).padStart(3, "0");
    const who = (forbidden & 0o044) !== 0 ? "others can read it" : "others can write in it";
    findings.push({ level: "wrong", what: `${path} has mode ${text}: ${who}`, remedy });
  };
  const secret = SERVER_PAIRS.flatMap((name) => [
    serverKeyPath(paths, name),
    previousKeyPath(paths, name),
  ]);
  for (const path of [...secret, paths.register]) {
    await look(path, 0o077, `chmod 600 ${path}`);
  }
  for (const folder of new Set([paths.serverFolder, paths.clientsFolder])) {
    await look(folder, 0o022, `chmod go-w ${folder}`);
  }
  return findings;
}

/** Everything that can be seen to be wrong with a store, and what is good to know about it. */
export async function checkStore(
  paths: StorePaths,
  nowSeconds: number,
): Promise<{ readonly findings: readonly Finding[]; readonly facts: readonly string[] }> {
  const findings: Finding[] = [];
  const facts: string[] = [];
  const serverPair = await checkServerPair(paths, "server", findings);
  // Made at the next start of a server that has none yet.
  if (await exists(serverKeyPath(paths, "server2"))) {
    await checkServerPair(paths, "server2", findings);
  }
  for (const name of SERVER_PAIRS) {
    const path = previousKeyPath(paths, name);
    const previous = await attempt(() => readPreviousKeys(paths, { name, nowSeconds }));
    if ("finding" in previous) findings.push(previous.finding);
    else if (previous.value.length === 0 && await exists(path)) {
      findings.push({ level: "note", what: `${path}: its time is over`, remedy: `rm ${path}` });
    } else {
      for (const { until } of previous.value) {
        const end = timeText(until);
        facts.push(`a previous ${name}.key is accepted until ${end}`);
      }
    }
  }
  const serverKey = serverPair?.publicKey;
  const keyCount = await checkClients(paths, { serverKey, nowSeconds }, findings);
  facts.push(...await checkRegister(paths, { keyCount, nowSeconds }, findings));
  findings.push(...await checkModes(paths), ...await findLeftovers(paths));
  return { findings, facts };
}

/** @returns a pair of the server, where it can be used. */
async function checkServerPair(
  paths: StorePaths,
  name: ServerPairName,
  findings: Finding[],
): Promise<KeyPair | undefined> {
  const pair = await attempt(() => readServerPair(paths, name));
  if ("finding" in pair) {
    findings.push(pair.finding);
    return undefined;
  }
  const mismatch = await checkServerPublicKey(paths, pair.value.publicKey, name);
  if (mismatch !== undefined) {
    findings.push({
      level: "wrong",
      what: `${mismatch.path}: ${mismatch.state}`,
      remedy: `msp keygen public ${join(paths.serverFolder, name)} --force`,
    });
  }
  return pair.value;
}

/** Temporary files of commands that were killed. */
async function findLeftovers(paths: StorePaths): Promise<Finding[]> {
  const findings: Finding[] = [];
  const folders = [paths.serverFolder, paths.clientsFolder, invitesFolder(paths)];
  for (const folder of new Set(folders)) {
    try {
      for await (const { name } of Deno.readDir(folder)) {
        if (!/^\..*\.[0-9a-f]{8}\.tmp$/.test(name)) continue;
        const path = join(folder, name);
        const what = `${path}: left behind by a command that was killed`;
        findings.push({ level: "note", what, remedy: `rm ${path}` });
      }
    } catch {
      // That the folder cannot be read was found already.
    }
  }
  return findings;
}
