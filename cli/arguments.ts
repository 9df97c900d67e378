/**
 * @module
 * Takes the arguments of a command apart, by the command's table of flags.
 */
import { parseArgs } from "node:util";
import { UsageError } from "../lib/errors.ts";
import type { CommandTexts, FlagTable, FlagValues, Given } from "./command.ts";
import { usageLine } from "./help.ts";
import { suggestion } from "../lib/suggest.ts";

/**
 * Takes arguments apart.
 *
 * @returns "help" when help was asked for.
 * @throws {UsageError} for an unknown flag, a missing value, or a wrong number of arguments.
 */
export function parseArguments<F extends FlagTable>(
  texts: CommandTexts & { readonly flags: F },
  args: readonly string[],
): Given<F> | "help" {
  const { flags } = texts;
  const tokens = tokensOf(flags, args);
  if (tokens.some((token) => token.kind === "option" && HELP.has(token.rawName))) return "help";
  const values = Object.fromEntries(
    Object.entries(flags).map((
      [name, { value }],
    ) => [name, value === undefined ? false : undefined]),
  ) as Record<string, string | boolean | undefined>;
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    else if (token.kind === "option") values[token.name] = valueOf(texts, token);
  }
  checkCount(texts, positionals);
  // The one place where the table becomes its type.
  return { flags: values as FlagValues<F>, args: positionals };
}

const HELP: ReadonlySet<string> = new Set(["--help", "-h"]);

type Token = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number];
type FlagToken = Extract<Token, { kind: "option" }>;

function tokensOf(flags: FlagTable, args: readonly string[]): Token[] {
  const options = Object.fromEntries(
    Object.entries(flags).map((
      [name, { value }],
    ) => [name, { type: value === undefined ? "boolean" : "string" } as const]),
  );
  // Not strict: its messages are written by others.
  const config = { options, strict: false, allowPositionals: true, tokens: true } as const;
  return parseArgs({ args: [...args], ...config }).tokens;
}

/** The value of a flag; `true` where it takes none. */
function valueOf(texts: CommandTexts, token: FlagToken): string | true {
  const { name, rawName, value } = token;
  const spec = Object.hasOwn(texts.flags, name) && rawName.startsWith("--")
    ? texts.flags[name]
    : undefined;
  if (spec === undefined) throw unknownFlag(texts, rawName);
  if (spec.value === undefined) {
    if (value === undefined) return true;
    throw wrongUsage(texts, `${rawName} takes no value`);
  }
  if (value === undefined) throw wrongUsage(texts, `${rawName} needs a value: ${spec.value}`);
  const isFlag = !token.inlineValue && /^-./.test(value);
  if (!isFlag) return value;
  throw wrongUsage(texts, `${rawName} needs a value: ${spec.value}`, {
    hint: `a value that begins with - is written ${rawName}=${value}`,
  });
}

function checkCount(texts: CommandTexts, positionals: readonly string[]): void {
  const needed = texts.args.filter((name) => !name.startsWith("["));
  const missing = needed[positionals.length];
  if (missing !== undefined) throw wrongUsage(texts, `${missing} is missing`);
  if (texts.args.at(-1)?.endsWith("...]")) return;
  const surplus = positionals[texts.args.length];
  if (surplus === undefined) return;
  throw wrongUsage(texts, `unexpected argument ${JSON.stringify(surplus.slice(0, 80))}`);
}

function unknownFlag(texts: CommandTexts, rawName: string): UsageError {
  const known = [...Object.keys(texts.flags), "help"].map((name) => `--${name}`);
  const meant = suggestion(rawName, known);
  const state = `unknown option ${rawName}`;
  if (meant === undefined) return wrongUsage(texts, state);
  return wrongUsage(texts, state, { hint: `did you mean ${meant}?` });
}

/** An error for a command line that cannot be used, with the usage where there is no better hint. */
export function wrongUsage(
  texts: CommandTexts,
  state: string,
  { hint = `usage: ${usageLine(texts)}; see msp help ${texts.name}` }: { hint?: string } = {},
): UsageError {
  return new UsageError(`Cannot run ${texts.name}: ${state}`, { hint });
}
