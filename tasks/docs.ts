/**
 * @module
 * Writes docs/commands.md from the table of subcommands and docs/configuration.md from the tables of
 * options. `--check` only tells whether they are up to date.
 */
import { commandHelp, COMMANDS } from "../cli/commands.ts";
import { FUNCTION_OPTIONS } from "../lib/config/modules.ts";
import { OPTIONS } from "../lib/config/options.ts";

function commandsPage(): string {
  return [
    "# Commands\n\nWritten by `deno task docs` from the program's help texts.\n",
    ...COMMANDS.map((each) => `## ${each.name}\n\n\`\`\`text\n${commandHelp(each)}\`\`\`\n`),
  ].join("\n");
}

function configurationPage(): string {
  const specs = Object.values(OPTIONS);
  const parts = [
    `# Configuration

Written by \`deno task docs\` from the tables that the program reads with.

\`config/config.ini\` (\`--config\`, MSP_CONFIG_PATH) is made by the first start and read at every
start. Names of sections and options, comments on lines of their own (\`#\` or \`;\`); the names of
options without regard to case. Paths are relative to the working folder. A wrong value stops the
start with one line that says what is expected; an unknown option is a warning. At each limit, a
line of the log says that it was reached.
`,
  ];
  for (const section of new Set(specs.map((spec) => spec.section))) {
    parts.push(`## [${section}]\n`);
    for (const spec of specs.filter((each) => each.section === section)) {
      parts.push(
        `**${spec.name}** — ${spec.kind.expected}; default \`${spec.fallback}\`\n\n${spec.meaning}\n`,
      );
    }
  }
  const names = Object.values(FUNCTION_OPTIONS).map(({ name }) => `\`${name}\``).join(", ");
  parts.push(
    `## modules.ini\n\nThe sections of functions (${names}) are in [modules.md](modules.md).\n`,
  );
  return parts.join("\n");
}

const PAGES = { "commands.md": commandsPage(), "configuration.md": configurationPage() };

for (const [name, text] of Object.entries(PAGES)) {
  const target = new URL(`../docs/${name}`, import.meta.url);
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(target, text);
  else if (await Deno.readTextFile(target).catch(() => "") !== text) {
    // deno-lint-ignore no-console -- a task, for developers
    console.error(`docs/${name} is out of date: run deno task docs`);
    Deno.exit(1);
  }
}
