/**
 * @module
 * Picks the subcommand; without one the server starts. Alone in the program it touches `Deno.args`
 * and `Deno.exit`, and turns errors into messages and exit codes.
 */
import type { Io } from "./cli/command.ts";
import { EXIT_CODES, MspError, UsageError } from "./lib/errors.ts";
import { HOST_COMMAND } from "./lib/functions/command.ts";
import { builtCommit, VERSION } from "./lib/version.ts";

const ENVIRONMENT = [
  "MSP_LOGLEVEL",
  "MSP_MAXLOGS",
  "MSP_CONFIG_PATH",
  "MSP_MODCONF_PATH",
  "MSP_LOGFILE_PATH",
];

const io: Io = {
  out: (text) => writeAll(Deno.stdout, text),
  env: Deno.args[0] === HOST_COMMAND
    ? {}
    : Object.fromEntries(ENVIRONMENT.map((name) => [name, Deno.env.get(name) || undefined])),
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
  // By default Deno opens its debugger on SIGUSR1 (2.9), or exits (2.4).
  if (command === HOST_COMMAND) {
    // A function process exits when its input ends. A signal to the whole process group is for the
    // server, which waits for the calls in flight.
    ignoreSignals("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2");
  } else if (isServe(command)) {
    ignoreSignals("SIGUSR1", "SIGUSR2");
    if (!IS_WINDOWS) Deno.addSignalListener("SIGHUP", () => onHangup());
  } else ignoreSignals("SIGUSR1");
}

function ignoreSignals(...signals: readonly Deno.Signal[]): void {
  const known = signals.filter((signal) => !IS_WINDOWS || signal === "SIGINT");
  for (const signal of known) Deno.addSignalListener(signal, () => {});
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
  if (first === HOST_COMMAND) return await runHost();
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

async function runHost(): Promise<number> {
  const { runFunctionHost } = await import("./lib/functions/host/main.ts");
  const code = await runFunctionHost();
  if (code === 0) return 0;
  throw new UsageError(`Cannot run ${HOST_COMMAND}: only the server starts it, for itself`);
}

function report(error: unknown): number {
  if (error instanceof MspError) {
    writeAll(Deno.stderr, `msp: error: ${error.message}\n`);
    if (error.hint !== undefined) writeAll(Deno.stderr, `msp: hint: ${error.hint}\n`);
    return EXIT_CODES[error.code];
  }
  if (error instanceof Deno.errors.BrokenPipe) return 1;
  // A fault of the program: its kind and message may help a report, its stack trace helps nobody here.
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  writeAll(Deno.stderr, `msp: error: Unexpected: ${text}\nmsp: hint: please report this\n`);
  return 1;
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
}

if (import.meta.main) {
  takeSignals(Deno.args[0]);
  Deno.exit(await run(Deno.args).catch(report));
}
