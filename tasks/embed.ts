/**
 * @module
 * Writes lib/config/shipped.ts: the files that a first start makes, as text inside of the program.
 * They are imported and not read, because a compiled server may start in any folder. `--check`
 * only tells whether the file is up to date.
 */
import { runTool, type Tool, ToolError } from "../bench/tool.ts";

const ROOT = new URL("../", import.meta.url);
const TARGET = new URL("lib/config/shipped.ts", ROOT);
const SOURCES = {
  CONFIG_INI: "config/config.ini",
  MODULES_INI: "config/modules.ini",
  SIMPLE_TIME_JS: "modules/simple_time.js",
};

async function embed(): Promise<string> {
  const parts = [
    "/**\n * @module\n * The files that a first start makes. Written by `deno task embed` from config/ and modules/;\n" +
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
  about: `Writes lib/config/shipped.ts: the files of a first start, as text in the program.`,
  options: { check: { meaning: "only tell whether it is up to date" } },
} satisfies Tool<string>;

if (import.meta.main) {
  await runTool(TOOL, async ({ values: { check } }) => {
    const text = await embed();
    if (await Deno.readTextFile(TARGET).catch(() => "") === text) return;
    if (check === undefined) return await Deno.writeTextFile(TARGET, text);
    throw new ToolError("lib/config/shipped.ts is out of date", { hint: "deno task embed" });
  });
}
