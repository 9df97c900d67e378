/**
 * @module
 * `msp appendclient`: registers a client's public key and prints what the client needs.
 */
import { formatKey } from "../lib/crypto/keys.ts";
import { formatTime } from "../lib/log.ts";
import { registerClient, type RegisteredClient } from "../lib/registration.ts";
import type { Io } from "./command.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openSettings } from "./paths.ts";

/** The command. */
export const appendclient = defineCommand({
  name: "appendclient",
  summary: "register a client's public key and print its secret",
  args: ["PUBKEY"],
  flags: {
    json: { meaning: "print one object: secret, server_public_key, file" },
    plain: { meaning: "store the secret itself, as the Python program needs it" },
    ...CONFIG_FLAG,
  },
  description:
    `PUBKEY is the content of the client's NAME.pub: 44 base64 characters. The client needs the two ` +
    `values that are printed. The secret is shown only once: the key store keeps its SHA-256. A ` +
    `running server accepts the client within a second.

The values are printed before the key is registered: when they cannot be printed, nothing changes.`,
  example: "msp appendclient iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=",
  async run({ flags, args: [publicKeyText = ""] }, io): Promise<number> {
    const { settings } = await openSettings(flags, io);
    const { made } = await registerClient(settings, publicKeyText, {
      isPlain: flags.plain,
      show: (client) => show(client, flags.json, io),
    });
    if (made.length > 0) io.note(`created a new key store in ${settings.store.serverFolder}`);
    return 0;
  },
});

function show(client: RegisteredClient, isJson: boolean, io: Io): void {
  const { secret, path: file } = client;
  const serverPublicKey = formatKey(client.serverPublicKey);
  io.out(
    isJson
      ? `${JSON.stringify({ secret, server_public_key: serverPublicKey, file })}\n`
      : `[${formatTime(new Date())}] INFO: Client Hex Secret: ${secret}\n` +
        `Server public key:\n\t${serverPublicKey}\n`,
  );
}
