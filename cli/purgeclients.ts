/**
 * @module
 * `msp purgeclients`: removes every client.
 */
import { purgeClients } from "../lib/keys/store.ts";
import { count } from "../lib/prose.ts";
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
    `Afterwards, every client must be registered again. A running server refuses them within a second.`,
  example: "msp purgeclients --yes",
  async run({ flags }, io): Promise<number> {
    const { settings: { store } } = await openStore(flags, io);
    const what = `every client in ${store.clientsFolder} and every secret in ${store.register}`;
    if (!flags.yes && !confirm(io, `remove ${what}`)) return 1;
    io.out(`Removed ${count(await purgeClients(store), "client")}\n`);
    return 0;
  },
});
