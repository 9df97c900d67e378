/**
 * @module
 * `msp listclients`: the registered keys.
 */
import { readSettings } from "../lib/config/settings.ts";
import { formatKey } from "../lib/crypto/keys.ts";
import { listClients } from "../lib/keys/store.ts";
import { type Command, parseArguments } from "./command.ts";
import { CONFIG_DETAILS, CONFIG_OPTION, configPath } from "./paths.ts";

/** The subcommand. */
export const listclients: Command = {
  name: "listclients",
  usage: "listclients [--json] [--config F]",
  summary: "list the registered keys",
  details:
    `One line a client: number, public key, its fingerprint (as OpenSSH writes them), and when it was
registered. Which secret a client has is known to nobody but the client.

  --json                 prints an array of objects: number, public_key, fingerprint, registered, file
${CONFIG_DETAILS}`,
  example: "msp listclients",
  async run(args, io): Promise<number> {
    const { values } = parseArguments(listclients, args, {
      options: { ...CONFIG_OPTION, json: { type: "boolean" } },
      positionals: [],
    });
    const { settings: { store } } = await readSettings(configPath(values, io.env));
    const clients = (await listClients(store)).map((each) => ({
      number: each.number,
      public_key: formatKey(each.publicKey),
      fingerprint: each.fingerprint,
      registered: each.registeredAt?.toISOString() ?? null,
      file: each.path,
    }));
    if (values["json"] === true) io.out(`${JSON.stringify(clients, null, 2)}\n`);
    else if (clients.length === 0) io.out("No clients\n");
    else {
      const width = Math.max(...clients.map(({ number }) => number.length));
      for (const { number, public_key, fingerprint, registered } of clients) {
        const day = registered?.slice(0, 10) ?? "unknown";
        io.out(`${number.padStart(width)}  ${public_key}  ${fingerprint}  ${day}\n`);
      }
    }
    return 0;
  },
};
