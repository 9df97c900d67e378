/**
 * @module
 * What a subcommand is. It parses its arguments, calls one thing in lib/, prints; it neither reads
 * `Deno.args` nor exits.
 */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError } from "../lib/errors.ts";

/** The program's way to the outside. */
export interface Io {
  /** Writes a text to standard output as it is. */
  readonly out: (text: string) => void;
  /** Variables of the environment whose names begin with MSP_. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks on the terminal; `undefined` when there is none. */
  readonly ask: (question: string) => string | undefined;
  /** Resolves at the first signal that asks the program to end. */
  readonly terminated: () => Promise<void>;
  /** Calls back whenever a signal asks for a look at what changed. */
  readonly onReload: (action: () => void) => void;
}

/** A subcommand. */
export interface Command {
  readonly name: string;
  /** Arguments and options as one line, without the program's name. */
  readonly usage: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Options with what they mean, and whatever else help should say. */
  readonly details: string;
  /** A command line that works as it stands. */
  readonly example: string;
  /** @returns the exit code. */
  readonly run: (args: readonly string[], io: Io) => Promise<number>;
}

/** The form of a command's options. */
export type OptionForms = Record<string, { type: "string" | "boolean" }>;

/** Options by name; a flag is `true`. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

/** The arguments of a command, taken apart. */
export interface ParsedArguments {
  readonly values: OptionValues;
  readonly positionals: readonly string[];
}

/**
 * Takes arguments apart.
 *
 * @throws {UsageError} for an unknown option, a missing value, or a wrong number of arguments.
 */
export function parseArguments(
  command: { name: string; usage: string },
  args: readonly string[],
  expected: {
    options: OptionForms;
    positionals: readonly string[];
    /** Positionals after those, which may be left out. */
    optional?: readonly string[];
  },
): ParsedArguments {
  const fail = (state: string): never => {
    throw new UsageError(`Cannot run ${command.name}: ${state}`, {
      hint: `usage: msp ${command.usage}`,
    });
  };
  const config: ParseArgsConfig = {
    args: [...args],
    options: expected.options,
    allowPositionals: true,
    strict: true,
  };
  let parsed: { values: OptionValues; positionals: string[] };
  try {
    parsed = parseArgs(config) as typeof parsed;
  } catch (error) {
    return fail(error instanceof Error ? firstSentence(error.message) : String(error));
  }
  const missing = expected.positionals[parsed.positionals.length];
  if (missing !== undefined) return fail(`${missing} is missing`);
  const most = expected.positionals.length + (expected.optional?.length ?? 0);
  const surplus = parsed.positionals[most];
  if (surplus !== undefined) return fail(`unexpected argument ${JSON.stringify(surplus)}`);
  return parsed;
}

/** The text of an option, or `undefined` when it was not given. */
export function textOption(values: OptionValues, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

function firstSentence(message: string): string {
  const [sentence = message] = message.split(/[.\n] ?/, 1);
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
