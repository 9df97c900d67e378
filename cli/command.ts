/**
 * @module
 * What a command is: a name, a table of flags, and what it does. It calls one thing in lib/ and prints; it
 * neither reads `Deno.args` nor exits.
 */
import type { EarlyStage } from "../lib/functions/wall/head_start.ts";
import type { Style } from "./style.ts";

/** The program's way to the outside. */
export interface Io {
  /**
   * Writes a text to standard output as it is; on a terminal, without what would control it.
   *
   * @throws {OutputError} when it cannot be written.
   */
  readonly out: (text: string) => void;
  /**
   * Writes what is shown only once.
   *
   * @throws {OutputError} when it cannot be written, or would be lost.
   */
  readonly outOnce: (text: string) => void;
  /** Writes a line for people to standard error. */
  readonly note: (text: string) => void;
  /** How to mark words on standard output. */
  readonly style: Style;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  /** All of standard input, at most this many bytes; `undefined` when it has more. */
  readonly readInput: (maxBytes: number) => Promise<Uint8Array | undefined>;
  /** Variables of the environment whose names begin with MSP_. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks on the terminal; `undefined` when there is none. */
  readonly ask: (question: string) => string | undefined;
  /** Resolves at the first signal that asks the program to stop. */
  readonly terminated: () => Promise<void>;
  /** Calls back whenever a signal asks for a reload. */
  readonly onReload: (action: () => void) => void;
  /** What was started for functions before the command was loaded; for serve. */
  readonly early?: EarlyStage | undefined;
}

/** A flag: an option of the command line, `--name` or `--name VALUE`. */
export interface FlagSpec {
  /** Placeholder of its value; without, the flag takes none. */
  readonly value?: string;
  /** Begins with a verb, or is a noun phrase for a value. */
  readonly meaning: string;
}

/** Flags by their names. */
export type FlagTable = Readonly<Record<string, FlagSpec>>;

/** Values of flags, by name. */
export type FlagValues<F extends FlagTable> = {
  readonly [K in keyof F]: F[K] extends { readonly value: string } ? string | undefined : boolean;
};

/** What a command line gives to a command. */
export interface Given<F extends FlagTable> {
  readonly flags: FlagValues<F>;
  /** As many as the command has names for; those that may be left out can be missing. */
  readonly args: readonly string[];
}

/** What help says about a command. */
export interface CommandTexts {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Names of the arguments; `[NAME]` may be left out, the last may be any number as `[NAME...]`. */
  readonly args: readonly string[];
  readonly flags: FlagTable;
  /** Paragraphs. Lines are broken where help is printed. */
  readonly description: string;
  /** A command line that works as it stands. */
  readonly example: string;
}

/** A command. */
export interface Command extends CommandTexts {
  /**
   * Runs it, or prints its help.
   *
   * @returns the exit status.
   * @throws {UsageError} when the command line cannot be used.
   */
  readonly run: (args: readonly string[], io: Io) => Promise<number>;
}
