/**
 * @module
 * What people read is written in plain English: some constructions of translated prose must not come
 * back. CONTRIBUTING.md, "Language", has the rules.
 */
import assert from "node:assert/strict";
import { repositoryPath } from "../tasks/root.ts";

/** Folders and files that users and operators read, whole. */
const PAGES = [
  "README.md",
  "SECURITY.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "docs",
  "examples",
  "config",
  "deploy",
  "Dockerfile",
  "compose.yaml",
  "main.ts",
  "cli",
  "client/README.md",
];
/** Folders whose messages users read. */
const CODE = ["lib", "client"];
const TEXT =
  /\.(?:md|ts|js|mjs|py|go|sh|ini|yml|yaml|service|conf)$|(?:^|\/)(?:Dockerfile|Caddyfile|nacl-box)$/;
const CONSTRUCTIONS =
  /\b(?:whoever|whom|anew|beats|of it is|(?<!there )is no |so many|the one before|takes up|stranger's)\b/gi;

async function readFiles(path: string): Promise<string[]> {
  const { isDirectory } = await Deno.stat(repositoryPath(path));
  if (!isDirectory) return TEXT.test(path) ? [path] : [];
  const entries = await Array.fromAsync(Deno.readDir(repositoryPath(path)));
  return (await Promise.all(entries.map(({ name }) => readFiles(`${path}/${name}`)))).flat();
}

/** Text without line ends and what stands before the words of a comment or of a continued string. */
function asProse(text: string): string {
  return text.replace(/["`]? \+\n\s*["`]/g, "").replace(/\s*\n[\s*#/>|]*/g, " ");
}

/** The texts in code: strings, without comments. */
function messagesOf(code: string): string {
  const bare = code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  return (bare.match(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g) ?? []).join("\n");
}

Deno.test("no page and no message contains a construction of translated prose", async () => {
  const found: string[] = [];
  let count = 0;
  for (const [paths, textOf] of [[PAGES, asProse], [CODE, messagesOf]] as const) {
    for (const path of (await Promise.all(paths.map(readFiles))).flat()) {
      count++;
      const prose = textOf(await Deno.readTextFile(repositoryPath(path)));
      for (const { 0: words, index } of prose.matchAll(CONSTRUCTIONS)) {
        const place = prose.slice(Math.max(0, index - 40), index + 50);
        found.push(`${path}: "${words}" in "…${place}…"`);
      }
    }
  }
  assert.ok(count > 100, "the files were not found");
  assert.deepEqual(found, []);
});
