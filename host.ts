/**
 * @module
 * What the server starts for itself: stage 1 of a function host, the host, and the registration of a
 * client. From the sources this file is the entry, since `deno run` loads everything that an entry can
 * import. The executable has one entry, main.ts, which hands over to here.
 */
import { reportError, writeAll } from "./cli/report.ts";
import { ignoreSignals } from "./cli/signals.ts";
import { UsageError } from "./lib/errors.ts";
import { HOST_COMMAND, REGISTER_COMMAND, STAGE_COMMAND } from "./lib/functions/entry.ts";

/** Commands that only the server runs. */
export const HIDDEN_COMMANDS: readonly string[] = [HOST_COMMAND, STAGE_COMMAND, REGISTER_COMMAND];

/**
 * Runs a hidden command.
 *
 * @returns the exit code.
 * @throws {UsageError} when it was not the server that started it.
 */
export async function runHidden([command]: readonly string[]): Promise<number> {
  // FFI is for stage 1 alone.
  if (command !== STAGE_COMMAND) Deno.permissions.revokeSync({ name: "ffi" });
  if (command === HOST_COMMAND) {
    // It exits when its input ends. A signal to the whole process group is for the server, which waits
    // for the calls in flight.
    ignoreSignals("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2");
    const { runFunctionHost } = await import("./lib/functions/host/main.ts");
    if (await runFunctionHost() === 0) return 0;
  } else if (command === REGISTER_COMMAND) {
    // It is done in a moment, and half of it would be done again.
    ignoreSignals("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2");
    const { runRegistration } = await import("./lib/registration_process.ts");
    const answer = await runRegistration(Deno.stdin.readable);
    if (answer !== undefined) {
      writeAll(Deno.stdout, answer);
      return 0;
    }
  } else {
    const { runStage } = await import("./lib/functions/wall/stage.ts");
    const check = runStage();
    if (check !== undefined) {
      writeAll(Deno.stdout, `${JSON.stringify(check)}\n`);
      return 0;
    }
  }
  throw new UsageError(`Cannot run ${command}: only the server starts it, for itself`);
}

// Which `exit` is called is settled before functions run, which put another in its place.
if (import.meta.main) Deno.exit(await runHidden(Deno.args).catch(reportError));
