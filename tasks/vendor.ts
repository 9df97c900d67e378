/**
 * @module
 * `deno task vendor [--check]`: writes lib/functions/host/json_schema.js, the library that checks arguments, as
 * one file. A function process has neither our names nor packages, so it cannot import the library from
 * npm. `--check` only tells whether the file is what the locked version gives.
 */
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

if (import.meta.main) {
  const text = await vendored();
  const isCurrent = await Deno.readTextFile(TARGET).catch(() => "") === text;
  if (!isCurrent && Deno.args.includes("--check")) {
    // deno-lint-ignore no-console -- a task, for developers
    console.error(`${TARGET.pathname} is out of date: run deno task vendor`);
    Deno.exit(1);
  }
  if (!isCurrent) await Deno.writeTextFile(TARGET, text);
}
