/**
 * @module
 * `msp types`: the functions of a server as TypeScript types.
 */
import { resolve } from "node:path";
import type { FunctionInfo } from "../client/connection.ts";
import { OutputError, reasonOf } from "../lib/errors.ts";
import { Client, CLIENT_FLAGS } from "./client.ts";
import type { CommandTexts } from "./command.ts";
import { defineCommand } from "./define.ts";
import { comment, key, typeOf } from "./schema_types.ts";

const TEXTS = {
  name: "types",
  summary: "write the functions of a server as TypeScript types",
  args: ["[PROFILE]"],
  flags: {
    output: { value: "FILE", meaning: "write to a file, replacing it (default: standard output)" },
    ...CLIENT_FLAGS,
  },
  description:
    `The file is for programs that use the client library: const home: Client = await connect(…) checks ` +
    `names and arguments of calls. Parts of a JSON Schema that have no type are unknown.`,
  example: "msp types home --output home.d.ts",
} as const satisfies CommandTexts;

/** The command. */
export const types = defineCommand({
  ...TEXTS,
  async run({ flags, args: [named] }, io): Promise<number> {
    using client = await Client.open(TEXTS, { flags, named }, io);
    const text = declarations(client.name, await client.functions());
    if (flags.output === undefined) io.out(text);
    else {
      const path = resolve(flags.output);
      await Deno.writeTextFile(path, text).catch((error) => {
        throw new OutputError(`Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
      });
      io.note(`wrote ${path}`);
    }
    return 0;
  },
});

/** A `.d.ts` for some functions. */
export function declarations(profile: string, functions: readonly FunctionInfo[]): string {
  const members = functions.map(({ name, title, description, inputSchema }) => {
    const about = [title, description].filter((each) => each !== undefined).join("\n");
    return `${comment(about, "  ")}  ${key(name)}: ${paramsType(inputSchema)};\n`;
  });
  return `// Functions that the profile ${profile} may call; written by msp types.
import type { CallOptions, Connection } from "mini-share-point";

/** Arguments of each function. */
export interface Functions {
${members.join("")}}

/** Arguments, which may be left out where none is required. */
export type Arguments<Params> = Partial<Params> extends Params
  ? [params?: Params | undefined, options?: CallOptions]
  : [params: Params, options?: CallOptions];

/** A connection that knows these functions: \`const home: Client = await connect(profile)\`. */
export interface Client extends Omit<Connection, "call"> {
  call<Name extends keyof Functions>(
    name: Name,
    ...args: Arguments<Functions[Name]>
  ): Promise<unknown>;
}
`;
}

/** Arguments are an object, whatever else a schema says. */
function paramsType(schema: unknown): string {
  const type = typeOf(schema, "  ");
  return /^(?:\{|Record<)/.test(type) ? type : "Record<string, unknown>";
}
