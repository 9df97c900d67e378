/**
 * @module
 * The table of commands.
 */
import { UsageError } from "../lib/errors.ts";
import { builtCommit, VERSION } from "../lib/version.ts";
import { appendclient } from "./appendclient.ts";
import { call } from "./call.ts";
import type { Command } from "./command.ts";
import { defineCommand } from "./define.ts";
import { doctor } from "./doctor.ts";
import { functions } from "./functions.ts";
import { health } from "./health.ts";
import { commandHelp, programHelp } from "./help.ts";
import { keygen } from "./keygen.ts";
import { listclients } from "./listclients.ts";
import { migrateSecretsCommand } from "./migrate_secrets.ts";
import { purgeclients } from "./purgeclients.ts";
import { removeclient } from "./removeclient.ts";
import { rotateSecretsCommand } from "./rotate_secrets.ts";
import { rotateServerKeyCommand } from "./rotate_server_key.ts";
import { serve } from "./serve.ts";
import { suggestion } from "./suggest.ts";

const help = defineCommand({
  name: "help",
  summary: "explain the program or a command",
  args: ["[COMMAND]"],
  flags: {},
  description: "Also: msp COMMAND --help, msp COMMAND -h",
  example: "msp help appendclient",
  run({ args: [name] }, io): Promise<number> {
    io.out(
      name === undefined
        ? programHelp(COMMANDS, io.style)
        : commandHelp(findCommand(name), io.style),
    );
    return Promise.resolve(0);
  },
});

const version = defineCommand({
  name: "version",
  summary: "print the version",
  args: [],
  flags: {},
  description: "Also: msp --version, msp -V, msp -v",
  example: "msp version",
  run(_, io): Promise<number> {
    const commit = builtCommit();
    const parts = [
      ...commit === undefined ? [] : [`commit ${commit}`],
      `Deno ${Deno.version.deno}`,
      Deno.build.target,
    ];
    io.out(`msp ${VERSION} (Mini Share Point; ${parts.join(", ")})\n`);
    return Promise.resolve(0);
  },
});

/** Every command, in the order of the help text. */
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
  version,
  help,
];

/** What stands for a command. */
const ALIASES: Readonly<Record<string, Command>> = {
  "--version": version,
  "-V": version,
  "-v": version,
  "--help": help,
  "-h": help,
};

/** A command, with the arguments that are left for it. */
export interface Chosen {
  readonly command: Command;
  readonly args: readonly string[];
}

/**
 * The command of a command line; without one, the server starts.
 *
 * @throws {UsageError} when there is no such command, or an option before a command is not one of serve.
 */
export function chooseCommand(args: readonly string[]): Chosen {
  const [first, ...rest] = args;
  if (first === undefined) return { command: serve, args };
  const alias = Object.hasOwn(ALIASES, first) ? ALIASES[first] : undefined;
  if (alias !== undefined) return { command: alias, args: rest };
  if (!first.startsWith("-")) return { command: findCommand(first), args: rest };
  const [name = ""] = first.split("=", 1);
  const known = Object.keys(serve.flags).map((flag) => `--${flag}`);
  if (known.includes(name)) return { command: serve, args };
  const meant = suggestion(name, [...known, "--version", "--help"]);
  throw new UsageError(`Cannot run msp: unknown option ${name}`, {
    hint: meant === undefined
      ? "options follow a command; without one they are those of msp serve; see msp help"
      : `did you mean ${meant}?`,
  });
}

/**
 * The command of a name.
 *
 * @throws {UsageError} when there is none.
 */
export function findCommand(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const meant = suggestion(name.trim(), COMMANDS.map((each) => each.name));
  throw new UsageError(
    `Cannot run ${JSON.stringify(name.slice(0, 80))}: there is no such command`,
    {
      hint: meant === undefined
        ? "msp help lists the commands"
        : `did you mean msp ${meant}? msp help lists the commands`,
    },
  );
}
