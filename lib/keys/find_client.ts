/**
 * @module
 * Which client is meant: operators call one by number, name, key, fingerprint or file.
 */
import { basename } from "node:path";
import { formatKey } from "../crypto/keys.ts";
import { StoreError } from "../errors.ts";
import { count } from "../prose.ts";
import type { ClientEntry } from "./store.ts";

const WHAT = "number, name, public key, fingerprint or file";

/**
 * The files of one client.
 *
 * @param verb completes "Cannot … a client"
 * @param wanted a number, a name (case-insensitive), a public key, a fingerprint, or the name of a file
 * @throws {StoreError} when none is meant, or files of several keys are.
 */
export function findClient(
  clients: readonly ClientEntry[],
  wanted: string,
  verb: string,
): readonly [ClientEntry, ...ClientEntry[]] {
  const text = wanted.trim();
  const [first, ...others] = clients.filter((each) => isMeant(each, text));
  if (first === undefined) {
    throw new StoreError(`Cannot ${verb} a client: no client has this ${WHAT}`, {
      hint: "msp listclients shows them",
    });
  }
  if (others.some(({ fingerprint }) => fingerprint !== first.fingerprint)) {
    const number = count(others.length + 1, "client");
    throw new StoreError(`Cannot ${verb} a client: ${number} have this ${WHAT}`, {
      hint: "msp listclients shows their numbers; pass one of them",
    });
  }
  return [first, ...others];
}

function isMeant(
  { number, publicKey, fingerprint, path, rules }: ClientEntry,
  text: string,
): boolean {
  return [number, formatKey(publicKey), fingerprint].includes(text) ||
    basename(path) === basename(text) ||
    rules.name?.toLowerCase() === text.toLowerCase();
}
