/**
 * @module
 * `msp join`: joins a server with the link of an invite.
 */
import { CallError as ClientError } from "../client/errors.ts";
import { join as joinServer, type Joined, profileNameOf } from "../client/join.ts";
import { LinkError, parseLink } from "../client/link.ts";
import { ProfileError } from "../client/profile.ts";
import { formatKey, parsePrivateKey } from "../lib/crypto/keys.ts";
import { publicKeyOf } from "../lib/crypto/x25519.ts";
import { CallError, KeyFileError } from "../lib/errors.ts";
import { parseRule } from "../lib/keys/rules.ts";
import { networkReason } from "../lib/network_reason.ts";
import { wrongUsage } from "./arguments.ts";
import { CLIENT_FLAGS, timeoutOf, verboseNote } from "./client.ts";
import type { CommandTexts, FlagValues, Io } from "./command.ts";
import { defineCommand } from "./define.ts";
import { Network } from "./network.ts";
import { userProfiles } from "./profiles.ts";
import { V1Files } from "./v1_files.ts";

/** A link has some 100 characters. */
const MAX_LINK_BYTES = 65_536;

const FLAGS = {
  name: {
    value: "NAME",
    meaning: "what the server's operator sees, if the invite has no name for this client",
  },
  profile: {
    value: "NAME",
    meaning: "name of the profile (default: the first part of the server's host name)",
  },
  v1: {
    value: "DIR",
    meaning: "also write client.key, client.secret and server.pub, for clients of protocol v1",
  },
  json: { meaning: "print one object: profile, url, public_key, files" },
  ...CLIENT_FLAGS,
} as const;

const TEXTS = {
  name: "join",
  summary: "join a server with the link of an invite",
  args: ["LINK"],
  flags: FLAGS,
  description:
    `LINK is what msp invite printed, in quotes; - reads it from standard input. The command makes a key ` +
    `pair, keeps it in a profile, and registers it with the server. The private key never leaves this ` +
    `machine. The profile is then ready: msp call PROFILE FUNCTION.

If the answer is lost, run the same command again: the server gives the same result until the invite ` +
    `expires. If another client has used the invite, the command says so.`,
  example: "msp join 'https://home.example/join#1.KEY.TOKEN' --profile home",
} as const satisfies CommandTexts;

type Flags = FlagValues<typeof FLAGS>;

/** The command. */
export const join = defineCommand({
  ...TEXTS,
  async run({ flags, args: [text = ""] }, io): Promise<number> {
    const link = text === "-" ? await readLink() : text;
    const url = new URL(addressIn(link));
    checkName(flags.name);
    const profile = flags.profile ?? profileNameOf(link);
    const profiles = userProfiles();
    const v1Files = flags.v1 === undefined
      ? undefined
      : await V1Files.prepare(flags.v1, async () => {
        return (await profiles.list()).includes(profile) ? await profiles.load(profile) : undefined;
      });
    const before = await profiles.list();
    using network = await Network.open(url, { ca: flags.ca, note: verboseNote(flags, io) });
    let joined: Joined;
    try {
      joined = await joinServer(link, {
        profiles,
        profile,
        name: flags.name,
        v1: v1Files !== undefined,
        timeoutMs: timeoutOf(TEXTS, flags),
        fetch: network.fetch,
      });
    } catch (error) {
      const isNew = !before.includes(profile) && (await profiles.list()).includes(profile);
      if (isNew) io.note(`profile ${profile} keeps the key for another try`);
      throw describe(error, url);
    }
    show(joined, await v1Files?.write(joined) ?? [], flags, io);
    return 0;
  },
});

async function readLink(): Promise<string> {
  let text = "";
  for await (const part of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.length > MAX_LINK_BYTES) break;
  }
  return text;
}

function addressIn(link: string): string {
  try {
    return parseLink(link).url;
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    throw wrongUsage(TEXTS, error.message.replace(/^Cannot use the link: it/, "LINK"), {
      hint: "copy the whole link that msp invite printed, and put it in quotes: '…'",
    });
  }
}

function checkName(name: string | undefined): void {
  const parsed = name === undefined ? {} : parseRule("name", name);
  if (typeof parsed === "string") throw wrongUsage(TEXTS, `--name, expected ${parsed}`);
}

function show(
  { profile: { url, privateKey }, profileName, wasKept }: Joined,
  files: readonly string[],
  { json }: Flags,
  io: Io,
): void {
  const key = parsePrivateKey(privateKey);
  const publicKey = typeof key === "string" ? "" : formatKey(publicKeyOf(key));
  if (json) {
    const object = { profile: profileName, url, public_key: publicKey, files };
    io.out(`${JSON.stringify(object)}\n`);
    return;
  }
  if (wasKept) io.note(`profile ${profileName} was there already: its key was used`);
  io.out(`Joined ${url} as profile ${profileName}\n`);
  for (const file of files) io.out(`Generated: ${file}\n`);
  io.note(`next: msp call ${profileName} FUNCTION`);
}

/** An error of the library in words. */
function describe(error: unknown, { origin }: URL): unknown {
  if (error instanceof ProfileError) {
    const { message, cause } = error;
    const hint = "choose another name with --profile, or remove that one with msp profile remove";
    return new KeyFileError(message, { cause, hint });
  }
  if (!(error instanceof ClientError)) return error;
  const { code, data, ref } = error;
  const own = error.message.replace(/^Cannot [^:]*: /, "");
  const fail = (state: string, hint: string | undefined): CallError =>
    new CallError(`Cannot join ${origin}: ${state}`, {
      cause: error,
      ...hint === undefined ? {} : { hint },
    });
  if (code === "unreachable") {
    const { state, hint } = networkReason(error);
    return fail(state, hint ?? AGAIN);
  }
  if (code === "refused" && data !== undefined) {
    const hint = data === "invite not valid"
      ? "ask for another invite; msp invites on the server shows who used this one"
      : "the key of this profile is registered already: join with another name for --profile, or " +
        "remove the profile with msp profile remove";
    return fail(`${own} (ref ${ref})`, hint);
  }
  if (code === "refused") {
    return fail(
      `the server did not accept the invite (401, ref ${ref})`,
      "check that the link is whole and of this server; the server's log has the reason at that reference",
    );
  }
  return fail(own, AGAIN);
}
const AGAIN = "run the same command again: it goes on where this one ended";
