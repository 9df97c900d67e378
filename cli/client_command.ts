/**
 * @module
 * `msp client`: shows one client, and changes its rules.
 */
import { findClient } from "../lib/keys/find_client.ts";
import type { StorePaths } from "../lib/config/settings.ts";
import { StoreError } from "../lib/errors.ts";
import { changeClient, type ClientEntry, listClients } from "../lib/keys/store.ts";
import {
  clientObject,
  type ClientSettings,
  clientSettings,
  quoted,
  ruleTexts,
  tellExpired,
} from "./client_texts.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openStore } from "./paths.ts";
import { RULE_FLAGS, rulesGiven } from "./rule_flags.ts";
import { timeText } from "../lib/prose.ts";

/** The command. */
export const client = defineCommand({
  name: "client",
  summary: "show one client, or change its rules",
  args: ["CLIENT"],
  flags: {
    ...RULE_FLAGS,
    clear: { meaning: "remove all rules first, except its name" },
    json: { meaning: "print one object, as in msp listclients --json" },
    ...CONFIG_FLAG,
  },
  description:
    `CLIENT is a number, a name or a public key, as msp listclients shows them, a fingerprint, or the ` +
    `name of a file. Without further options, shows the client.

Options replace single rules; an empty value removes one: --rate ''. Everything else in the client's file ` +
    `stays, comments too. A running server follows within a second.`,
  example: "msp client phone --functions 'light_*, !light_alarm' --rate 30/min",
  async run({ flags, args: [wanted = ""] }, io): Promise<number> {
    const change = rulesGiven("client", flags);
    const { settings } = await openStore(flags, io);
    const { store } = settings;
    const before = await theFile(store, wanted);
    const isChange = flags.clear || change.size > 0;
    const now = isChange
      ? await changeClient(store, before, { change, isCleared: flags.clear })
      : before;
    const known = await clientSettings(settings);
    const text = flags.json
      ? JSON.stringify(clientObject(now, known), null, 2)
      : asText(now, known);
    // First, since standard output may fail after the change.
    if (isChange) {
      io.note(wayBack(before, now));
      tellExpired(now.rules, io);
    }
    io.out(`${text}\n`);
    return 0;
  },
});

/** @throws {StoreError} when several files are meant: each has rules of its own. */
async function theFile(store: StorePaths, wanted: string): Promise<ClientEntry> {
  const clients = await listClients(store);
  const [file, ...others] = findClient(clients, wanted, "choose");
  if (others.length === 0) return file;
  const numbers = [file, ...others].map(({ number }) => number).join(" and ");
  throw new StoreError(`Cannot choose a file: ${numbers} have the same key`, {
    hint: "pass one of the numbers; the stricter rules of both apply",
  });
}

function asText(entry: ClientEntry, known: ClientSettings): string {
  const { number, name, added, registered, last_use, rules, fault, ...others } = clientObject(
    entry,
    known,
  );
  const { defaultFunctions } = known;
  const may = defaultFunctions === undefined
    ? ["may", "everything"] as const
    : ["functions", `${defaultFunctions.join(", ")} ([Clients] Functions)`] as const;
  const rows: readonly (readonly [string, string | null])[] = [
    ["number", number],
    ["name", name],
    ["public key", others.public_key],
    ["fingerprint", others.fingerprint],
    ["added", added ?? registered?.slice(0, 10) ?? null],
    ["last use", last_use === null ? null : timeText(Date.parse(last_use) / 1000)],
    ["file", others.file],
    ["refused", fault],
    ...Object.entries(rules),
    ...(defaultFunctions !== undefined || Object.keys(rules).length === 0) &&
        rules["functions"] === undefined && fault === null
      ? [may]
      : [],
  ];
  return rows.filter(([, value]) => value !== null)
    .map(([key, value]) => `${key.padEnd(13)}${value}`).join("\n");
}

/** How to undo a change. */
function wayBack(before: ClientEntry, now: ClientEntry): string {
  const old = ruleTexts(before.rules), present = ruleTexts(now.rules);
  const flags = Object.keys(RULE_FLAGS).filter((name) => old[name] !== present[name])
    .map((name) => ` --${name} ${quoted(old[name] ?? "")}`);
  if (before.fault !== undefined) return "removed the lines that could not be used";
  if (flags.length === 0) return "nothing changed";
  return `to undo: msp client ${before.number}${flags.join("")}`;
}
