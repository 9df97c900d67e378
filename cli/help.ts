/**
 * @module
 * Help texts, from the tables of commands, within 80 columns.
 */
import { wrapped } from "../lib/prose.ts";
import type { CommandTexts, FlagTable } from "./command.ts";
import { PLAIN, type Style } from "./style.ts";

const WIDTH = 80;
/** Longer names get a line of their own. */
const MAX_NAME_WIDTH = 24;

/** Arguments of a command in one line. */
export function usageLine({ name, args }: CommandTexts): string {
  return ["msp", name, ...args, "[OPTIONS]"].join(" ");
}

/** Help for one command. */
export function commandHelp(texts: CommandTexts, style: Style = PLAIN): string {
  const { name, summary, description, flags, example } = texts;
  const paragraphs = description.split("\n\n").map((text) => wrapped(text, WIDTH).join("\n"));
  return `${style.strong(`msp ${name}`)}: ${summary}

${style.strong("Usage:")} ${usageLine(texts)}

${paragraphs.join("\n\n")}

${style.strong("Options:")}
${rows(flagRows(flags), style)}
${style.strong("Example:")}
  ${example}
`;
}

function flagRows(flags: FlagTable): [string, string][] {
  const own = Object.entries(flags).map((
    [name, { value, meaning }],
  ): [string, string] => [value === undefined ? `--${name}` : `--${name} ${value}`, meaning]);
  return [...own, ["-h, --help", "show this help"]];
}

/** Help for the program. */
export function programHelp(commands: readonly CommandTexts[], style: Style = PLAIN): string {
  const list = commands.map(({ name, summary }): [string, string] => [name, summary]);
  return `${style.strong("Mini Share Point")}: registered clients call functions on this server,
and everything that they send and get is sealed.

${style.strong("Usage:")} msp [COMMAND] [OPTIONS]

${style.strong("Commands:")}
${rows(list, style)}
Without a command, the server starts in the working folder.
msp help COMMAND explains a command.

${style.strong("Example:")}
  msp serve
  msp invite laptop --url http://localhost:8000
`;
}

/** Two columns: names, and texts in lines below each other. */
function rows(pairs: readonly (readonly [string, string])[], style: Style): string {
  const width = Math.min(MAX_NAME_WIDTH, Math.max(...pairs.map(([name]) => name.length))) + 2;
  const indent = " ".repeat(2 + width);
  return pairs.map(([name, text]) => {
    const lines = wrapped(text, WIDTH - indent.length);
    const isLong = name.length + 2 > width;
    const head = isLong ? [`  ${style.strong(name)}`] : [];
    const first = isLong ? indent : `  ${style.strong(name)}${" ".repeat(width - name.length)}`;
    return [...head, ...lines.map((line, index) => `${index === 0 ? first : indent}${line}`)];
  }).flat().join("\n") + "\n";
}
