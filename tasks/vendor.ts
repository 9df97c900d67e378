/**
 * @module
 * `deno task vendor [--check]`: writes lib/functions/host/json_schema.js, the library that checks arguments, as
 * one file. A function process has neither our names nor packages, so it cannot import the library from
 * npm. `--check` only tells whether the file is what the locked version gives.
 */
import { runTool, type Tool, ToolError } from "../bench/tool.ts";

const ROOT = new URL("../", import.meta.url);
const TARGET = new URL("lib/functions/host/json_schema.js", ROOT);
const LIBRARY = "@cfworker/json-schema";
const ENTRY = `export { dereference, Validator } from "${LIBRARY}";\n`;
const HEADER =
  `// ${LIBRARY}, MIT licence, copyright (c) Jeremy Danyow; as one file by \`deno task vendor\`.\n`;

/** The library as one module. */
export async function vendored(): Promise<string> {
  // In the project, whose names and lock it needs.
  const entry = new URL(`tasks/.vendor-${crypto.randomUUID()}.ts`, ROOT);
  await Deno.writeTextFile(entry, ENTRY);
  try {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--quiet", "--platform", "deno", entry.pathname],
      cwd: ROOT,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    // The bundler names its sources by where they are on this machine.
    const code = new TextDecoder().decode(stdout).replace(/^\/\/ .*\/npm\/[^/\n]+\//gm, "// ");
    return HEADER + code;
  } finally {
    await Deno.remove(entry);
  }
}

const TOOL = {
  name: "vendor",
  about:
    "Writes lib/functions/host/json_schema.js, the library that checks arguments, as one file.",
  options: { check: { meaning: "only tell whether it is up to date" } },
} satisfies Tool<string>;

if (import.meta.main) {
  await runTool(TOOL, async ({ values: { check } }) => {
    const text = await vendored();
    if (await Deno.readTextFile(TARGET).catch(() => "") === text) return;
    if (check === undefined) return await Deno.writeTextFile(TARGET, text);
    throw new ToolError(`${TARGET.pathname} is out of date`, { hint: "deno task vendor" });
  });
}
