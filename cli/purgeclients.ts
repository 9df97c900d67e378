/**
 * @module
 * `msp purgeclients`: removes every client.
 */
import { type ClientEntry, purgeClients } from "../lib/keys/store.ts";
import { count } from "../lib/prose.ts";
import { commandToAdd } from "./client_texts.ts";
import { confirm, YES_FLAG } from "./confirm.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openStore } from "./paths.ts";

/** The command. */
export const purgeclients = defineCommand({
  name: "purgeclients",
  summary: "remove the keys and secrets of all clients",
  args: [],
  flags: { ...YES_FLAG, ...CONFIG_FLAG },
  description:
    `Afterwards, every client must be registered again, and gets a new secret. The commands for that are ` +
    `printed first. A running server refuses the clients within a second. Open invites are revoked.`,
  example: "msp purgeclients --yes",
  async run({ flags }, io): Promise<number> {
    const { settings: { store } } = await openStore(flags, io);
    const what = `every client in ${store.clientsFolder} and every secret in ${store.register}`;
    if (!flags.yes && !confirm(io, `remove ${what}`)) return 1;
    const show = (clients: readonly ClientEntry[]): void => {
      if (clients.length > 0) io.note("to register them again, with new secrets:");
      for (const client of clients) io.note(commandToAdd(client));
    };
    io.out(`Removed ${count(await purgeClients(store, show), "client")}\n`);
    return 0;
  },
});
