/**
 * @module
 * Picks the command; without one the server starts. Alone in the program it touches `Deno.args` and
 * `Deno.exit`, and turns errors into messages and exit statuses.
 */
import type { Io } from "./cli/command.ts";
import { readEnvironment } from "./cli/environment.ts";
import { reportError, writeNote, writeResult } from "./cli/report.ts";
import { ignoreSignals } from "./cli/signals.ts";
import { styleOf } from "./cli/style.ts";
import { HIDDEN_COMMANDS, runHidden } from "./host.ts";
import { UsageError } from "./lib/errors.ts";

const IS_WINDOWS = Deno.build.os === "windows";
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

async function run(args: readonly string[]): Promise<number> {
  // A function host needs neither the commands nor the libraries that come with them.
  if (isHidden(args[0])) return await runHidden(args);
  // Deno has put a replacement character in the place of each byte that is not UTF-8.
  if (args.some((arg) => arg.includes("\ufffd"))) {
    throw new UsageError("Cannot run msp: an argument is not UTF-8 text");
  }
  const { chooseCommand } = await import("./cli/commands.ts");
  const { command, args: commandArgs } = chooseCommand(args);
  const io: Io = {
    out: writeResult,
    note: writeNote,
    style: styleOf(Deno.stdout),
    env: readEnvironment(),
    ask: (question) => Deno.stdin.isTerminal() ? prompt(question) ?? "" : undefined,
    terminated,
    onReload(action): void {
      onHangup = action;
      if (hasHungUp) action();
    },
  };
  return await command.run(commandArgs, io);
}

if (import.meta.main) {
  // FFI is for stage 1 of a function host alone; that one gives it up itself where it is not needed.
  if (!isHidden(Deno.args[0])) Deno.permissions.revokeSync({ name: "ffi" });
  takeSignals(Deno.args[0]);
  Deno.exit(await run(Deno.args).catch(reportError));
}
