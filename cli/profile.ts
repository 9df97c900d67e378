/**
 * @module
 * `msp profile`: profiles of servers, added by hand, listed and removed.
 */
import { resolve } from "node:path";
import { profileFrom } from "../client/profile.ts";
import { endpointOf } from "../client/url.ts";
import { readPrivateKey, readPublicKey } from "../lib/crypto/key_file.ts";
import { formatKey, parsePrivateKey, parsePublicKey, type PrivateKey } from "../lib/crypto/keys.ts";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { publicKeyOf } from "../lib/crypto/x25519.ts";
import { KeyFileError } from "../lib/errors.ts";
import { wrongUsage } from "./arguments.ts";
import { strangeKeyHint } from "./call_v1.ts";
import type { CommandTexts, FlagValues, Io } from "./command.ts";
import { confirm, YES_FLAG } from "./confirm.ts";
import { defineCommand } from "./define.ts";
import { userProfiles } from "./profiles.ts";

const FLAGS = {
  url: { value: "URL", meaning: "add: address of the server" },
  "server-key": { value: "FILE|KEY", meaning: "add: the server's server2.pub, or the key itself" },
  key: { value: "FILE", meaning: "add: an existing private key (default: a new one)" },
  replace: { meaning: "add: replace the profile of this name; its key is then lost" },
  json: { meaning: "list: print an array of objects" },
  ...YES_FLAG,
} as const;

const TEXTS = {
  name: "profile",
  summary: "add, list and remove profiles of servers",
  args: ["add|list|remove", "[NAME]"],
  flags: FLAGS,
  description:
    `A profile is what a client needs to call one server: its address, its public key, and the client's ` +
    `private key. It is one file, NAME.json, in $XDG_CONFIG_HOME/msp or ~/.config/msp, which only its ` +
    `owner can read.

add makes a profile without an invite, and prints the client's public key, which the operator of the ` +
    `server registers with msp appendclient. list shows names, addresses and public keys. remove asks ` +
    `first: the private key is then lost.`,
  example: "msp profile add home --url https://home.example --server-key server2.pub",
} as const satisfies CommandTexts;

type Flags = FlagValues<typeof FLAGS>;

const ACTIONS: Readonly<
  Record<string, (name: string | undefined, flags: Flags, io: Io) => Promise<number>>
> = { add, list, remove };

/** The command. */
export const profile = defineCommand({
  ...TEXTS,
  async run({ flags, args: [action = "", name] }, io): Promise<number> {
    const run = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (run !== undefined) return await run(name, flags, io);
    throw wrongUsage(TEXTS, `${JSON.stringify(action)}, expected add, list or remove`);
  },
});

async function add(name: string | undefined, flags: Flags, io: Io): Promise<number> {
  const { url: address, "server-key": serverKeyText, key, replace } = flags;
  if (name === undefined) throw wrongUsage(TEXTS, "NAME is missing");
  if (address === undefined) throw wrongUsage(TEXTS, "--url is missing");
  if (serverKeyText === undefined) throw wrongUsage(TEXTS, "--server-key is missing");
  const url = endpoint(address);
  const serverKey = await readServerKey(serverKeyText);
  const privateKey = key === undefined ? generateKeyPair().privateKey : await readOwnKey(key, io);
  const publicKey = formatKey(publicKeyOf(privateKey));
  const made = profileFrom({ url, serverKey, privateKey: formatKey(privateKey), name });
  await userProfiles().save(name, made, { replace });
  io.out(`${publicKey}\n`);
  io.note(`added profile ${name} for ${url}`);
  if (key === undefined) io.note(`next, on the server: msp appendclient "${publicKey}"`);
  else io.note(`next: msp call ${name} FUNCTION`);
  return 0;
}

function endpoint(address: string): string {
  if (/\/v1\/?$/.test(address)) {
    const hint = "a profile is for protocol v2: leave /v1 out, or call that URL without a profile";
    throw wrongUsage(TEXTS, "--url is that of protocol v1", { hint });
  }
  try {
    return endpointOf(address).href;
  } catch {
    throw wrongUsage(TEXTS, "--url, expected the address of a server such as https://home.example");
  }
}

async function readServerKey(text: string): Promise<string> {
  const key = parsePublicKey(text);
  if (typeof key !== "string") return formatKey(key);
  const path = resolve(text);
  if (/\.key$/i.test(path)) {
    throw new KeyFileError(`Cannot use ${path} as the server's public key: it is a private key`, {
      hint: "pass the server's server2.pub",
    });
  }
  return formatKey(await readPublicKey(path));
}

async function readOwnKey(path: string, io: Io): Promise<PrivateKey> {
  const key = await readPrivateKey(resolve(path));
  const strange = await strangeKeyHint(resolve(path), key);
  if (strange !== undefined) io.note(strange);
  return key;
}

async function list(name: string | undefined, { json }: Flags, io: Io): Promise<number> {
  if (name !== undefined) throw wrongUsage(TEXTS, "list takes no NAME");
  const store = userProfiles();
  const rows = [];
  let code = 0;
  for (const each of await store.list()) {
    try {
      const { url, privateKey } = await store.load(each);
      rows.push({ name: each, url, public_key: publicKeyText(privateKey) });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      io.note(error.message);
      code = 1;
    }
  }
  const width = Math.max(...rows.map((row) => row.name.length));
  const wide = Math.max(...rows.map((row) => row.url.length));
  const lines = rows.map((row) =>
    `${row.name.padEnd(width)}  ${row.url.padEnd(wide)}  ${row.public_key}\n`
  );
  if (json) io.out(`${JSON.stringify(rows, null, 2)}\n`);
  else if (lines.length === 0) io.note("no profiles");
  else io.out(lines.join(""));
  return code;
}

function publicKeyText(text: string): string {
  const key = parsePrivateKey(text);
  return typeof key === "string" ? "" : formatKey(publicKeyOf(key));
}

async function remove(name: string | undefined, { yes }: Flags, io: Io): Promise<number> {
  if (name === undefined) throw wrongUsage(TEXTS, "NAME is missing");
  const store = userProfiles();
  if (!(await store.list()).includes(name)) await store.load(name);
  if (!yes && !confirm(io, `remove the profile ${name} with its private key`)) return 1;
  await store.remove(name);
  io.out(`Removed profile ${name}\n`);
  return 0;
}
