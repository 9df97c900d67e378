/**
 * @module
 * `msp invite`: makes a link with which a client joins.
 */
import { resolve } from "node:path";
import { serverAddress } from "../client/link.ts";
import type { ListenSettings, Settings } from "../lib/config/settings.ts";
import { OutputError, reasonOf } from "../lib/errors.ts";
import { createFile, PRIVATE_MODE } from "../lib/files.ts";
import { inviteClient } from "../lib/invitation.ts";
import type { Invite } from "../lib/keys/invite_files.ts";
import { type ClientRules, parseRule } from "../lib/keys/rules.ts";
import { count, timeText } from "../lib/prose.ts";
import { findServer } from "../lib/state.ts";
import { machineUrls } from "./addresses.ts";
import { wrongUsage } from "./arguments.ts";
import type { CommandTexts, FlagValues, Io } from "./command.ts";
import { defineCommand } from "./define.ts";
import { DURATION_FORM, parseDuration } from "./duration.ts";
import { CONFIG_FLAG, openSettings } from "./paths.ts";
import { qrSvg, qrText } from "./qr.ts";

const MAX_USES = 1000;

const FLAGS = {
  functions: {
    value: "LIST",
    meaning:
      "functions that the client may call, such as 'time_*,!time_set' (default: [Clients] Functions)",
  },
  expires: { value: "TIME", meaning: "time until the link expires (default 1h)" },
  "key-expires": {
    value: "TIME",
    meaning: "time after joining until the client's key expires, such as 90d (default: never)",
  },
  uses: { value: "N", meaning: `number of clients that may join (default 1, at most ${MAX_USES})` },
  url: {
    value: "URL",
    meaning: "address under which clients reach the server (default: [Server] PublicUrl)",
  },
  qr: { meaning: "print the QR code also where standard output is not a terminal" },
  svg: { value: "FILE", meaning: "write the QR code to a new file instead" },
  json: { meaning: "print one object: id, link, expires, uses, name, functions, key_seconds" },
  ...CONFIG_FLAG,
} as const;

const TEXTS = {
  name: "invite",
  summary: "create a link with which a client joins",
  args: ["[NAME]"],
  flags: FLAGS,
  description:
    `Standard output is the link, and on a terminal its QR code. The client runs msp join 'LINK': it ` +
    `makes its own keys, and the running server registers them with the rules of the invite. NAME is ` +
    `what you call the client; a name that is taken gets a number.

Anybody who has the link can join, so send it over a channel that you trust. The part after # is never sent ` +
    `to a web server. msp invites lists links and who used them; msp invites revoke ID makes one useless.

TIME is a number and a unit: s, m, h or d.`,
  example: "msp invite phone --functions 'time_*' --url http://localhost:8000",
} as const satisfies CommandTexts;

type Flags = FlagValues<typeof FLAGS>;

/** The command. */
export const invite = defineCommand({
  ...TEXTS,
  async run({ flags, args: [name] }, io): Promise<number> {
    const { settings } = await openSettings(flags, io);
    checkOutput(flags);
    const now = new Date();
    const keySeconds = flags["key-expires"] && duration("key-expires", flags["key-expires"]);
    const { made } = await inviteClient(settings, {
      now,
      expires: new Date(now.getTime() + 1000 * duration("expires", flags.expires ?? "1h")),
      uses: usesOf(flags.uses),
      ...keySeconds === undefined || keySeconds === "" ? {} : { keySeconds },
      rules: {
        ...rule("name", name, "NAME"),
        ...rule("functions", flags.functions, "--functions"),
      },
      url: addressOf(flags.url ?? settings.publicUrl, settings.listen),
      show: (invite, link) => show(invite, link, { flags, settings }, io),
    });
    if (made.length > 0) {
      io.note(
        `created a new key store in ${settings.store.serverFolder}; a server of another folder does ` +
          `not accept this link: run msp invite there`,
      );
    } else if (await findServer(settings.stateFolder) === undefined) {
      io.note(`no server uses ${settings.stateFolder}: clients can join when it runs`);
    }
    return 0;
  },
});

function checkOutput({ json, qr, svg }: Flags): void {
  const [first, second] = [
    ...json ? ["--json"] : [],
    ...qr ? ["--qr"] : [],
    ...svg === undefined ? [] : ["--svg"],
  ];
  if (second !== undefined) throw wrongUsage(TEXTS, `expected one of ${first} and ${second}`);
}

function duration(flag: string, text: string): number {
  const seconds = parseDuration(text);
  if (seconds !== undefined) return seconds;
  throw wrongUsage(TEXTS, `--${flag} ${JSON.stringify(text)}, expected ${DURATION_FORM}`);
}

function usesOf(text = "1"): number {
  const uses = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (uses >= 1 && uses <= MAX_USES) return uses;
  const expected = `a whole number from 1 to ${MAX_USES}`;
  throw wrongUsage(TEXTS, `--uses ${JSON.stringify(text)}, expected ${expected}`);
}

function rule(name: string, value: string | undefined, what: string): ClientRules {
  if (value === undefined) return {};
  const parsed = parseRule(name, value.trim());
  if (typeof parsed !== "string") return parsed;
  throw wrongUsage(TEXTS, `${what} ${JSON.stringify(value.slice(0, 80))}, expected ${parsed}`);
}

function addressOf(text: string | undefined, listen: ListenSettings): string {
  if (text === undefined) {
    const urls = machineUrls(listen);
    const here = urls.length === 0 ? "" : `; this machine has ${urls.join(", ")}`;
    throw wrongUsage(TEXTS, "the address of the server is not known", {
      hint: `name it with --url, or with PublicUrl in [Server] of config.ini${here}`,
    });
  }
  try {
    return serverAddress(text);
  } catch {
    const hint = "leave out /v1, /v2, and everything from ? or # on";
    throw wrongUsage(TEXTS, "--url, expected an address such as https://home.example", { hint });
  }
}

async function show(
  invite: Invite,
  link: string,
  { flags, settings }: { readonly flags: Flags; readonly settings: Settings },
  io: Io,
): Promise<void> {
  const { id, expires, uses, rules: { name, functions }, keySeconds } = invite;
  if (flags.json) {
    const texts = { id, link, expires: expires.toISOString(), uses };
    const rules = {
      name: name ?? null,
      functions: functions ?? null,
      key_seconds: keySeconds ?? null,
    };
    io.out(`${JSON.stringify({ ...texts, ...rules })}\n`);
    return;
  }
  const isTerminal = Deno.stdout.isTerminal();
  if (flags.svg !== undefined) await writeSvg(resolve(flags.svg), link);
  io.out(`${link}\n`);
  if (flags.svg === undefined && (flags.qr || isTerminal)) {
    io.out(`\n${qrText(link, isTerminal)}\n`);
  }
  io.note(`on the client: msp join '${link.replace(/#.*/, "#…")}'`);
  io.note(
    `invite ${id} is for ${count(uses, "client")}, until ${timeText(expires.getTime() / 1000)}`,
  );
  io.note(describeRules(invite, settings));
}

/** What the client may do, and until when. */
function describeRules({ rules, keySeconds }: Invite, { clientFunctions }: Settings): string {
  const name = rules.name === undefined ? "" : ` ${JSON.stringify(rules.name)}`;
  const patterns = rules.functions ?? clientFunctions;
  const functions = patterns === undefined ? "every function" : patterns.join(", ");
  const end = keySeconds === undefined
    ? "its key does not expire"
    : `its key expires ${describeSeconds(keySeconds)} after joining`;
  return `the client${name} may call ${functions}; ${end}`;
}

function describeSeconds(seconds: number): string {
  const units = [[86_400, "day"], [3600, "hour"], [60, "minute"]] as const;
  const [size, unit] = units.find(([each]) => seconds % each === 0) ?? [1, "second"];
  return count(seconds / size, unit);
}

async function writeSvg(path: string, link: string): Promise<void> {
  try {
    await createFile(path, qrSvg(link), { mode: PRIVATE_MODE });
  } catch (error) {
    throw new OutputError(`Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
