/**
 * @module
 * The table of commands.
 */
import { UsageError } from "../lib/errors.ts";
import { builtCommit, VERSION } from "../lib/version.ts";
import type { Command } from "./command.ts";
import { defineCommand } from "./define.ts";
import { commandHelp, programHelp } from "./help.ts";
import { suggestion } from "../lib/suggest.ts";

const help = defineCommand({
  name: "help",
  summary: "explain the program or a command",
  args: ["[COMMAND]"],
  flags: {},
  description: "Also: msp COMMAND --help, msp COMMAND -h",
  example: "msp help appendclient",
  async run({ args: [name] }, io): Promise<number> {
    io.out(
      name === undefined
        ? programHelp(await loadCommands(), io.style)
        : commandHelp(await loadCommand(name), io.style),
    );
    return 0;
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

/**
 * Every command, in the order of the help text. Each is loaded when it is wanted: with all of them, the
 * program takes half as long again to start.
 */
const LOADERS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./serve.ts")).serve,
  keygen: async () => (await import("./keygen.ts")).keygen,
  invite: async () => (await import("./invite.ts")).invite,
  invites: async () => (await import("./invites.ts")).invites,
  join: async () => (await import("./join.ts")).join,
  appendclient: async () => (await import("./appendclient.ts")).appendclient,
  listclients: async () => (await import("./listclients.ts")).listclients,
  client: async () => (await import("./client_command.ts")).client,
  removeclient: async () => (await import("./removeclient.ts")).removeclient,
  purgeclients: async () => (await import("./purgeclients.ts")).purgeclients,
  "rotate-secrets": async () => (await import("./rotate_secrets.ts")).rotateSecretsCommand,
  "migrate-secrets": async () => (await import("./migrate_secrets.ts")).migrateSecretsCommand,
  "rotate-server-key": async () => (await import("./rotate_server_key.ts")).rotateServerKeyCommand,
  profile: async () => (await import("./profile.ts")).profile,
  call: async () => (await import("./call.ts")).call,
  describe: async () => (await import("./describe.ts")).describe,
  types: async () => (await import("./types.ts")).types,
  mcp: async () => (await import("./mcp.ts")).mcp,
  functions: async () => (await import("./functions.ts")).functions,
  doctor: async () => (await import("./doctor.ts")).doctor,
  health: async () => (await import("./health.ts")).health,
  version: () => Promise.resolve(version),
  help: () => Promise.resolve(help),
};

/** Names of all commands, in the order of the help text. */
export const COMMAND_NAMES: readonly string[] = Object.keys(LOADERS);

/** Every command, in the order of the help text. */
export async function loadCommands(): Promise<readonly Command[]> {
  return await Promise.all(Object.values(LOADERS).map((load) => load()));
}

/** What stands for a command. */
const ALIASES: Readonly<Record<string, string>> = {
  "--version": "version",
  "-V": "version",
  "-v": "version",
  "--help": "help",
  "-h": "help",
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
export async function chooseCommand(args: readonly string[]): Promise<Chosen> {
  const [first, ...rest] = args;
  if (first === undefined) return { command: await loadCommand("serve"), args };
  const alias = Object.hasOwn(ALIASES, first) ? ALIASES[first] : undefined;
  if (alias !== undefined) return { command: await loadCommand(alias), args: rest };
  if (!first.startsWith("-")) return { command: await loadCommand(first), args: rest };
  const [name = ""] = first.split("=", 1);
  const serve = await loadCommand("serve");
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
export async function loadCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(LOADERS, name) ? LOADERS[name] : undefined;
  if (load !== undefined) return await load();
  const meant = suggestion(name.trim(), COMMAND_NAMES);
  throw new UsageError(
    `Cannot run ${JSON.stringify(name.slice(0, 80))}: there is no such command`,
    {
      hint: meant === undefined
        ? "msp help lists the commands"
        : `did you mean msp ${meant}? msp help lists the commands`,
    },
  );
}
