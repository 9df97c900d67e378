/**
 * @module
 * The permissions of the program, from the one place where they stand: the `msp` task of deno.json.
 * Tests, demo, benchmarks and the executable run with the same.
 */

/** The flags of the `msp` task. */
export async function programFlags(): Promise<string[]> {
  const config = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  const command: string = config.tasks.msp;
  return command.split(" ").filter((word) => word.startsWith("--"));
}
