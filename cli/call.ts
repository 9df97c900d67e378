/**
 * @module
 * `msp call`: calls a function of a server, by a profile, or by protocol v1 with a URL.
 */
import { wrongUsage } from "./arguments.ts";
import { callClassic } from "./call_v1.ts";
import { Client, CLIENT_FLAGS, timeoutOf, verboseNote } from "./client.ts";
import type { CommandTexts, FlagValues, Io } from "./command.ts";
import { defineCommand } from "./define.ts";
import { ParamsFault, parseParams } from "./params.ts";
import { renderResult } from "./render.ts";

const FLAGS = {
  params: {
    value: "JSON",
    meaning: "arguments as one JSON object; - reads them from standard input",
  },
  json: { meaning: "print a text as JSON too" },
  ...CLIENT_FLAGS,
  v1: { meaning: "call a URL by protocol v1, as without this flag" },
  key: { value: "FILE", meaning: "v1: the client's private key (default client.key)" },
  secret: { value: "FILE", meaning: "v1: the client's secret (default client.secret)" },
  "server-key": { value: "FILE", meaning: "v1: the server's public key (default server.pub)" },
} as const;

const TEXTS = {
  name: "call",
  summary: "call a function of a server and print the result",
  args: ["[PROFILE]", "FUNCTION", "[NAME=VALUE...]"],
  flags: FLAGS,
  description:
    `NAME=VALUE passes a text, NAME:=JSON a number, a list or any other JSON. Standard output is the ` +
    `result alone: a text as it is, anything else as JSON. The only profile needs no name; MSP_PROFILE ` +
    `names one.

An error says whether the function ran (executed: no, maybe or yes), and a reference that stands in the ` +
    `server's log too. The exit status is 1 then.

With a URL in place of PROFILE, the call is one of protocol v1, with the three files of its client and ` +
    `without arguments: msp call http://localhost:8000/v1 time_test

HTTP_PROXY and HTTPS_PROXY are used, but not for this machine. Redirects to the same server are ` +
    `followed, if they keep the method (307 and 308).`,
  example: "msp call home shopping_add item=milk count:=2",
} as const satisfies CommandTexts;

type Flags = FlagValues<typeof FLAGS>;

/** Bytes of standard input that are read as arguments; a server accepts fewer by default. */
const MAX_INPUT_BYTES = 64 * 1024 * 1024;

/** The command. */
export const call = defineCommand({
  ...TEXTS,
  async run({ flags, args }, io): Promise<number> {
    const [first = "", second] = args;
    // No profile has such a name.
    const isUrl = first.includes("://") || second !== undefined && /^[^=]*[:/@]/.test(first);
    const result = isUrl
      ? await callUrl(first, args.slice(1), flags, io)
      : await callProfile(args, flags, io);
    io.out(renderResult(result, { isTerminal: io.isTerminal, isJson: flags.json }));
    return 0;
  },
});

async function callUrl(
  text: string,
  [functionName, ...rest]: readonly string[],
  flags: Flags,
  io: Io,
): Promise<string> {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw wrongUsage(TEXTS, `${shown(text)}, expected a URL such as http://localhost:8000/v1`);
  }
  if (functionName === undefined) throw wrongUsage(TEXTS, "FUNCTION is missing");
  if (/\/v2\/?$/.test(url.pathname)) {
    const hint = `msp profile add NAME --url ${url.origin}${url.pathname} --server-key FILE`;
    throw wrongUsage(TEXTS, "a call of protocol v2 needs a profile", { hint });
  }
  if (rest.length > 0 || flags.params !== undefined) {
    const hint = "make a profile of the server to call it by v2: msp help profile";
    throw wrongUsage(TEXTS, "protocol v1 carries no arguments", { hint });
  }
  const { key, secret, "server-key": serverKey, ca } = flags;
  const files = { key, secret, serverKey, ca, note: verboseNote(flags, io) };
  return await callClassic({ url, functionName, timeoutMs: timeoutOf(TEXTS, flags), ...files }, io);
}

async function callProfile(args: readonly string[], flags: Flags, io: Io): Promise<unknown> {
  const only = ["v1", "key", "secret", "server-key"] as const;
  const wrong = only.find((name) => flags[name] !== undefined && flags[name] !== false);
  if (wrong !== undefined) {
    const state = `--${wrong} belongs to a URL, such as http://localhost:8000/v1`;
    throw wrongUsage(TEXTS, state);
  }
  const [first, second] = args;
  const named = second === undefined || second.includes("=") ? undefined : first;
  const [functionName = "", ...words] = named === undefined ? args : args.slice(1);
  if (functionName.includes("=")) throw wrongUsage(TEXTS, "FUNCTION is missing");
  const params = parseParams(words, await readParams(flags.params, io));
  if (params instanceof ParamsFault) {
    throw wrongUsage(TEXTS, params.state, params.hint === undefined ? {} : { hint: params.hint });
  }
  using client = await Client.open(TEXTS, { flags, named }, io);
  return await client.call(functionName, params);
}

async function readParams(text: string | undefined, io: Io): Promise<string | undefined> {
  if (text !== "-") return text;
  const bytes = await io.readInput(MAX_INPUT_BYTES);
  if (bytes === undefined) {
    throw wrongUsage(TEXTS, `standard input has more than ${MAX_INPUT_BYTES} bytes`);
  }
  return new TextDecoder().decode(bytes);
}

/** A URL that is none may still hold a password. */
function shown(text: string): string {
  return JSON.stringify(text.replace(/[^/]*@/, "…@").slice(0, 80));
}
