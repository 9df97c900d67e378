/**
 * @module
 * What the documents show is what the program does.
 */
import assert from "node:assert/strict";
import { programHelp } from "../cli/commands.ts";
import { freePort, PROGRAM, run, TempFolder } from "./program.ts";

const ROOT = new URL("../", import.meta.url);
const readme = await Deno.readTextFile(new URL("README.md", ROOT));

/** The fenced blocks of a language, in their order. */
function blocks(language: string): string[] {
  const pattern = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm");
  return [...readme.matchAll(pattern)].map(([, text = ""]) => text);
}

Deno.test("README: the transcript of the first screen works as it stands", async () => {
  await using folder = await TempFolder.make();
  const [transcript = ""] = blocks("sh");
  assert.match(transcript, /^msp keygen[\s\S]*msp call /);
  const program = PROGRAM.map((word) => `'${word}'`).join(" ");
  await folder.write("bin/msp", `#!/bin/sh\nexec ${program} "$@"\n`);
  await Deno.chmod(folder.join("bin/msp"), 0o755);
  const port = freePort();
  // Another port than 8000, which may be taken here, is all that is changed.
  await folder.write("config/config.ini", `[Server]\nPort=${port}\n`);
  const script = `set -e\n${transcript.replaceAll(":8000/", `:${port}/`)}\nkill $!\nwait $!\n`;
  const env = { PATH: `${folder.join("bin")}:${Deno.env.get("PATH")}` };
  const { code, out, err } = await run(["bash", "-c", script], { cwd: folder.path, env });
  assert.equal(code, 0, err);
  assert.match(
    out,
    /Generated: client\.key[\s\S]*Client Hex Secret: [\s\S]*is ready on [\s\S]*It is currently: \n\t/,
  );
});

Deno.test("README: the help text is the program's", () => {
  assert.ok(blocks("text").includes(programHelp()));
});

Deno.test("README: the table of environment variables is the program's", async () => {
  const main = await Deno.readTextFile(new URL("main.ts", ROOT));
  const used = [...new Set(main.match(/MSP_\w+/g))].toSorted();
  const listed = [...readme.matchAll(/^\| (MSP_\w+) +\|/gm)].map(([, name]) => name).toSorted();
  assert.ok(used.length > 0);
  assert.deepEqual(listed, used);
});

Deno.test("the documents link to files that exist", async () => {
  const folders = [".", "docs", "docs/decisions", "examples"];
  for (const folder of folders) {
    for await (const { name } of Deno.readDir(new URL(`${folder}/`, ROOT))) {
      if (!name.endsWith(".md")) continue;
      const file = new URL(`${folder}/${name}`, ROOT);
      for (const [, link = ""] of (await Deno.readTextFile(file)).matchAll(/\]\(([^)#:]+)\)/g)) {
        await Deno.stat(new URL(link, file)).catch(() => assert.fail(`${name} links to ${link}`));
      }
    }
  }
});
