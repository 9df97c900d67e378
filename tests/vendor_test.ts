/**
 * The library that is one of our files is what the locked package gives.
 */
import assert from "node:assert/strict";
import { vendored } from "../tasks/vendor.ts";

Deno.test("lib/functions/host/json_schema.js is what `deno task vendor` writes", async () => {
  const file = new URL("../lib/functions/host/json_schema.js", import.meta.url);
  assert.equal(await Deno.readTextFile(file), await vendored());
});
