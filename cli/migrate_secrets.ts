/**
 * @module
 * `msp migrate-secrets`: the register keeps digests instead of secrets.
 */
import { migrateSecrets } from "../lib/keys/register.ts";
import { count } from "../lib/prose.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openStore } from "./paths.ts";

/** The command. */
export const migrateSecretsCommand = defineCommand({
  name: "migrate-secrets",
  summary: "store SHA-256 digests instead of secrets",
  args: [],
  flags: CONFIG_FLAG,
  description:
    `Replaces each secret in the register by its SHA-256. Clients are not affected. A copy of the register ` +
    `is then useless to others. The Python program cannot read such a register: keep a copy if you may ` +
    `go back to it.`,
  example: "msp migrate-secrets",
  async run({ flags }, io): Promise<number> {
    const { settings: { store } } = await openStore(flags, io);
    const replaced = await migrateSecrets(store);
    if (replaced > 0) io.note("only a backup brings them back: a secret cannot be computed");
    io.out(`Replaced ${count(replaced, "secret")} in ${store.register}\n`);
    return 0;
  },
});
