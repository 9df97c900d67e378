/**
 * @module
 * `msp appendclient`: registers a client's public key, and prints or writes what the client needs.
 */
import { resolve } from "node:path";
import { formatKey } from "../lib/crypto/keys.ts";
import { CarriedFiles } from "../lib/keys/carried_files.ts";
import { readKeyArgument } from "../lib/keys/key_argument.ts";
import { type ClientRules, parseRules } from "../lib/keys/rules.ts";
import { formatTime } from "../lib/log.ts";
import { registerClient, type RegisteredClient } from "../lib/registration.ts";
import { tellExpired } from "./client_texts.ts";
import type { Io } from "./command.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openSettings } from "./paths.ts";
import { RULE_FLAGS, rulesGiven } from "./rule_flags.ts";

/** The command. */
export const appendclient = defineCommand({
  name: "appendclient",
  summary: "register a client's public key, and give it a secret",
  args: ["KEY|FILE|-"],
  flags: {
    ...RULE_FLAGS,
    out: { value: "DIR", meaning: "write client.secret and server.pub there; print no secret" },
    json: { meaning: "print one object: secret, server_public_key, file; files with --out" },
    plain: { meaning: "store the secret itself, as the Python program needs it" },
    ...CONFIG_FLAG,
  },
  description:
    `KEY is the client's public key, 44 base64 characters; FILE is its NAME.pub; - reads it from standard ` +
    `input. The client needs two values: its secret and the server's public key. The secret is shown ` +
    `only once: the key store keeps its SHA-256. A running server accepts the client within a second.

The values are printed or written before the key is registered: when that fails, nothing changes.`,
  example: "msp appendclient client.pub --name phone --out for-phone",
  async run({ flags, args: [argument = ""] }, io): Promise<number> {
    const rules = rulesFor(rulesGiven("appendclient", flags));
    const publicKey = await readKeyArgument(argument, io.readInput);
    const { settings } = await openSettings(flags, io);
    const carried = flags.out === undefined ? undefined : new CarriedFiles(resolve(flags.out));
    let number = "", path = "";
    try {
      const { made, faults } = await registerClient(settings, publicKey, {
        rules,
        isPlain: flags.plain,
        async show(client): Promise<void> {
          ({ number, path } = client);
          await carried?.write(client.secret, client.serverPublicKey);
          show(client, { carried, isJson: flags.json }, io);
        },
      });
      if (made.length > 0) io.note(`created a new key store in ${settings.store.serverFolder}`);
      for (const fault of faults) io.note(`${fault.path}: ${fault.state}; see msp doctor`);
    } catch (error) {
      await carried?.remove();
      throw error;
    }
    tellExpired(rules, io);
    io.note(`registered in ${path}; to undo: msp removeclient ${number}`);
    return 0;
  },
});

function rulesFor(given: ReadonlyMap<string, string | undefined>): ClientRules {
  const today = new Date().toISOString().slice(0, 10);
  const lines = [...given, ["added", `${today} by appendclient`]];
  const text = lines.filter(([, value]) => value !== undefined).map((line) => line.join(" = "));
  const parsed = parseRules(["", ...text].join("\n"));
  return parsed.ok ? parsed.rules : {};
}

function show(
  { secret, serverPublicKey, path: file }: RegisteredClient,
  { carried, isJson }: { carried: CarriedFiles | undefined; isJson: boolean },
  io: Io,
): void {
  const key = formatKey(serverPublicKey);
  if (carried !== undefined) {
    const files = [carried.secretPath, carried.serverKeyPath];
    const object = { files, server_public_key: key, file };
    io.out(
      isJson ? `${JSON.stringify(object)}\n` : files.map((path) => `Created: ${path}\n`).join(""),
    );
    return;
  }
  io.outOnce(
    isJson
      ? `${JSON.stringify({ secret, server_public_key: key, file })}\n`
      : `[${formatTime(new Date())}] INFO: Client Hex Secret: ${secret}\n` +
        `Server public key:\n\t${key}\n`,
  );
}
