/**
 * @module
 * The config.ini that a first start creates: every option with its default, from the table of options.
 */
import { allOptions, type OptionSpec } from "./options.ts";

const WIDTH = 80;

/** The text of the file. */
export function configText(): string {
  const specs = allOptions();
  const sections = [...new Set(specs.map(({ section }) => section))].map((section) => {
    const own = specs.filter((each) => each.section === section).map(optionText);
    return `[${section}]\n${own.join("")}`;
  });
  return [
    "# docs/configuration.md lists every option with its range and what happens at each limit.\n",
    ...sections,
  ].join("\n");
}

function optionText({ name, fallback, kind: { unit = "" }, meaning }: OptionSpec<unknown>): string {
  const [sentence = ""] = meaning.replaceAll("`", "").split(/\.(?:\s|$)/, 1);
  return `${
    comment(MEASURES.has(unit) ? `${sentence}, in ${unit}` : sentence)
  }${name}=${fallback}\n`;
}
/** Units that a sentence does not name; what is counted is in its first words. */
const MEASURES: ReadonlySet<string> = new Set(["milliseconds", "seconds", "bytes", "megabytes"]);

/** Comment lines of at most 80 characters. */
function comment(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= WIDTH) lines[lines.length - 1] = longer;
    else lines.push(`# ${word}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}
