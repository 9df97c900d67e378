/**
 * @module
 * Picks the command; without one the server starts. Alone in the program it touches `Deno.args` and
 * `Deno.exit`, and turns errors into messages and exit statuses.
 */
import { CLIENT_COMMANDS } from "./cli/client_commands.ts";
import type { Io } from "./cli/command.ts";
import { readEnvironment } from "./cli/environment.ts";
import { reportError, writeNote, writeOnlyCopy, writeResult } from "./cli/report.ts";
import { ignoreSignals } from "./cli/signals.ts";
import { styleOf } from "./cli/style.ts";
import { HIDDEN_COMMANDS, runHidden } from "./host.ts";
import { giveUpClientPermissions } from "./lib/config/permissions.ts";
import { UsageError } from "./lib/errors.ts";
import { startEarly } from "./lib/functions/wall/head_start.ts";

const IS_WINDOWS = Deno.build.os === "windows";
/** Options that explain something, or name another user for functions. */
const NO_SERVER = /^(?:-[hvV]|--help|--version|--functions-user.*)$/;
/** A SIGHUP that comes before the server is ready is kept until then. */
let hasHungUp = false;
let onHangup = (): void => void (hasHungUp = true);

/** Takes the signals whose default action would end a program that is to go on. */
function takeSignals(command: string | undefined): void {
  if (isServe(command)) {
    ignoreSignals("SIGUSR1", "SIGUSR2");
    if (!IS_WINDOWS) Deno.addSignalListener("SIGHUP", () => onHangup());
  } else if (!isHidden(command)) ignoreSignals("SIGUSR1");
}

function isHidden(command: string | undefined): boolean {
  return command !== undefined && HIDDEN_COMMANDS.includes(command);
}

function isServe(command: string | undefined): boolean {
  return command === undefined || command === "serve" || command.startsWith("-");
}

/** Whether the server starts, and not as far as the command line tells with functions as another user. */
function startsServer(args: readonly string[], env: Io["env"]): boolean {
  return isServe(args[0]) && !args.some((arg) => NO_SERVER.test(arg)) && !env.MSP_FUNCTIONS_USER;
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the program at once. */
function terminated(): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false;
    const stop = (): void => {
      if (isStopping) Deno.exit(1);
      isStopping = true;
      resolve();
    };
    Deno.addSignalListener("SIGINT", stop);
    if (!IS_WINDOWS) Deno.addSignalListener("SIGTERM", stop);
  });
}

async function readInput(maxBytes: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of Deno.stdin.readable) {
    parts.push(part);
    if ((length += part.length) > maxBytes) return undefined;
  }
  return await new Blob(parts as BlobPart[]).bytes();
}

async function run(args: readonly string[]): Promise<number> {
  // A function host needs neither the commands nor the libraries that come with them.
  if (isHidden(args[0])) return await runHidden(args);
  // Deno has put a replacement character in the place of each byte that is not UTF-8.
  if (args.some((arg) => arg.includes("\ufffd"))) {
    throw new UsageError("Cannot run msp: an argument is not UTF-8 text");
  }
  const env = readEnvironment();
  const early = startsServer(args, env) ? startEarly() : undefined;
  const { chooseCommand } = await import("./cli/commands.ts");
  const { command, args: commandArgs } = await chooseCommand(args);
  const io: Io = {
    out: writeResult,
    outOnce: writeOnlyCopy,
    note: writeNote,
    style: styleOf(Deno.stdout),
    isTerminal: Deno.stdout.isTerminal(),
    readInput,
    env,
    ask: (question) => Deno.stdin.isTerminal() ? prompt(question) ?? "" : undefined,
    terminated,
    onReload(action): void {
      onHangup = action;
      if (hasHungUp) action();
    },
    early,
  };
  return await command.run(commandArgs, io);
}

/** Gives up what this command does not need. */
function givePermissionsUp(command: string | undefined): void {
  // FFI is for stage 1 of a function host alone; that one gives it up itself where it is not needed.
  if (!isHidden(command)) Deno.permissions.revokeSync({ name: "ffi" });
  // A client starts no program, and no other command needs the files of a client.
  if (CLIENT_COMMANDS.has(command ?? "")) Deno.permissions.revokeSync({ name: "run" });
  else giveUpClientPermissions();
}

if (import.meta.main) {
  givePermissionsUp(Deno.args[0]);
  takeSignals(Deno.args[0]);
  Deno.exit(await run(Deno.args).catch(reportError));
}
