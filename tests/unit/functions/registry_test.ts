import assert from "node:assert/strict";
import { join } from "node:path";
import { FunctionRegistry, loadFunctions } from "../../../lib/functions/registry.ts";

async function call(entry: () => unknown, timeoutMs?: number): Promise<unknown> {
  return await new FunctionRegistry(new Map([["f", entry]]), timeoutMs).call("f");
}

const RESULTS: { entry: () => unknown; text: string; why: string }[] = [
  { entry: () => "text\n", text: "text\n", why: "a string as it is" },
  { entry: () => "", text: "", why: "also the empty one" },
  { entry: () => Promise.resolve("later"), text: "later", why: "async" },
  { entry: () => ({ a: [1, null] }), text: '{"a":[1,null]}', why: "anything else as JSON" },
  { entry: () => 7, text: "7", why: "a number" },
  { entry: () => null, text: "null", why: "null" },
  { entry: () => undefined, text: "null", why: "nothing, which has no JSON text of its own" },
  { entry: () => Promise.resolve(), text: "null", why: "nothing, later" },
];

Deno.test("FunctionRegistry.call() gives results as text", async () => {
  assert.ok(RESULTS.length > 0);
  for (const { entry, text, why } of RESULTS) {
    assert.deepEqual(await call(entry), { ok: true, text }, why);
  }
});

const circle: Record<string, unknown> = {};
circle["self"] = circle;
const FAILURES: { entry: () => unknown; why: string }[] = [
  {
    entry: () => {
      throw new Error("no");
    },
    why: "throws",
  },
  {
    entry: () => {
      // deno-lint-ignore no-throw-literal -- a module may
      throw undefined;
    },
    why: "throws nothing",
  },
  { entry: () => Promise.reject(new Error("no")), why: "rejects" },
  { entry: () => circle, why: "a circle has no JSON text" },
  { entry: () => 1n, why: "neither has a big integer" },
];

Deno.test("FunctionRegistry.call() survives functions that fail", async () => {
  assert.ok(FAILURES.length > 0);
  for (const { entry, why } of FAILURES) {
    const result = await call(entry) as { ok: boolean; reason?: string };
    assert.deepEqual([result.ok, result.reason], [false, "function failed"], why);
  }
});

Deno.test("FunctionRegistry.call() does not wait longer than the timeout", async () => {
  const result = await call(() => new Promise(() => {}), 20);
  assert.deepEqual(result, { ok: false, reason: "function timed out" });
});

Deno.test("FunctionRegistry.call() knows nothing but its functions", async () => {
  const registry = new FunctionRegistry(new Map());
  for (const name of ["f", "", "__proto__", "constructor", "toString", "hasOwnProperty"]) {
    assert.deepEqual(await registry.call(name), { ok: false, reason: "unknown function" });
  }
});

const MODULES = [
  { file: "snake.js", text: "export function entry_call() { return 'snake'; }", result: "snake" },
  { file: "camel.mjs", text: "export const entryCall = async () => 'camel';", result: "camel" },
  { file: "standard.js", text: "export default () => 'standard';", result: "standard" },
  {
    file: "typed.ts",
    text: "export function entry_call(): string { return 'typed'; }",
    result: "typed",
  },
  { file: "importer.js", text: "export { entry_call } from './snake.js';", result: "snake" },
  { file: "broken.js", text: "export function {", fault: /broken\.js does not load: SyntaxError/ },
  {
    file: "thrower.js",
    text: "throw new Error('at import')",
    fault: /does not load: Error: at import/,
  },
  { file: "empty.js", text: "", fault: /exports no function entry_call/ },
  {
    file: "value.js",
    text: "export const entry_call = 'text';",
    fault: /exports no function entry_call/,
  },
  {
    file: "old.py",
    text: "def entry_call(): return ''",
    fault: /there is no old\.ts, \.js, \.mjs in .*old\.py is Python/,
  },
];

Deno.test("loadFunctions() loads what loads, and says what is wrong with the rest", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const { file, text } of MODULES) await Deno.writeTextFile(join(folder, file), text);
    const entries = MODULES.map(({ file }) => {
      const name = file.replace(/\.\w+$/, "");
      return { functionName: name, moduleName: name };
    });
    entries.push({ functionName: "missing", moduleName: "missing" });
    const { functions, faults } = await loadFunctions(folder, entries);
    const registry = new FunctionRegistry(functions);
    for (const { file, result, fault } of MODULES) {
      const name = file.replace(/\.\w+$/, "");
      if (fault === undefined) {
        assert.deepEqual(await registry.call(name), { ok: true, text: result });
        continue;
      }
      const message = faults.find(({ functionName }) => functionName === name)?.error.message;
      assert.match(message ?? "", fault);
      assert.match(message ?? "", new RegExp(`^Cannot load function ${name}: `));
    }
    assert.equal(faults.length, MODULES.filter(({ fault }) => fault !== undefined).length + 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
