/**
 * @module
 * `msp rotate-secrets`: fresh secrets for all clients.
 */
import { readSettings } from "../lib/config/settings.ts";
import { rotateSecrets } from "../lib/keys/store.ts";
import { type Command, parseArguments } from "./command.ts";
import { confirm } from "./confirm.ts";
import { GRACE_DETAILS, GRACE_OPTION, graceSeconds } from "./grace.ts";
import { CONFIG_DETAILS, CONFIG_OPTION, configPath } from "./paths.ts";

/** The subcommand. */
export const rotateSecretsCommand: Command = {
  name: "rotate-secrets",
  usage: "rotate-secrets [--grace HOURS] [--yes] [--json] [--config F]",
  summary: "replace all secrets by fresh ones",
  details:
    `Prints as many new secrets as there are clients. Nothing says which secret belongs to which
client, so that a single one cannot be replaced; and any secret goes with any registered key, so
that it does not matter who gets which. Give each client one of them. Secrets of removed clients
end with the others.

${GRACE_DETAILS} the secrets before
  --yes                  does not ask
  --json                 prints an array of the secrets
${CONFIG_DETAILS}`,
  example: "msp rotate-secrets --grace 48 --yes",
  async run(args, io): Promise<number> {
    const { values } = parseArguments(rotateSecretsCommand, args, {
      options: {
        ...CONFIG_OPTION,
        ...GRACE_OPTION,
        yes: { type: "boolean" },
        json: { type: "boolean" },
      },
      positionals: [],
    });
    const grace = graceSeconds("rotate-secrets", values);
    const { settings: { store } } = await readSettings(configPath(values, io.env));
    const what = `replace every secret in ${store.register}`;
    if (values["yes"] !== true && !confirm(io, what)) return 1;
    const nowSeconds = Math.floor(Date.now() / 1000);
    const secrets = await rotateSecrets(store, { graceSeconds: grace, nowSeconds });
    if (values["json"] === true) io.out(`${JSON.stringify(secrets)}\n`);
    else for (const secret of secrets) io.out(`Client Hex Secret: ${secret}\n`);
    return 0;
  },
};
