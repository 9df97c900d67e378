/**
 * @module
 * `msp describe`: what a client may call, as the server says it.
 */
import type { FunctionInfo } from "../client/connection.ts";
import { CallError } from "../lib/errors.ts";
import { Client, CLIENT_FLAGS } from "./client.ts";
import type { CommandTexts } from "./command.ts";
import { defineCommand } from "./define.ts";
import { splitProfile } from "./profiles.ts";
import { harmless, oneLine } from "./render.ts";
import { suggestion } from "../lib/suggest.ts";
import { type Member, membersOf, typeOf } from "./schema_types.ts";

const TEXTS = {
  name: "describe",
  summary: "list the functions that this client may call",
  args: ["[PROFILE]", "[FUNCTION]"],
  flags: {
    json: { meaning: "print an array of objects, with the JSON Schema of the arguments" },
    ...CLIENT_FLAGS,
  },
  description:
    `Prints each function with its description and its arguments; one that may be left out has a ?. With ` +
    `FUNCTION, prints that one only. The only profile needs no name; MSP_PROFILE names one.`,
  example: "msp describe home",
} as const satisfies CommandTexts;

/** The command. */
export const describe = defineCommand({
  ...TEXTS,
  async run({ flags, args }, io): Promise<number> {
    const { named, rest: wanted } = await splitProfile(args);
    using client = await Client.open(TEXTS, { flags, named }, io);
    const all = await client.functions();
    const found = wanted === undefined ? all : [find(all, wanted, client.name)];
    if (flags.json) io.out(`${JSON.stringify(found, null, 2)}\n`);
    else if (found.length === 0) io.note("this client may call no function of this server");
    else {
      const text = found.map((each) => asText(each, io.style.strong)).join("\n");
      io.out(io.isTerminal ? text : harmless(text));
    }
    return 0;
  },
});

function find(all: readonly FunctionInfo[], wanted: string, profile: string): FunctionInfo {
  const found = all.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
  if (found !== undefined) return found;
  const meant = suggestion(wanted, all.map(({ name }) => name));
  throw new CallError(
    `Cannot describe ${wanted}: there is no such function, or this client may not call it`,
    {
      hint: meant === undefined
        ? `msp describe ${profile} lists what this client may call`
        : `did you mean ${meant}?`,
    },
  );
}

function asText(info: FunctionInfo, strong: (text: string) => string): string {
  const { name, title, description, inputSchema, annotations } = info;
  const members = membersOf(inputSchema).map((member) => {
    const about = member.description === undefined ? "" : `  ${oneLine(member.description)}`;
    return `${oneLine(member.name)}${member.isRequired ? "" : "?"}: ${
      oneLine(typeText(member))
    }${about}`;
  });
  const hints = Object.entries(annotations ?? {}).filter(([, is]) => is === true)
    .map(([hint]) => hint.replace(/Hint$/, ""));
  const lines = [
    ...(description ?? "").split("\n").filter((line) => line.trim() !== ""),
    ...members,
    ...hints.length === 0 ? [] : [`(${hints.join(", ")})`],
  ];
  const head = title === undefined
    ? strong(oneLine(name))
    : `${strong(oneLine(name))}: ${oneLine(title)}`;
  return `${head}\n${lines.map((line) => `  ${harmless(line)}\n`).join("")}`;
}

/** The type of an argument; of a number, also what TypeScript has no types for. */
function typeText({ schema }: Member): string {
  const text = typeOf(schema);
  if (text !== "number") return text;
  const { type, minimum, maximum } = schema as Record<string, unknown>;
  const kind = type === "integer" ? "integer" : text;
  const [from, to] = [minimum, maximum].map((limit) => typeof limit === "number" ? limit : "");
  if (from !== "" && to !== "") return `${kind}, ${from} to ${to}`;
  if (from !== "") return `${kind}, at least ${from}`;
  return to === "" ? kind : `${kind}, at most ${to}`;
}
