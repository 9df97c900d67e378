/**
 * @module
 * `msp rotate-secrets`: new secrets for all clients.
 */
import type { SecretHex } from "../lib/crypto/keys.ts";
import { rotateSecrets } from "../lib/keys/register.ts";
import { confirm, YES_FLAG } from "./confirm.ts";
import { defineCommand } from "./define.ts";
import { graceFlag, graceSeconds } from "./grace.ts";
import { CONFIG_FLAG, openStore } from "./paths.ts";
import { timeText } from "../lib/prose.ts";

/** The command. */
export const rotateSecretsCommand = defineCommand({
  name: "rotate-secrets",
  summary: "replace all secrets by new ones",
  args: [],
  flags: {
    ...graceFlag("the previous secrets"),
    ...YES_FLAG,
    json: { meaning: "print an array of the secrets" },
    ...CONFIG_FLAG,
  },
  description:
    `Prints one new secret for each client. Give each client one of them: any secret is valid with any ` +
    `registered key. Nothing says which secret belongs to which client, so a single one cannot be ` +
    `replaced. Secrets of removed clients end with the others.

The secrets are printed before they are stored: when they cannot be printed, nothing changes.`,
  example: "msp rotate-secrets --grace 48 --yes",
  async run({ flags }, io): Promise<number> {
    const grace = graceSeconds("rotate-secrets", flags.grace);
    const { settings: { store } } = await openStore(flags, io);
    if (!flags.yes && !confirm(io, `replace every secret in ${store.register}`)) return 1;
    const nowSeconds = Math.floor(Date.now() / 1000);
    const show = (secrets: readonly SecretHex[]): void =>
      io.outOnce(
        flags.json
          ? `${JSON.stringify(secrets)}\n`
          : secrets.map((secret) => `Client Hex Secret: ${secret}\n`).join(""),
      );
    const secrets = await rotateSecrets(store, { graceSeconds: grace, nowSeconds, show });
    if (secrets.length === 0) io.note(`no client is registered in ${store.clientsFolder}`);
    else if (grace > 0) {
      const end = timeText(nowSeconds + grace);
      io.note(`the previous secrets are accepted until ${end}`);
    } else io.note("the previous secrets are refused from now on; only a backup brings them back");
    return 0;
  },
});
