/**
 * @module
 * `msp appendclient`: registers a client's public key and tells what the client needs.
 */
import { formatKey } from "../lib/crypto/keys.ts";
import { formatTime } from "../lib/log.ts";
import { registerClient } from "../lib/registration.ts";
import { type Command, parseArguments } from "./command.ts";
import { CONFIG_DETAILS, CONFIG_OPTION, configPath } from "./paths.ts";

/** The subcommand. */
export const appendclient: Command = {
  name: "appendclient",
  usage: "appendclient PUBKEY [--json] [--plain] [--config F]",
  summary: "register a client's public key; prints its secret",
  details: `PUBKEY is the content of the client's NAME.pub: 44 base64 characters.
The client needs the two values that are printed; the secret is shown only this once: the key
store keeps its SHA-256. A running server hears the client within a second.

  --json                 prints one object: secret, server_public_key, file
  --plain                keeps the secret itself, as the Python program needs it
${CONFIG_DETAILS}`,
  example: "msp appendclient iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=",
  async run(args, io): Promise<number> {
    const { values, positionals: [publicKeyText = ""] } = parseArguments(appendclient, args, {
      options: { ...CONFIG_OPTION, json: { type: "boolean" }, plain: { type: "boolean" } },
      positionals: ["PUBKEY"],
    });
    const client = await registerClient(configPath(values, io.env), publicKeyText, {
      isPlain: values["plain"] === true,
    });
    const serverPublicKey = formatKey(client.serverPublicKey);
    if (values["json"] === true) {
      const { secret, path: file } = client;
      io.out(`${JSON.stringify({ secret, server_public_key: serverPublicKey, file })}\n`);
      return 0;
    }
    io.out(`[${formatTime(new Date())}] INFO: Client Hex Secret: ${client.secret}\n`);
    io.out(`Server public key:\n\t${serverPublicKey}\n`);
    return 0;
  },
};
