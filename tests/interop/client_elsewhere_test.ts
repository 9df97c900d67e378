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
    assertPassed(await runPage(script, { "node:assert/strict": asserts }), 5);
  },
);

/** Bytes that the library may take in a page, compressed. */
const MAX_PAGE_BYTES = 25 * 1024;

Deno.test("the library takes at most 25 kB in a page", async () => {
  await using folder = await TempFolder.make();
  await folder.write(
    "page.ts",
    `export { connect } from ${
      JSON.stringify(new URL("../../client/mod.ts", import.meta.url).href)
    };
export { browserProfiles } from ${
      JSON.stringify(new URL("../../client/browser.ts", import.meta.url).href)
    };`,
  );
  await bundle(folder.join("page.ts"), folder.join("page.js"), ["--minify"]);
  const { body } = new Response(await folder.read("page.js"));
  const compressed = body?.pipeThrough(new CompressionStream("gzip"));
  const bytes = (await new Response(compressed ?? null).arrayBuffer()).byteLength;
  assert.ok(bytes > 5000 && bytes <= MAX_PAGE_BYTES, `${bytes} bytes`);
});
