/**
 * @module
 * Another revision of the server, in a folder of its own.
 */
import { repositoryPath } from "../tasks/root.ts";
import { join } from "node:path";
import { sourceLine } from "./subject.ts";
import { ToolError } from "./tool.ts";

/** A revision that can be started. */
export interface Revision {
  /** Short hash of its commit. */
  readonly name: string;
  /** Its command line, with the permissions of its own deno.json. */
  readonly line: readonly string[];
}

/**
 * Puts the files of a revision into a folder, and fetches its dependencies so that its first start does
 * not. The repository does not change.
 *
 * @throws {ToolError} when git does not know it, or its dependencies cannot be had.
 */
export async function checkOut(revision: string, folder: string): Promise<Revision> {
  const commit = await run(
    repositoryPath(),
    "git",
    "rev-parse",
    "--verify",
    `${revision}^{commit}`,
  );
  await Deno.mkdir(folder);
  await run(
    repositoryPath(),
    "sh",
    "-c",
    'git archive "$1" | tar -x -C "$2"',
    "sh",
    commit,
    folder,
  );
  await run(folder, Deno.execPath(), "cache", "main.ts");
  const line = sourceLine(join(folder, "main.ts"), await flagsOf(folder));
  return { name: commit.slice(0, 7), line };
}

/** The permissions in the `msp` task of its deno.json, which every revision has. */
async function flagsOf(folder: string): Promise<string[]> {
  const config = JSON.parse(await Deno.readTextFile(join(folder, "deno.json")));
  const command: string = config.tasks.msp;
  return command.split(" ").filter((word) => word.startsWith("--"));
}

async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd }).output();
  if (success) return new TextDecoder().decode(stdout).trim();
  const state = new TextDecoder().decode(stderr).trim();
  throw new ToolError(`cannot check out the revision: ${program} ${args[0]}: ${state}`);
}
