/**
 * @module
 * `msp removeclient`: removes one client.
 */
import { findClient } from "../lib/keys/find_client.ts";
import { listClients, removeClient } from "../lib/keys/store.ts";
import { commandToAdd } from "./client_texts.ts";
import { confirm, YES_FLAG } from "./confirm.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openStore } from "./paths.ts";

/** The command. */
export const removeclient = defineCommand({
  name: "removeclient",
  summary: "remove one client",
  args: ["CLIENT"],
  flags: { ...YES_FLAG, ...CONFIG_FLAG },
  description:
    `CLIENT is a number, a name or a public key, as msp listclients shows them, a fingerprint, or the ` +
    `name of a file. Every file of the client's key is removed. A running server refuses the client ` +
    `within a second.

Its secret stays in the register, because nothing says which one it is. Without a registered key it ` +
    `is useless. msp rotate-secrets replaces all secrets.`,
  example: "msp removeclient phone --yes",
  async run({ flags, args: [wanted = ""] }, io): Promise<number> {
    const { settings: { store } } = await openStore(flags, io);
    const clients = await listClients(store);
    const [client] = findClient(clients, wanted, "remove");
    const paths = clients.filter((each) => each.fingerprint === client.fingerprint)
      .map(({ path }) => path);
    if (!flags.yes && !confirm(io, `remove ${paths.join(" and ")}, ${client.fingerprint}`)) {
      return 1;
    }
    const removed = await removeClient(store, client, ([first]) => {
      if (first === undefined) return;
      io.note(`to register it again, with a new secret: ${commandToAdd(first)}`);
    });
    for (const { number, rules: { name } } of removed) {
      io.out(
        `Removed client ${number}${
          name === undefined ? "" : ` (${name})`
        }, ${client.fingerprint}\n`,
      );
    }
    return 0;
  },
});
