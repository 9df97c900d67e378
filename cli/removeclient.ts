/**
 * @module
 * `msp removeclient`: takes one client's key away.
 */
import { readSettings } from "../lib/config/settings.ts";
import { formatKey } from "../lib/crypto/keys.ts";
import { StoreError } from "../lib/errors.ts";
import { type ClientEntry, listClients, removeClient } from "../lib/keys/store.ts";
import { type Command, parseArguments } from "./command.ts";
import { confirm } from "./confirm.ts";
import { CONFIG_DETAILS, CONFIG_OPTION, configPath } from "./paths.ts";

/** The subcommand. */
export const removeclient: Command = {
  name: "removeclient",
  usage: "removeclient NUMBER|PUBKEY|FINGERPRINT [--yes] [--config F]",
  summary: "remove one client's key",
  details:
    `msp listclients shows numbers, public keys and fingerprints. A running server does not hear the
client any more within a second. Its secret stays in the register, because nobody knows which one it
is; without a registered key it is of no use. msp rotate-secrets replaces all of them.

  --yes                  does not ask
${CONFIG_DETAILS}`,
  example: "msp removeclient 3 --yes",
  async run(args, io): Promise<number> {
    const { values, positionals: [wanted = ""] } = parseArguments(removeclient, args, {
      options: { ...CONFIG_OPTION, yes: { type: "boolean" } },
      positionals: ["NUMBER, PUBKEY or FINGERPRINT"],
    });
    const { settings: { store } } = await readSettings(configPath(values, io.env));
    const entry = findClient(await listClients(store), wanted.trim());
    if (values["yes"] !== true && !confirm(io, `remove ${entry.path}, ${entry.fingerprint}`)) {
      return 1;
    }
    await removeClient(store, entry);
    io.out(`Removed client ${entry.number}, ${entry.fingerprint}\n`);
    io.out(
      "Its secret stays in the register: nothing says which it is (msp help rotate-secrets)\n",
    );
    return 0;
  },
};

function findClient(clients: readonly ClientEntry[], wanted: string): ClientEntry {
  const found = clients.filter(({ number, publicKey, fingerprint }) =>
    number === wanted || formatKey(publicKey) === wanted || fingerprint === wanted
  );
  const [entry] = found;
  if (entry !== undefined && found.length === 1) return entry;
  const state = found.length === 0 ? "no client has" : "more than one client has";
  throw new StoreError(`Cannot remove a client: ${state} this number, public key or fingerprint`, {
    hint: "msp listclients shows them",
  });
}
