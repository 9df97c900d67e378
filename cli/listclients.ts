/**
 * @module
 * `msp listclients`: the registered clients.
 */
import { listClients } from "../lib/keys/store.ts";
import { clientObject, clientSettings, rulesInShort } from "./client_texts.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openStore } from "./paths.ts";

const HEAD = ["NUMBER", "NAME", "PUBLIC KEY", "ADDED", "LAST USE", "MAY"];

/** The command. */
export const listclients = defineCommand({
  name: "listclients",
  summary: "list the registered clients",
  args: [],
  flags: {
    json: {
      meaning:
        "print an array of objects: number, name, public_key, fingerprint, registered, added, last_use, " +
        "rules, fault, file",
    },
    ...CONFIG_FLAG,
  },
  description:
    `One line a client: number, name, public key, when it was added, when it last called ([Log] Calls=yes ` +
    `in config.ini), and what it may do: functions, rate, addresses, until when. msp client shows one with its fingerprint. ` +
    `The server does not know which secret a client has.`,
  example: "msp listclients",
  async run({ flags }, io): Promise<number> {
    const { settings } = await openStore(flags, io);
    const { store } = settings;
    const clients = await listClients(store);
    const known = await clientSettings(settings);
    if (flags.json) {
      io.out(`${JSON.stringify(clients.map((each) => clientObject(each, known)), null, 2)}\n`);
      return 0;
    }
    if (clients.length === 0) {
      io.note(`no client is registered in ${store.clientsFolder}`);
      return 0;
    }
    const nowSeconds = Date.now() / 1000;
    const lines = clients.map((client) => {
      const object = clientObject(client, known);
      const { number, name, public_key, added, registered, last_use } = object;
      const day = added ?? registered?.slice(0, 10) ?? "unknown";
      const used = last_use?.slice(0, 10) ?? "-";
      const may = rulesInShort(client, { ...known, nowSeconds });
      return [number, name ?? "-", public_key, day, used, may];
    });
    io.out(table([HEAD, ...lines], (head) => io.style.strong(head)));
    return 0;
  },
});

/** Rows in columns; the first one is the head. */
function table(rows: readonly string[][], mark: (head: string) => string): string {
  const widths = HEAD.map((_, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0)
  );
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
  );
  const [head = "", ...others] = lines;
  return [mark(head), ...others].map((line) => `${line}\n`).join("");
}
