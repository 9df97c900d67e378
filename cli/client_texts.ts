/**
 * @module
 * A client as text and as an object, the same for all commands.
 */
import type { Settings } from "../lib/config/settings.ts";
import { formatKey } from "../lib/crypto/keys.ts";
import { type ClientRules, formatRules } from "../lib/keys/rules.ts";
import { readLastUse } from "../lib/last_use.ts";
import { timeText } from "../lib/prose.ts";
import type { Io } from "./command.ts";
import { type ClientEntry, ruleFaultText } from "../lib/keys/store.ts";

/** A client for programs. */
export interface ClientObject {
  readonly number: string;
  readonly name: string | null;
  readonly public_key: string;
  readonly fingerprint: string;
  /** When its file was written. */
  readonly registered: string | null;
  /** When and how it was registered. */
  readonly added: string | null;
  /** When it last called, where the server remembers that ([Log] Calls=yes). */
  readonly last_use: string | null;
  /** What is written in its file, by the names of the rules. */
  readonly rules: Readonly<Record<string, string>>;
  /** Why the server refuses it whatever the rules. */
  readonly fault: string | null;
  readonly file: string;
}

/** What is known of clients beside their files. */
export interface ClientSettings {
  /** `[Clients] Functions`. */
  readonly defaultFunctions: readonly string[] | undefined;
  /** Unix times in seconds by public key. */
  readonly lastUses: ReadonlyMap<string, number>;
}

/** Reads it; the server may not have written any. */
export async function clientSettings(
  { clientFunctions, stateFolder }: Pick<Settings, "clientFunctions" | "stateFolder">,
): Promise<ClientSettings> {
  return { defaultFunctions: clientFunctions, lastUses: await readLastUse(stateFolder) };
}

/** A client for programs. */
export function clientObject(client: ClientEntry, { lastUses }: ClientSettings): ClientObject {
  const { number, publicKey, fingerprint, registeredAt, rules, fault, path } = client;
  const { name = null, added = null, ...others } = ruleTexts(rules);
  const key = formatKey(publicKey);
  const lastUse = lastUses.get(key);
  return {
    number,
    name,
    public_key: key,
    fingerprint,
    registered: registeredAt?.toISOString() ?? null,
    added,
    last_use: lastUse === undefined ? null : new Date(lastUse * 1000).toISOString(),
    rules: others,
    fault: fault === undefined ? null : ruleFaultText(fault),
    file: path,
  };
}

/** The values of rules as they are written. */
export function ruleTexts(rules: ClientRules): Record<string, string> {
  const lines = formatRules(rules).split("\n").filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => {
    const [name = "", value = ""] = line.split(/ = (.*)/s, 2);
    return [name, value];
  }));
}

/** What a client may do, in a few words. */
export function rulesInShort(
  { rules, fault }: ClientEntry,
  { defaultFunctions, nowSeconds }: ClientSettings & { readonly nowSeconds: number },
): string {
  if (fault !== undefined) return `refused: ${ruleFaultText(fault)}`;
  const { functions = defaultFunctions?.join(", "), expires, from, rate } = ruleTexts(rules);
  const parts = [
    ...functions === undefined ? [] : [functions],
    ...rate === undefined ? [] : [rate],
    ...from === undefined ? [] : [`from ${from}`],
    ...expires === undefined
      ? []
      : [`${nowSeconds >= (rules.expiresAtSeconds ?? Infinity) ? "expired" : "until"} ${expires}`],
  ];
  return parts.join("; ") || "everything";
}

/** The command that registers a client again as it was. */
export function commandToAdd({ publicKey, rules }: ClientEntry): string {
  const { added: _, ...others } = ruleTexts(rules);
  const flags = Object.entries(others).map(([name, value]) => ` --${name} ${quoted(value)}`);
  return `msp appendclient ${formatKey(publicKey)}${flags.join("")}`;
}

/** Says of a client that has expired that it has: the year may be a slip. */
export function tellExpired(
  { expiresAtSeconds = Infinity }: ClientRules,
  io: Pick<Io, "note">,
): void {
  if (Date.now() / 1000 < expiresAtSeconds) return;
  io.note(`the client is refused: it expired on ${timeText(expiresAtSeconds).slice(0, 10)}`);
}

/** A word for a shell. */
export function quoted(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
