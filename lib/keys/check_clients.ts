/**
 * @module
 * What may be wrong with the clients of a key store: files that hold no public key, keys that are not
 * accepted (any more), rules that cannot be used. Names a way back for each, never one that shuts others
 * out.
 */
import { join } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import { Box } from "../crypto/box.ts";
import { formatKey, type PublicKey } from "../crypto/keys.ts";
import { canonicalPublicKey, publicKeyFault } from "../crypto/public_key.ts";
import { count } from "../prose.ts";
import { attempt, type Finding } from "./findings.ts";
import { PrivateKeyFiles } from "./private_keys.ts";
import { type ClientFile, listClientFiles, readClientFile, ruleFaultOf } from "./store_reader.ts";

const DAY_SECONDS = 86_400;
/** A client that is refused in so many days is worth a note. */
const SOON_DAYS = 14;

/** What a check of the clients needs. */
export interface ClientsCheck {
  /** The server's own public key, where it can be read. */
  readonly serverKey: PublicKey | undefined;
  readonly nowSeconds: number;
}

/**
 * Checks every file of a client; 10,000 take about 3 s.
 *
 * @returns how many keys can be used.
 */
export async function checkClients(
  { serverFolder, clientsFolder }: StorePaths,
  { serverKey, nowSeconds }: ClientsCheck,
  findings: Finding[],
): Promise<number> {
  const names = await attempt(() => listClientFiles(clientsFolder));
  if ("finding" in names) {
    const remedy = "start the server once, or check [Clients] Keypath";
    findings.push({ ...names.finding, remedy });
    return 0;
  }
  const privateKeys = await PrivateKeyFiles.read([".", serverFolder, clientsFolder]);
  const keys = new KeyCheck(await Box.load(), { privateKeys, serverKey });
  const clientNames = new Map<string, string>();
  for (const name of names.value) {
    const path = join(clientsFolder, name);
    const file = readClientFile(path);
    const fault = "state" in file ? file.state.replace(", skipped", "") : keys.faultOf(file);
    if ("state" in file || fault !== undefined) {
      const remedy = `remove or replace ${path}`;
      findings.push({ level: "wrong", what: `${path}: ${fault}`, remedy });
      continue;
    }
    const twin = keys.add(file, path);
    if (twin !== undefined) {
      findings.push(note(
        `${path}: the same key as ${twin}: one client, and the rules of both apply`,
        `remove the file whose rules are not wanted, with its lines merged into the other`,
      ));
    }
    findings.push(
      ...checkRules(file, { path, nowSeconds, clientNames, isTwin: twin !== undefined }),
    );
  }
  return keys.count;
}

/** Whether keys can be used, and which are there already. */
class KeyCheck {
  readonly #box: Box;
  readonly #privateKeys: PrivateKeyFiles;
  readonly #serverKey: string | undefined;
  readonly #seen = new Map<string, string>();

  constructor(
    box: Box,
    { privateKeys, serverKey }: {
      privateKeys: PrivateKeyFiles;
      serverKey: PublicKey | undefined;
    },
  ) {
    this.#box = box;
    this.#privateKeys = privateKeys;
    this.#serverKey = serverKey && formatKey(serverKey);
  }

  get count(): number {
    return this.#seen.size;
  }

  faultOf({ publicKey }: ClientFile): string | undefined {
    const privatePath = this.#privateKeys.pathOf(publicKey);
    if (privatePath !== undefined) return `the private key of ${privatePath}`;
    const fault = publicKeyFault(this.#box, publicKey);
    if (fault !== undefined) return fault;
    return formatKey(publicKey) === this.#serverKey ? "the server's own key" : undefined;
  }

  /** Counts a key; the first file that has it, too. */
  add({ publicKey }: ClientFile, path: string): string | undefined {
    const identity = formatKey(canonicalPublicKey(publicKey));
    const twin = this.#seen.get(identity);
    if (twin === undefined) this.#seen.set(identity, path);
    return twin;
  }
}

function checkRules(
  file: ClientFile,
  { path, nowSeconds, clientNames, isTwin }: {
    path: string;
    nowSeconds: number;
    /** Files by the names of their clients. */
    clientNames: Map<string, string>;
    isTwin: boolean;
  },
): Finding[] {
  const number = /client_(.*)\.pub$/s.exec(path)?.[1] ?? "";
  const fault = ruleFaultOf(path, file);
  if (fault !== undefined || !file.rules.ok) {
    const remedy = `correct that line, or remove all rules: msp client ${number} --clear`;
    return [{ level: "wrong", what: `${path}: ${fault?.state}`, remedy }];
  }
  const findings: Finding[] = [];
  const { name, expiresAtSeconds = Infinity } = file.rules.rules;
  const title = name === undefined ? path : `${path} (${name})`;
  const daysLeft = (expiresAtSeconds - nowSeconds) / DAY_SECONDS;
  const day = expiresAtSeconds === Infinity
    ? ""
    : new Date(expiresAtSeconds * 1000).toISOString().slice(0, 10);
  if (daysLeft <= 0) {
    const remedy = `msp client ${number} --expires DATE, or msp removeclient ${number}`;
    findings.push(note(`${title}: the client has expired, on ${day}`, remedy));
  } else if (daysLeft < SOON_DAYS) {
    const left = daysLeft < 1 ? "less than a day" : count(Math.floor(daysLeft), "day");
    const what = `${title}: the client expires in ${left}, on ${day}`;
    findings.push(note(what, `msp client ${number} --expires DATE`));
  }
  if (name === undefined || isTwin) return findings;
  const other = clientNames.get(name.toLowerCase());
  if (other === undefined) clientNames.set(name.toLowerCase(), path);
  else {findings.push(
      note(`${title}: ${other} has the same name`, `msp client ${number} --name NAME`),
    );}
  return findings;
}

function note(what: string, remedy: string): Finding {
  return { level: "note", what, remedy };
}
