/**
 * @module
 * Picks the subcommand; without one the server starts. Alone in the program it touches `Deno.args`
 * and `Deno.exit`, and turns errors into messages and exit codes.
 */
import type { Io } from "./cli/command.ts";
import { ENVIRONMENT } from "./cli/environment.ts";
import { reportError, writeAll } from "./cli/report.ts";
import { ignoreSignals } from "./cli/signals.ts";
import { HIDDEN_COMMANDS, runHidden } from "./host.ts";
import { builtCommit, VERSION } from "./lib/version.ts";

const io: Io = {
  out: (text) => writeAll(Deno.stdout, text),
  env: isHidden(Deno.args[0])
    ? {}
    : Object.fromEntries(ENVIRONMENT.map(({ name }) => [name, Deno.env.get(name) || undefined])),
  ask: (question) => Deno.stdin.isTerminal() ? prompt(question) ?? "" : undefined,
  terminated,
  onReload(action): void {
    onHangup = action;
    if (hasHungUp) action();
  },
};

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
  const [first, ...rest] = args;
  // A function host needs neither the commands nor the libraries that come with them.
  if (isHidden(first)) return await runHidden(args);
  const { commandHelp, findCommand, programHelp } = await import("./cli/commands.ts");
  if (first === "--version" || first === "-V") {
    const commit = builtCommit();
    const parts = [
      ...commit === undefined ? [] : [`commit ${commit}`],
      `Deno ${Deno.version.deno}`,
      Deno.build.target,
    ];
    io.out(`msp ${VERSION} (Mini Share Point; ${parts.join(", ")})\n`);
    return 0;
  }
  if (first === "--help" || first === "-h") {
    io.out(programHelp());
    return 0;
  }
  const isUnnamed = first === undefined || first.startsWith("-");
  const command = findCommand(isUnnamed ? "serve" : first);
  const commandArgs = isUnnamed ? args : rest;
  if (commandArgs.includes("--help") || commandArgs.includes("-h")) {
    io.out(commandHelp(command));
    return 0;
  }
  return await command.run(commandArgs, io);
}

if (import.meta.main) {
  // FFI is for stage 1 of a function host alone; that one gives it up itself where it is not needed.
  if (!isHidden(Deno.args[0])) Deno.permissions.revokeSync({ name: "ffi" });
  takeSignals(Deno.args[0]);
  Deno.exit(await run(Deno.args).catch(reportError));
}
