/**
 * @module
 * Writes docs/commands.md from the table of subcommands. `--check` only tells whether it is up to date.
 */
import { commandHelp, COMMANDS } from "../cli/commands.ts";

const TARGET = new URL("../docs/commands.md", import.meta.url);

const text = [
  "# Commands\n\nWritten by `deno task docs` from the program's help texts.\n",
  ...COMMANDS.map((command) => `## ${command.name}\n\n\`\`\`text\n${commandHelp(command)}\`\`\`\n`),
].join("\n");

if (Deno.args.includes("--check")) {
  if (await Deno.readTextFile(TARGET).catch(() => "") !== text) {
    // deno-lint-ignore no-console -- a task, for developers
    console.error("docs/commands.md is out of date: run deno task docs");
    Deno.exit(1);
  }
} else await Deno.writeTextFile(TARGET, text);
