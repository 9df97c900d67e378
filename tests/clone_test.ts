/**
 * A clone as others make it: in a path with a space, and with the line ends of Git for Windows.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { repositoryPath } from "../tasks/root.ts";
import { succeeds, testIf } from "./conditions.ts";
import { type Outcome, run, TempFolder } from "./program.ts";

const IS_CLONE = await succeeds("git", "-C", repositoryPath(), "rev-parse", "--git-dir");
const NO_CLONE = "this is not a clone, or git is not installed";

/** Clones the files as they are now, committed or not. */
async function clone(folder: TempFolder): Promise<string> {
  const script = `set -e
    mkdir source; cd "$1"
    git ls-files -z --cached --others --exclude-standard |
      while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\\0' "$file"; done |
      tar --null --files-from=- -cf - | tar -xf - -C "$2/source"
    cd "$2/source"
    git init -q .
    git add .
    git -c user.name=a -c user.email=a@b commit -qm a
    cd ..
    git clone -q -c core.autocrlf=true source "a clone"`;
  const line = ["bash", "-c", script, "bash", repositoryPath(), folder.path];
  const { code, err } = await run(line, { cwd: folder.path });
  assert.equal(code, 0, err);
  return folder.join("a clone");
}

/** Runs something of the clone, on its own sources. */
async function runIn(cwd: string, ...args: string[]): Promise<Outcome> {
  return await run(["env", "-u", "MSP_TEST_BINARY", Deno.execPath(), ...args], { cwd });
}

testIf(IS_CLONE, NO_CLONE, "a clone has no CR LF, whatever Git's settings are", async () => {
  await using folder = await TempFolder.make();
  const path = await clone(folder);
  const { out } = await run(["git", "ls-files", "--eol"], { cwd: path });
  const lines = out.trim().split("\n");
  assert.ok(lines.length > 100, "the files were not found");
  assert.deepEqual(lines.filter((line) => /w\/(?:crlf|mixed)/.test(line)), []);
});

testIf(
  IS_CLONE,
  NO_CLONE,
  "a clone in a path with a space runs the demo and its tests",
  async () => {
    await using folder = await TempFolder.make();
    const path = await clone(folder);
    const demo = await runIn(path, "task", "demo");
    assert.equal(demo.code, 0, demo.err + demo.out);
    assert.match(demo.out, /It is currently[\s\S]*\nDone\.\n$/);
    const tests = ["tests/conventions_test.ts", "tests/e2e/first_start_test.ts"];
    const filter = "--filter=/pinned to exact|prints our name/";
    const { code, out, err } = await runIn(path, "task", "test", "--no-check", filter, ...tests);
    assert.equal(code, 0, out + err);
    assert.match(out, /^ok \| 2 passed/m);
  },
);

Deno.test("paths of files are made by repositoryPath, not from the pathname of a URL", async () => {
  for (const folder of ["tests", "tests/e2e", "tests/interop", "tasks", "bench"]) {
    for await (const { name } of Deno.readDir(repositoryPath(folder))) {
      if (!name.endsWith(".ts")) continue;
      const text = await Deno.readTextFile(join(repositoryPath(folder), name));
      assert.doesNotMatch(text, /import\.meta\.url\)\.pathname/, `${folder}/${name}`);
    }
  }
});
