/**
 * @module
 * `msp rotate-server-key`: a new pair for the server.
 */
import { formatKey } from "../lib/crypto/keys.ts";
import { openStore } from "../lib/first_start.ts";
import { rotateServerKeys } from "../lib/keys/server_keys.ts";
import { type Command, parseArguments } from "./command.ts";
import { confirm } from "./confirm.ts";
import { GRACE_DETAILS, GRACE_OPTION, graceSeconds } from "./grace.ts";
import { CONFIG_DETAILS, CONFIG_OPTION, configPath } from "./paths.ts";

/** The subcommand. */
export const rotateServerKeyCommand: Command = {
  name: "rotate-server-key",
  usage: "rotate-server-key [--grace HOURS] [--yes] [--config F]",
  summary: "replace the server's key pairs",
  details:
    `Prints the new public keys: clients of protocol v1 need the first as their server.pub, those of v2
the second. A running server uses them within a second. Earlier keys whose grace goes on stay.

${GRACE_DETAILS} the previous keys
                         (kept in server.previous.key and server2.previous.key); without it, clients
                         are refused until they have the new ones
  --yes                  does not ask
${CONFIG_DETAILS}`,
  example: "msp rotate-server-key --grace 48 --yes",
  async run(args, io): Promise<number> {
    const { values } = parseArguments(rotateServerKeyCommand, args, {
      options: { ...CONFIG_OPTION, ...GRACE_OPTION, yes: { type: "boolean" } },
      positionals: [],
    });
    const grace = graceSeconds("rotate-server-key", values);
    const { settings: { store } } = await openStore(configPath(values, io.env));
    const what = `replace the server's key in ${store.serverFolder}`;
    if (values["yes"] !== true && !confirm(io, what)) return 1;
    const nowSeconds = Math.floor(Date.now() / 1000);
    const keys = await rotateServerKeys(store, { graceSeconds: grace, nowSeconds });
    io.out(`Server public key:\n\t${formatKey(keys.server)}\n`);
    if (keys.server2 !== undefined) {
      io.out(`Server public key for protocol v2:\n\t${formatKey(keys.server2)}\n`);
    }
    if (grace > 0) {
      const end = new Date((nowSeconds + grace) * 1000).toISOString();
      io.out(`The previous keys are accepted until ${end}\n`);
    }
    return 0;
  },
};
