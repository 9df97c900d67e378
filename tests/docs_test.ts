/**
 * @module
 * What the documents show is what the program does.
 */
import assert from "node:assert/strict";
import { COMMAND_NAMES } from "../cli/commands.ts";
import { allOptions } from "../lib/config/options.ts";
import { freePort, PROGRAM, run, ServerProcess, TempFolder } from "./program.ts";

const ROOT = new URL("../", import.meta.url);
const readme = await Deno.readTextFile(new URL("README.md", ROOT));

/** The fenced blocks below a heading or a label of the README. */
function blocksBelow(start: string, end: string): string[] {
  const from = readme.indexOf(start);
  const section = readme.slice(from, readme.indexOf(end, from));
  assert.ok(from >= 0 && section.length > 0, `README has no ${start}`);
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
}

/** A folder with the program on its PATH, and a script run by bash in a folder of it. */
async function machine(
  folder: TempFolder,
): Promise<(cwd: string, script: string) => Promise<string>> {
  const program = PROGRAM.map((word) => `'${word}'`).join(" ");
  await folder.write("bin/msp", `#!/bin/sh\nexec ${program} "$@"\n`);
  await Deno.chmod(folder.join("bin/msp"), 0o755);
  const PATH = `${folder.join("bin")}:${Deno.env.get("PATH")}`;
  const env = { PATH, HOME: folder.join("home") };
  return async (cwd, script) => {
    await Deno.mkdir(folder.join(cwd), { recursive: true });
    const line = ["bash", "-c", `set -e\n${script}`];
    const { code, out, err } = await run(line, { cwd: folder.join(cwd), env });
    assert.equal(code, 0, err);
    return out;
  };
}

Deno.test("README: the quick start and the example function work as written", async () => {
  await using folder = await TempFolder.make();
  const run = await machine(folder);
  const [serve = "", invite = "", join = ""] = blocksBelow("## Quick start", "## Your own");
  const [hello = ""] = blocksBelow("## Your own function", "## How it works");
  const helloCall = /`(msp call [^`]+ hello)`/.exec(readme)?.[1] ?? "";
  assert.match(serve, /^msp serve +#[^\n]*\n$/);
  assert.match(join, /^msp join .*\nmsp call /);
  assert.notEqual(helloCall, "");
  // Another port than 8000, which may be taken here, and the link are all that is changed.
  const port = freePort();
  await folder.write("server/config/config.ini", `[Server]\nPort=${port}\n`);
  await using _server = await ServerProcess.startListening({ cwd: folder.join("server") });
  const link = (await run("server", invite.replace(":8000", `:${port}`))).trim();
  const shown = /'(http:[^']*…)'/.exec(join)?.[1] ?? "";
  assert.equal(link.replace(/(?<=#1\.).*/, "…"), shown.replace(":8000", `:${port}`));
  const joined = await run("client", join.replace(shown, link));
  assert.match(joined, /^Joined .* as profile home\nIt is currently: \n\t/);
  await run("server", hello);
  const until = `for i in $(seq 50); do ${helloCall} 2>/dev/null && exit; sleep 0.1; done`;
  assert.equal(await run("client", until), "Hello from hello\n");
});

/** Every page, with the folder that its links start at. */
const PAGES = await readPages();

async function readPages(): Promise<{ file: URL; name: string; text: string }[]> {
  const pages: { file: URL; name: string; text: string }[] = [];
  for (const folder of ["", "docs/", "docs/decisions/", "examples/", "examples/v1/"]) {
    for await (const { name } of Deno.readDir(new URL(folder, ROOT))) {
      if (!name.endsWith(".md")) continue;
      const file = new URL(folder + name, ROOT);
      pages.push({ file, name: folder + name, text: await Deno.readTextFile(file) });
    }
  }
  assert.ok(pages.length > 15, "the pages were not found");
  return pages;
}

Deno.test("the documents link to files that exist", async () => {
  for (const { file, name, text } of PAGES) {
    for (const [, link = ""] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      await Deno.stat(new URL(link, file)).catch(() => assert.fail(`${name} links to ${link}`));
    }
  }
});

Deno.test("the documents link to headings that exist", () => {
  const anchors = new Map(PAGES.map(({ file, text }) => [
    file.href,
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
      heading.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-")
    ),
  ]));
  for (const { file, name, text } of PAGES) {
    for (const [, link = "", anchor = ""] of text.matchAll(/\]\(([^)#:]*)#([^)]+)\)/g)) {
      const target = anchors.get(new URL(link === "" ? file.href : link, file).href);
      assert.ok(target?.includes(anchor), `${name} links to ${link}#${anchor}`);
    }
  }
});

Deno.test("the documents name commands, tasks, options and files that exist", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const options = allOptions().map(({ section, name }) => `[${section}] ${name}`);
  let count = 0;
  const check = (isTrue: boolean, name: string, what: string): void => {
    count++;
    assert.ok(isTrue, `${name} names ${what}`);
  };
  for (const { name, text } of PAGES) {
    for (const [, command = ""] of text.matchAll(/(?:^|`)msp ([a-z][a-z-]*)/gm)) {
      check(COMMAND_NAMES.includes(command), name, `the command ${command}`);
    }
    for (const [, task = ""] of text.matchAll(/deno(?:@[\d.]+)? task ([a-z]+)/g)) {
      check(task in tasks, name, `the task ${task}`);
    }
    for (const [, option = ""] of text.matchAll(/`(\[[A-Z]\w+\] [A-Z]\w+)/g)) {
      check(options.includes(option), name, `the option ${option}`);
    }
    for (const [, path = ""] of text.matchAll(FILE_PATH)) {
      const isThere = await Deno.stat(new URL(path, ROOT)).then(() => true, () => false);
      check(isThere, name, `the file ${path}`);
    }
  }
  assert.ok(count > 100, "hardly anything was found");
});
/** A path of the repository in a code span. */
const FILE_PATH = /`((?:tests|lib|cli|deploy|tasks|bench|examples|docs|client|\.ci)\/[\w./-]*)`/g;

Deno.test("no code span of the documents goes over a line end", () => {
  for (const { name, text } of PAGES) {
    const prose = text.replace(/^ *```[\s\S]*?^ *```$/gm, "");
    for (const line of prose.split("\n")) {
      assert.equal((line.match(/`/g) ?? []).length % 2, 0, `${name}: ${line}`);
    }
  }
});
