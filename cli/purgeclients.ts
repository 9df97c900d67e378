/**
 * @module
 * `msp purgeclients`: removes every client.
 */
import { readSettings } from "../lib/config/settings.ts";
import { purgeClients } from "../lib/keys/store.ts";
import { type Command, parseArguments } from "./command.ts";
import { confirm } from "./confirm.ts";
import { CONFIG_DETAILS, CONFIG_OPTION, configPath } from "./paths.ts";

/** The subcommand. */
export const purgeclients: Command = {
  name: "purgeclients",
  usage: "purgeclients [--yes] [--config F]",
  summary: "remove every client's key and secret",
  details:
    `Every client has to be registered again afterwards. A running server forgets them within a second.

  --yes                  does not ask
${CONFIG_DETAILS}`,
  example: "msp purgeclients --yes",
  async run(args, io): Promise<number> {
    const { values } = parseArguments(purgeclients, args, {
      options: { ...CONFIG_OPTION, yes: { type: "boolean" } },
      positionals: [],
    });
    const { settings: { store } } = await readSettings(configPath(values, io.env));
    const what = `every client in ${store.clientsFolder} and every secret in ${store.register}`;
    if (values["yes"] !== true && !confirm(io, `remove ${what}`)) return 1;
    const count = await purgeClients(store);
    io.out(`Removed ${count} ${count === 1 ? "client" : "clients"}\n`);
    return 0;
  },
};
