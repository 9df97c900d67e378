/**
 * @module
 * Command lines of the benchmarks.
 */
import assert from "node:assert/strict";
import { parseTool, ToolError } from "../../../bench/tool.ts";

const TOOL = {
  name: "example",
  about: "Measures.",
  options: {
    count: { value: "COUNT", meaning: "how often", least: 2, fallback: 5 },
    file: { value: "FILE", meaning: "what" },
    quick: { meaning: "in a hurry" },
  },
};

Deno.test("parseTool() reads options in both forms, and knows fallbacks", () => {
  for (const args of [["--count", "7"], ["--count=7"]]) {
    const request = parseTool(TOOL, args);
    assert.ok(!("help" in request));
    assert.equal(request.number("count"), 7);
    assert.deepEqual(request.values, { count: "7", file: undefined, quick: undefined });
  }
  const request = parseTool(TOOL, ["--quick"]);
  assert.ok(!("help" in request));
  assert.equal(request.number("count"), 5);
  assert.equal(request.values.quick, "true");
});

const WRONG: readonly { args: string[]; state: RegExp }[] = [
  { args: ["--count", "x"], state: /--count x: expected a whole number, at least 2/ },
  { args: ["--count", "1"], state: /at least 2/ },
  { args: ["--count", "-3"], state: /count/ },
  { args: ["--count", "1e3"], state: /expected a whole number/ },
  { args: ["--conut", "3"], state: /--conut/ },
  { args: ["--count"], state: /--count/ },
  { args: ["7"], state: /7/ },
  { args: ["--quick=no"], state: /--quick/ },
];

Deno.test("parseTool() refuses what it does not understand, with exit status 2", () => {
  for (const { args, state } of WRONG) {
    assert.throws(() => parseTool(TOOL, args), (error) => {
      assert.ok(error instanceof ToolError, String(error));
      assert.match(error.message, state);
      assert.deepEqual([error.exitStatus, error.hint], [2, "deno task example --help"]);
      return true;
    });
  }
});

Deno.test("parseTool() shows every option in its help, whatever else was given", () => {
  const request = parseTool(TOOL, ["--conut", "--help"]);
  assert.ok("help" in request);
  assert.match(request.help, /Usage: deno task example \[OPTIONS\]/);
  for (
    const line of ["--count COUNT  how often (5)", "--file FILE    what", "--quick        in a"]
  ) {
    assert.ok(request.help.includes(line), line);
  }
});
