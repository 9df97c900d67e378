/**
 * @module
 * `deno task npm`: builds the package `mini-share-point` of client/ into dist/npm: plain JavaScript with
 * types, ready for `npm publish`, and its tarball.
 */
import { runTool, type Tool } from "../bench/tool.ts";
import { VERSION } from "../lib/version.ts";

const TYPESCRIPT = "typescript@7.0.2";
const ROOT = new URL("../", import.meta.url);
const OUTPUT = "dist/npm";
/** Name of each import of the package, and the file behind it. */
const ENTRIES = { ".": "mod", "./file": "file", "./browser": "browser", "./v1": "v1" };
const DEPENDENCIES = ["@noble/ciphers", "@noble/curves", "@noble/hashes"];

async function run(...line: string[]): Promise<void> {
  const [command = "", ...args] = line;
  const { success } = await new Deno.Command(command, { args, cwd: ROOT }).spawn().status;
  if (!success) throw new Error(`${command} failed`);
}

function manifest(imports: Readonly<Record<string, string>>, license: string): object {
  const exports = Object.entries(ENTRIES).map(([name, file]) => [
    name,
    { types: `./${file}.d.ts`, default: `./${file}.js` },
  ]);
  const dependencies = DEPENDENCIES.map((name) => [name, imports[name]?.split("@").at(-1)]);
  return {
    name: "mini-share-point",
    version: VERSION,
    description: "Calls functions of a Mini Share Point server, end-to-end encrypted",
    license,
    type: "module",
    sideEffects: false,
    engines: { node: ">=20.19" },
    exports: Object.fromEntries(exports),
    dependencies: Object.fromEntries(dependencies),
  };
}

/** The compiler rewrites endings in JavaScript only; not every reader of types forgives `.ts`. */
async function rewriteTypes(output: URL): Promise<void> {
  for await (const { name } of Deno.readDir(output)) {
    if (!name.endsWith(".d.ts")) continue;
    const path = new URL(name, output);
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replace(/(from "\.\/\w+)\.ts"/g, '$1.js"'));
  }
}

const TOOL = {
  name: "npm",
  about: "Builds the package of client/ into dist/npm, and its tarball beside it.",
  options: { output: { value: "DIR", meaning: `another folder below dist (default ${OUTPUT})` } },
} satisfies Tool<string>;

async function buildPackage(folder: string): Promise<void> {
  const output = new URL(`${folder}/`, ROOT);
  const { imports, license } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  await Deno.remove(output, { recursive: true }).catch(() => {});
  await Deno.mkdir(output, { recursive: true });
  const files = Object.values(ENTRIES).map((file) => `client/${file}.ts`);
  // The types were checked by `deno check`, which knows the dependencies.
  const flags = "--ignoreConfig --noCheck --declaration --rewriteRelativeImportExtensions " +
    `--target es2022 --module esnext --moduleResolution bundler --rootDir client --outDir ${folder}`;
  await run("npx", "-y", "-p", TYPESCRIPT, "tsc", ...flags.split(" "), ...files);
  await rewriteTypes(output);
  await Deno.writeTextFile(
    new URL("package.json", output),
    `${JSON.stringify(manifest(imports, license), null, 2)}\n`,
  );
  await Deno.copyFile(new URL("client/README.md", ROOT), new URL("README.md", output));
  await Deno.copyFile(new URL("LICENSE", ROOT), new URL("LICENSE", output));
  const place = new URL("..", output).pathname;
  await run("npm", "pack", "--silent", "--pack-destination", place, output.pathname);
}

if (import.meta.main) {
  await runTool(TOOL, ({ values: { output = OUTPUT } }) => buildPackage(output));
}
