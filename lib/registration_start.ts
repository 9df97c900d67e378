/**
 * @module
 * Starts the process that registers a client with an invite (registration_process.ts): this program, with
 * the right to write to the key store, which the server that asks has given up.
 */
import { fileURLToPath } from "node:url";
import { permissionFlag } from "./config/permissions.ts";
import type { StorePaths } from "./config/settings.ts";
import { hiddenArgs, PROGRAM, REGISTER_COMMAND } from "./functions/entry.ts";
import { startProcess } from "./functions/processes/process.ts";
import { stageEnv } from "./functions/wall/command.ts";
import {
  type RegistrationAnswer,
  type RegistrationRequest,
  storeFolders,
} from "./registration_process.ts";

/** A process waits up to 10 s for the lock of the store. */
const PROCESS_TIMEOUT_MS = 15_000;

/** Arguments of the process; an executable has its permissions built in. */
function processArgs(paths: StorePaths): string[] {
  const folders = storeFolders(paths);
  const program = fileURLToPath(new URL("../", import.meta.url));
  const flags = [
    permissionFlag("read", [program, ...folders]),
    permissionFlag("write", folders),
  ];
  return hiddenArgs(flags, REGISTER_COMMAND);
}

/**
 * Runs a process for a request.
 *
 * @param readEnv the value of a variable that the program may read
 * @returns what it answered, or how it ended
 */
export async function startRegistration(
  request: RegistrationRequest,
  readEnv: (variable: string) => string | undefined,
): Promise<RegistrationAnswer> {
  const process = startProcess({
    program: PROGRAM,
    args: processArgs(request.paths),
    env: stageEnv(readEnv),
  });
  const timer = setTimeout(() => {
    try {
      process.kill("SIGKILL");
    } catch {
      // It has exited.
    }
  }, PROCESS_TIMEOUT_MS);
  try {
    const output = process.output();
    const writer = process.stdin.getWriter();
    // It may have been killed; what it answered says so.
    await writer.write(new TextEncoder().encode(JSON.stringify(request))).then(() => writer.close())
      .catch(() => {});
    const { code, signal, stdout, stderr } = await output;
    const text = new TextDecoder().decode(stdout);
    if (code === 0) return JSON.parse(text);
    const [why = ""] = new TextDecoder().decode(stderr).split("\n", 1);
    const how = signal === null ? `exit code ${code}` : signal;
    return { status: "failed", message: `its process ended: ${how} ${why.slice(0, 200)}`.trim() };
  } finally {
    clearTimeout(timer);
  }
}
