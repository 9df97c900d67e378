/**
 * @module
 * Writes the parts of docs/ that tables of the program give: docs/commands.md, docs/configuration.md,
 * the options of functions in docs/modules.md, and the refusals in docs/operations.md. `--check` only tells whether they are up to date.
 */
import { runTool, type Tool, ToolError } from "../bench/tool.ts";
import { loadCommands } from "../cli/commands.ts";
import { commandHelp, programHelp } from "../cli/help.ts";
import { ENVIRONMENT } from "../cli/environment.ts";
import type { Kind } from "../lib/config/kinds.ts";
import { FUNCTION_OPTIONS } from "../lib/config/modules.ts";
import { allOptions } from "../lib/config/options.ts";
import { REFUSALS } from "../lib/refusals.ts";

const ROOT = new URL("../", import.meta.url);
const COMMANDS = await loadCommands();

/** An option of config.ini or modules.ini. */
interface Option {
  readonly name: string;
  readonly shownFallback: string;
  readonly kind: Kind<unknown>;
  readonly meaning: string;
}

function commandsPage(): string {
  return [
    "# Commands\n\n`deno task docs` writes this page from the help texts.\n",
    "The exit status is 0 when the command did its work, 1 when it failed, 2 for wrong usage. An error is\n" +
    "one line on standard error, with a hint where there is a remedy.\n",
    `\`\`\`text\n${programHelp(COMMANDS)}\`\`\`\n`,
    ...COMMANDS.map((each) => `## ${each.name}\n\n\`\`\`text\n${commandHelp(each)}\`\`\`\n`),
  ].join("\n");
}

function configurationPage(): string {
  const specs = allOptions().map((spec) => ({ ...spec, shownFallback: `\`${spec.fallback}\`` }));
  const sections = [...new Set(specs.map(({ section }) => section))].map((section) =>
    `## [${section}]\n\n${optionsTable(specs.filter((spec) => spec.section === section))}`
  );
  const variables = ENVIRONMENT.map(({ name, fallback, meaning }) => [name, fallback, meaning]);
  return `# Configuration

\`deno task docs\` writes this page from the tables that the program reads with.

## config.ini

The server reads \`config/config.ini\` at the start (\`--config\` or \`MSP_CONFIG_PATH\` name another
file). The first start creates it. The form:

- A line is \`[Section]\`, \`Name=value\`, or a comment that starts with \`#\` or \`;\`.
- Names of sections and options are case-insensitive.
- Relative paths start at the working folder. Nothing replaces \`~\` or \`$NAME\`: they are refused.
- A wrong value stops the start; the error says what is expected. An unknown option is a warning.
- When a limit is reached, a log line says so.

${sections.join("\n")}
## modules.ini

\`config/modules.ini\` (\`--modules-config\` or \`MSP_MODCONF_PATH\`) names the functions. The server
reloads it within a second of a change. [modules.md](modules.md#what-a-function-may-touch) lists the
options of a function's section.

## Environment

A flag overrides the environment, the environment overrides config.ini, and config.ini overrides the
default.

${table(["variable", "default", "meaning"], variables)}`;
}

function optionsTable(options: readonly Option[]): string {
  return table(
    ["option", "default", "unit", "values", "meaning"],
    options.map(({ name, shownFallback, kind, meaning }) => [
      name,
      shownFallback,
      kind.unit ?? "",
      kind.values ?? kind.expected,
      meaning,
    ]),
  );
}

/** A table as `deno fmt` aligns it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length))
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |\n`;
  return line(head) + line(widths.map((width) => "-".repeat(width))) + rows.map(line).join("");
}

const MARKED_TABLE = /(<!-- table: written by deno task docs -->\n)[\s\S]*?(<!-- end -->)/;

/** A page of docs/ with its marked table replaced. */
async function pageWith(name: string, rows: string): Promise<string> {
  const text = await Deno.readTextFile(new URL(`docs/${name}`, ROOT));
  if (!MARKED_TABLE.test(text)) throw new Error(`docs/${name} has no marked table`);
  return text.replace(MARKED_TABLE, (_, start, end) => `${start}\n${rows}\n${end}`);
}

const PAGES = {
  "commands.md": commandsPage(),
  "configuration.md": configurationPage(),
  "modules.md": await pageWith("modules.md", optionsTable(Object.values(FUNCTION_OPTIONS))),
  "operations.md": await pageWith(
    "operations.md",
    table(
      ["`reason`", "text in the log"],
      Object.entries(REFUSALS).map(([code, text]) => [`\`${code}\``, text]),
    ),
  ),
};

const TOOL = {
  name: "docs",
  about: "Writes the generated pages and tables of docs/ from the program's own tables.",
  options: { check: { meaning: "only tell whether they are up to date" } },
} satisfies Tool<string>;

await runTool(TOOL, async ({ values: { check } }) => {
  for (const [name, text] of Object.entries(PAGES)) {
    const target = new URL(`docs/${name}`, ROOT);
    if (check === undefined) await Deno.writeTextFile(target, text);
    else if (await Deno.readTextFile(target).catch(() => "") !== text) {
      throw new ToolError(`docs/${name} is out of date`, { hint: "deno task docs" });
    }
  }
});
