/**
 * @module
 * `msp migrate-secrets`: the register keeps digests instead of secrets.
 */
import { readSettings } from "../lib/config/settings.ts";
import { migrateSecrets } from "../lib/keys/store.ts";
import { type Command, parseArguments } from "./command.ts";
import { CONFIG_DETAILS, CONFIG_OPTION, configPath } from "./paths.ts";

/** The subcommand. */
export const migrateSecretsCommand: Command = {
  name: "migrate-secrets",
  usage: "migrate-secrets [--config F]",
  summary: "keep SHA-256 digests in place of secrets",
  details:
    `Replaces each secret in the register by its SHA-256. Clients notice nothing. A reader of the
register cannot use it afterwards. The Python program cannot read such a register any more: keep a
copy if you may go back.

${CONFIG_DETAILS}`,
  example: "msp migrate-secrets",
  async run(args, io): Promise<number> {
    const { values } = parseArguments(migrateSecretsCommand, args, {
      options: CONFIG_OPTION,
      positionals: [],
    });
    const { settings: { store } } = await readSettings(configPath(values, io.env));
    const count = await migrateSecrets(store);
    io.out(`Replaced ${count} ${count === 1 ? "secret" : "secrets"} in ${store.register}\n`);
    return 0;
  },
};
