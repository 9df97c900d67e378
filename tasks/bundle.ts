/**
 * @module
 * `deno bundle`, with the names and the lock of this project.
 */
import { repositoryPath } from "./root.ts";

/** What the program starts from; nothing else names workers that are started by name. */
export const ROOTS = ["main.ts", "lib/functions/host/worker.ts"] as const;

/**
 * Runs `deno bundle`.
 *
 * @returns what it printed: without `--outdir`, the code
 * @throws {Error} with what it complained about
 */
export async function runBundler(args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--config=deno.json", "--platform=deno", ...args],
    cwd: repositoryPath(),
    env: { NO_COLOR: "1" },
  }).output();
  const complaint = new TextDecoder().decode(stderr);
  if (!success) throw new Error(complaint.split("\n\nStack backtrace:")[0]);
  return new TextDecoder().decode(stdout);
}
