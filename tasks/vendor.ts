/**
 * @module
 * `deno task vendor [--check]`: writes the library that checks arguments as one file, since a function
 * process has neither our names nor packages. `--check` only tells whether the file is what the locked
 * version gives.
 */
import { runTool, type Tool, ToolError } from "../bench/tool.ts";
import { runBundler } from "./bundle.ts";

const ROOT = new URL("../", import.meta.url);

/** The library that is one of our files: its first line, and what it exports. */
export const VENDORED = {
  path: "lib/functions/host/json_schema.js",
  header: "@cfworker/json-schema, MIT licence, copyright (c) Jeremy Danyow",
  entry: 'export { dereference, Validator } from "@cfworker/json-schema";\n',
};

/** The library as one module. */
export async function bundle({ header, entry: text }: typeof VENDORED): Promise<string> {
  const entry = new URL(`dist/.bundle-${crypto.randomUUID()}.ts`, ROOT);
  await Deno.mkdir(new URL(".", entry), { recursive: true });
  await Deno.writeTextFile(entry, text);
  try {
    // The bundler names its sources by where they are on this machine.
    const code = (await runBundler([entry.pathname]))
      .replace(/^( *)\/\/ .*\/npm\/[^/\n]+\//gm, "$1// ");
    return `// ${header}; as one file by \`deno task vendor\`.\n${code}`;
  } finally {
    await Deno.remove(entry);
  }
}

const TOOL = {
  name: "vendor",
  about: `Writes the library of ${VENDORED.path} as one file.`,
  options: { check: { meaning: "only tell whether it is up to date" } },
} satisfies Tool<string>;

if (import.meta.main) {
  await runTool(TOOL, async ({ values: { check } }) => {
    const text = await bundle(VENDORED);
    const target = new URL(VENDORED.path, ROOT);
    if (await Deno.readTextFile(target).catch(() => "") === text) return;
    if (check === undefined) await Deno.writeTextFile(target, text);
    else throw new ToolError(`${VENDORED.path} is out of date`, { hint: "deno task vendor" });
  });
}
