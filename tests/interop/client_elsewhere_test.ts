/**
 * The client's own tests, on the other platforms that it is for: Node, and a page in Chromium.
 */
import assert from "node:assert/strict";
import { isInstalled, succeeds, testIf } from "../conditions.ts";
import { bundle, runPage } from "../elsewhere/chromium.ts";
import type { Outcome } from "../elsewhere/collect.ts";
import { run, TempFolder } from "../program.ts";

const HAS_NODE = await succeeds("node", "--version");
/** Tests in tests/elsewhere/suite.ts, at least. */
const LEAST = 70;

function assertPassed(text: string, least = LEAST): void {
  const { passed, failed }: Outcome = JSON.parse(text);
  assert.deepEqual(failed, []);
  assert.ok(passed >= least, `only ${passed} tests`);
}

testIf(HAS_NODE, "no node", "the client's tests pass in Node", async () => {
  await using folder = await TempFolder.make();
  await bundle("tests/elsewhere/node.ts", folder.join("suite.mjs"));
  const { out, err } = await run(["node", folder.join("suite.mjs")], { cwd: folder.path });
  assertPassed(out.trim().split("\n").at(-1) || `no outcome: ${err}`);
});

testIf(isInstalled("chromium"), "no chromium", "the client's tests pass in a page", async () => {
  await using folder = await TempFolder.make();
  const script = folder.join("script.js"), asserts = folder.join("assert.js");
  await bundle("tests/elsewhere/page.ts", script);
  await bundle("tests/elsewhere/assert.ts", asserts);
  assertPassed(await runPage(script, { "node:assert/strict": asserts }));
});

testIf(
  isInstalled("chromium"),
  "no chromium",
  "profiles in a page: IndexedDB of Chromium",
  async () => {
    await using folder = await TempFolder.make();
    const script = folder.join("script.js"), asserts = folder.join("assert.js");
    await bundle("tests/elsewhere/profiles.ts", script);
    await bundle("tests/elsewhere/assert.ts", asserts);
    assertPassed(await runPage(script, { "node:assert/strict": asserts }), 6);
  },
);
