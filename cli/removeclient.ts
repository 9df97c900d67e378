/**
 * @module
 * `msp removeclient`: removes one client's key.
 */
import { basename } from "node:path";
import { formatKey } from "../lib/crypto/keys.ts";
import { StoreError } from "../lib/errors.ts";
import { type ClientEntry, listClients, removeClient } from "../lib/keys/store.ts";
import { confirm, YES_FLAG } from "./confirm.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openStore } from "./paths.ts";

/** The command. */
export const removeclient = defineCommand({
  name: "removeclient",
  summary: "remove one client's key",
  args: ["CLIENT"],
  flags: { ...YES_FLAG, ...CONFIG_FLAG },
  description:
    `CLIENT is a number, a public key or a fingerprint, as msp listclients shows them, or the name of ` +
    `its file. A running server refuses the client within a second.

Its secret stays in the register, because nothing says which one it is. Without a registered key it ` +
    `is useless. msp rotate-secrets replaces all secrets.`,
  example: "msp removeclient 3 --yes",
  async run({ flags, args: [wanted = ""] }, io): Promise<number> {
    const { settings: { store } } = await openStore(flags, io);
    const entry = findClient(await listClients(store), wanted.trim());
    if (!flags.yes && !confirm(io, `remove ${entry.path}, ${entry.fingerprint}`)) return 1;
    await removeClient(store, entry);
    io.out(`Removed client ${entry.number}, ${entry.fingerprint}\n`);
    io.note(
      `to register it again, with a new secret: msp appendclient ${formatKey(entry.publicKey)}`,
    );
    return 0;
  },
});

function findClient(clients: readonly ClientEntry[], wanted: string): ClientEntry {
  const found = clients.filter(({ number, publicKey, fingerprint, path }) =>
    [number, formatKey(publicKey), fingerprint].includes(wanted) ||
    basename(path) === basename(wanted)
  );
  const [entry] = found;
  if (entry !== undefined && found.length === 1) return entry;
  const state = found.length === 0 ? "no client has" : "more than one client has";
  throw new StoreError(
    `Cannot remove a client: ${state} this number, public key, fingerprint or file`,
    { hint: "msp listclients shows them" },
  );
}
