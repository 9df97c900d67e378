/**
 * @module
 * Makes a command of its texts, its flags and its action. Parsing and help come from the tables.
 */
import { parseArguments } from "./arguments.ts";
import type { Command, CommandTexts, FlagTable, Given, Io } from "./command.ts";
import { commandHelp } from "./help.ts";

/** What makes a command: its texts, and what it does. */
export interface CommandSpec<F extends FlagTable> extends CommandTexts {
  readonly flags: F;
  /** @returns the exit status. */
  run(given: Given<F>, io: Io): Promise<number>;
}

/** Makes a command. */
export function defineCommand<const F extends FlagTable>(spec: CommandSpec<F>): Command {
  return {
    ...spec,
    async run(args, io): Promise<number> {
      const given = parseArguments(spec, args);
      if (given !== "help") return await spec.run(given, io);
      io.out(commandHelp(spec, io.style));
      return 0;
    },
  };
}
