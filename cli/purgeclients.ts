/**
 * @module
 * `msp purgeclients`: removes every client.
 */
import { readSettings } from "../lib/config/settings.ts";
import { StoreError } from "../lib/errors.ts";
import { purgeClients } from "../lib/keyring/store.ts";
import { type Command, parseArguments } from "./command.ts";
import { CONFIG_DETAILS, CONFIG_OPTION, configPath } from "./paths.ts";

/** The subcommand. */
export const purgeclients: Command = {
  name: "purgeclients",
  usage: "purgeclients [--yes] [--config F]",
  summary: "remove every client's key and secret",
  details:
    `Every client has to be registered anew afterwards. Restart a running server, so that it forgets
them.

  --yes                  does not ask
${CONFIG_DETAILS}`,
  example: "msp purgeclients --yes",
  async run(args, io): Promise<number> {
    const { values } = parseArguments(purgeclients, args, {
      options: { ...CONFIG_OPTION, yes: { type: "boolean" } },
      positionals: [],
    });
    const { settings: { store } } = await readSettings(configPath(values, io.env));
    if (values["yes"] !== true) {
      const answer = io.ask(
        `This removes every client in ${store.clientsFolder} and every secret in ${store.register}. Proceed? (y|n)`,
      );
      if (answer === undefined) {
        throw new StoreError("Cannot ask whether to remove every client: there is no terminal", {
          hint: "pass --yes to remove them without a question",
        });
      }
      if (!/^y(es)?$/i.test(answer.trim())) {
        io.out("Nothing removed\n");
        return 1;
      }
    }
    const count = await purgeClients(store);
    io.out(`Removed ${count} ${count === 1 ? "client" : "clients"}\n`);
    return 0;
  },
};
