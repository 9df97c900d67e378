/**
 * @module
 * `msp listclients`: the registered keys.
 */
import { formatKey } from "../lib/crypto/keys.ts";
import { listClients } from "../lib/keys/store.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openStore } from "./paths.ts";

const HEAD = ["NUMBER", "PUBLIC KEY", "FINGERPRINT", "REGISTERED"];

/** The command. */
export const listclients = defineCommand({
  name: "listclients",
  summary: "list the registered keys",
  args: [],
  flags: {
    json: {
      meaning: "print an array of objects: number, public_key, fingerprint, registered, file",
    },
    ...CONFIG_FLAG,
  },
  description:
    `One line a client: number, public key, fingerprint (in the form of OpenSSH), and the day on which ` +
    `its file was written. The server does not know which secret a client has.`,
  example: "msp listclients",
  async run({ flags }, io): Promise<number> {
    const { settings: { store } } = await openStore(flags, io);
    const clients = (await listClients(store)).map((each) => ({
      number: each.number,
      public_key: formatKey(each.publicKey),
      fingerprint: each.fingerprint,
      registered: each.registeredAt?.toISOString() ?? null,
      file: each.path,
    }));
    if (flags.json) {
      io.out(`${JSON.stringify(clients, null, 2)}\n`);
      return 0;
    }
    if (clients.length === 0) {
      io.note(`no client is registered in ${store.clientsFolder}`);
      return 0;
    }
    const lines = clients.map((
      { number, public_key, fingerprint, registered },
    ) => [number, public_key, fingerprint, registered?.slice(0, 10) ?? "unknown"]);
    io.out(table([HEAD, ...lines], (head) => io.style.strong(head)));
    return 0;
  },
});

/** Rows in columns; the first one is the head. */
function table(rows: readonly string[][], mark: (head: string) => string): string {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
  );
  const [head = "", ...others] = lines;
  return [mark(head), ...others].map((line) => `${line}\n`).join("");
}
