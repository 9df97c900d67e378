/**
 * @module
 * What may be wrong with a key store: modes, malformed files and lines, duplicates, points of low order,
 * leftovers. Says where and what to do, never what a file holds.
 */
import { join } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import { Box } from "../crypto/box.ts";
import { sha256 } from "../crypto/digest.ts";
import { formatKey, type KeyPair } from "../crypto/keys.ts";
import { generateKeyPair } from "../crypto/nacl.ts";
import { MspError, pathOf, reasonOf } from "../errors.ts";
import { exists } from "../files.ts";
import {
  checkServerPublicKey,
  previousKeyPath,
  readPreviousKeys,
  readServerPair,
  SERVER_PAIRS,
  serverKeyPath,
  type ServerPairName,
} from "./server_keys.ts";
import { listClientFiles, readClientKey, readRegisterLines } from "./store_reader.ts";

/** Something that was found. */
export interface Finding {
  /** `note`: works, but could be better. */
  readonly level: "wrong" | "note";
  readonly what: string;
  readonly remedy: string;
}

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

/** Everything that can be seen to be wrong with a store. */
export async function checkStore(paths: StorePaths, nowSeconds: number): Promise<Finding[]> {
  const findings: Finding[] = [];
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
    }
  }
  const keyCount = await checkClients(paths, serverPair, findings);
  await checkRegister(paths, { keyCount, nowSeconds }, findings);
  findings.push(...await checkModes(paths), ...await findLeftovers(paths));
  return findings;
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

/** What an action gave, or what is wrong because it failed. */
export type Attempt<T> = { readonly value: T } | { readonly finding: Finding };

/** Makes a finding of an error of ours, or of one of the file system. */
export async function attempt<T>(action: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await action() };
  } catch (error) {
    if (error instanceof MspError) {
      const remedy = error.hint ?? "restore it from a backup";
      return { finding: { level: "wrong", what: error.message, remedy } };
    }
    const path = pathOf(error);
    if (path === undefined) throw error;
    const what = `Cannot use ${path}: ${reasonOf(error)}`;
    return { finding: { level: "wrong", what, remedy: "check owner and mode with ls -ld" } };
  }
}

/** @returns how many keys can be used. */
async function checkClients(
  { clientsFolder }: StorePaths,
  serverPair: KeyPair | undefined,
  findings: Finding[],
): Promise<number> {
  const names = await attempt(() => listClientFiles(clientsFolder));
  if ("finding" in names) {
    findings.push({
      ...names.finding,
      remedy: "start the server once, or check [Clients] Keypath",
    });
    return 0;
  }
  const box = await Box.load();
  const { privateKey } = serverPair ?? generateKeyPair();
  const seen = new Map<string, string>();
  for (const name of names.value) {
    const path = join(clientsFolder, name);
    const wrong = (state: string): void =>
      void findings.push({
        level: "wrong",
        what: `${path}: ${state}`,
        remedy: `remove or replace ${path}`,
      });
    const key = readClientKey(path);
    if ("state" in key) {
      wrong(key.state.replace(", skipped", ""));
      continue;
    }
    const text = formatKey(key);
    const shared = box.deriveSharedKey(key, privateKey);
    const twin = seen.get(text);
    if (shared === undefined) wrong("a point of low order, under which everybody could read");
    else if (twin !== undefined) wrong(`the same key as ${twin}`);
    else if (serverPair && text === formatKey(serverPair.publicKey)) wrong("the server's own key");
    else seen.set(text, path);
    if (shared !== undefined) box.forget(shared);
  }
  return seen.size;
}

async function checkRegister(
  { register }: StorePaths,
  { keyCount, nowSeconds }: { keyCount: number; nowSeconds: number },
  findings: Finding[],
): Promise<void> {
  const digests = new Set<string>();
  let plain = 0, repeated = 0, ended = 0;
  const faults = await attempt(() =>
    readRegisterLines(register, (line) => {
      if (line.until !== undefined && line.until <= nowSeconds) {
        ended++;
        return;
      }
      const digest = String(line.kind === "hashed" ? line.digest : sha256(line.secret));
      if (line.kind === "plain") plain++;
      if (digests.has(digest)) repeated++;
      digests.add(digest);
    })
  );
  if ("finding" in faults) findings.push(faults.finding);
  else {
    for (const { path, state } of faults.value) {
      const what = `${path}: ${state.replace(", skipped", "")}`;
      findings.push({ level: "wrong", what, remedy: "remove or repair that line" });
    }
  }
  const note = (what: string, remedy: string): void =>
    void findings.push({ level: "note", what: `${register}: ${what}`, remedy });
  if (repeated > 0) note(`${repeated} lines stand there twice`, "msp rotate-secrets");
  if (plain > 0) note(`${plain} secrets that can be read`, "msp migrate-secrets");
  if (ended > 0) note(`${ended} secrets whose time is over`, "msp rotate-secrets");
  const surplus = digests.size - keyCount;
  if (surplus > 0) {
    note(`${surplus} secrets more than keys: of removed clients`, "msp rotate-secrets");
  }
  if (surplus < 0) {
    findings.push({
      level: "wrong",
      what: `${register}: ${-surplus} secrets fewer than keys: some clients can have none`,
      remedy: "msp rotate-secrets, and give each client one of them",
    });
  }
}

/** Temporary files of commands that were killed. */
async function findLeftovers(paths: StorePaths): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const folder of new Set([paths.serverFolder, paths.clientsFolder])) {
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
