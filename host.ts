/**
 * @module
 * What the server starts for itself: stage 1 of a function host, and the host. From the sources this
 * file is the entry, since `deno run` loads everything that an entry can import. The executable has
 * one entry, main.ts, which hands over to here.
 */
import { reportError, writeAll } from "./cli/report.ts";
import { ignoreSignals } from "./cli/signals.ts";
import { UsageError } from "./lib/errors.ts";
import { CHECK_ARGUMENT, HOST_COMMAND, STAGE_COMMAND } from "./lib/functions/entry.ts";

/** Commands that only the server runs. */
export const HIDDEN_COMMANDS: readonly string[] = [HOST_COMMAND, STAGE_COMMAND];

/**
 * Runs a hidden command.
 *
 * @returns the exit code.
 * @throws {UsageError} when it was not the server that started it.
 */
export async function runHidden([command, argument]: readonly string[]): Promise<number> {
  // FFI is for stage 1 alone.
  if (command !== STAGE_COMMAND) Deno.permissions.revokeSync({ name: "ffi" });
  if (command === HOST_COMMAND) {
    // It exits when its input ends. A signal to the whole process group is for the server, which waits
    // for the calls in flight.
    ignoreSignals("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2");
    const { runFunctionHost } = await import("./lib/functions/host/main.ts");
    if (await runFunctionHost() === 0) return 0;
  } else if (argument === CHECK_ARGUMENT) {
    const { checkWall } = await import("./lib/functions/wall/check.ts");
    writeAll(Deno.stdout, `${JSON.stringify(checkWall())}\n`);
    return 0;
  } else {
    const { runStage } = await import("./lib/functions/wall/stage.ts");
    runStage();
  }
  throw new UsageError(`Cannot run ${command}: only the server starts it, for itself`);
}

if (import.meta.main) Deno.exit(await runHidden(Deno.args).catch(reportError));
