/**
 * @module
 * Writes the files of a first start to where they are needed: config/config.ini from the table of
 * options, and lib/config/shipped.ts from config/modules.ini and modules/, as text inside the program. They
 * are imported and not read, because a compiled server may start in any folder. `--check` only tells
 * whether both files are up to date.
 */
import { runTool, type Tool, ToolError } from "../bench/tool.ts";
import { configText } from "../lib/config/config_text.ts";

const ROOT = new URL("../", import.meta.url);
const SOURCES = {
  MODULES_INI: "config/modules.ini",
  SIMPLE_TIME_JS: "modules/simple_time.js",
};

async function embed(): Promise<string> {
  const parts = [
    "/**\n * @module\n * Files that a first start creates. Written by `deno task embed` from config/ and modules/:\n" +
    " * change those.\n */",
  ];
  for (const [name, path] of Object.entries(SOURCES)) {
    const text = await Deno.readTextFile(new URL(path, ROOT));
    const escaped = text.replace(/[\\`]|\$\{/g, "\\$&");
    parts.push(`/** ${path} */\nexport const ${name} = \`${escaped}\`;`);
  }
  return parts.join("\n\n") + "\n";
}

const TOOL = {
  name: "embed",
  about: `Writes the files of a first start: config/config.ini and lib/config/shipped.ts.`,
  options: { check: { meaning: "only tell whether they are up to date" } },
} satisfies Tool<string>;

if (import.meta.main) {
  await runTool(TOOL, async ({ values: { check } }) => {
    const targets = { "config/config.ini": configText(), "lib/config/shipped.ts": await embed() };
    for (const [path, text] of Object.entries(targets)) {
      const target = new URL(path, ROOT);
      if (await Deno.readTextFile(target).catch(() => "") === text) continue;
      if (check !== undefined) {
        throw new ToolError(`${path} is out of date`, { hint: "deno task embed" });
      }
      await Deno.writeTextFile(target, text);
    }
  });
}
