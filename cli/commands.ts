/**
 * @module
 * The table of subcommands, and help made from it.
 */
import { UsageError } from "../lib/errors.ts";
import { appendclient } from "./appendclient.ts";
import { call } from "./call.ts";
import { type Command, parseArguments } from "./command.ts";
import { doctor } from "./doctor.ts";
import { functions } from "./functions.ts";
import { health } from "./health.ts";
import { keygen } from "./keygen.ts";
import { listclients } from "./listclients.ts";
import { migrateSecretsCommand } from "./migrate_secrets.ts";
import { purgeclients } from "./purgeclients.ts";
import { removeclient } from "./removeclient.ts";
import { rotateSecretsCommand } from "./rotate_secrets.ts";
import { rotateServerKeyCommand } from "./rotate_server_key.ts";
import { serve } from "./serve.ts";

const help: Command = {
  name: "help",
  usage: "help [COMMAND]",
  summary: "explain the program or a command",
  details: "Also: msp COMMAND --help, msp COMMAND -h",
  example: "msp help appendclient",
  run(args, io): Promise<number> {
    const [name] = args;
    if (name === undefined) io.out(programHelp());
    else {
      parseArguments(help, args, { options: {}, positionals: ["COMMAND"] });
      io.out(commandHelp(findCommand(name)));
    }
    return Promise.resolve(0);
  },
};

/** Every subcommand, in the order of the help text. */
export const COMMANDS: readonly Command[] = [
  serve,
  keygen,
  appendclient,
  listclients,
  removeclient,
  purgeclients,
  rotateSecretsCommand,
  migrateSecretsCommand,
  rotateServerKeyCommand,
  call,
  functions,
  doctor,
  health,
  help,
];

/**
 * The subcommand of a name.
 *
 * @throws {UsageError} when there is none.
 */
export function findCommand(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  throw new UsageError(`Cannot run ${JSON.stringify(name)}: there is no such command`, {
    hint: `the commands are ${COMMANDS.map((each) => each.name).join(", ")}; see msp help`,
  });
}

/** Help for one command. */
export function commandHelp(command: Command): string {
  return `${command.name}: ${command.summary}

Usage: msp ${command.usage}

${command.details}

Example:
  ${command.example}
`;
}

/** Help for the program. */
export function programHelp(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length)) + 2;
  const list = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`).join("\n");
  return `Mini Share Point: registered clients call functions on this server, every value sealed with NaCl box.

Usage: msp [COMMAND] [OPTIONS]

${list}

  msp --version prints the version; msp help COMMAND explains a command.

Example:
  msp keygen pair client
`;
}
