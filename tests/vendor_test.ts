/**
 * Files that are made from others are what those give.
 */
import assert from "node:assert/strict";
import { repositoryPath } from "../tasks/root.ts";
import { bundle, VENDORED } from "../tasks/vendor.ts";

Deno.test(`${VENDORED.path} is what \`deno task vendor\` writes`, async () => {
  const text = await Deno.readTextFile(repositoryPath(VENDORED.path));
  // Without a comparison line by line, which takes minutes for a large file.
  assert.ok(text === await bundle(VENDORED), "out of date: deno task vendor");
});

Deno.test("the module of the Kubernetes manifests, which may not reach outside of their folder, is the shipped one", async () => {
  const [copy, shipped] = await Promise.all(
    ["deploy/cluster/kubernetes/modules/simple_time.js", "modules/simple_time.js"]
      .map((path) => Deno.readTextFile(repositoryPath(path))),
  );
  assert.equal(copy, shipped);
});
