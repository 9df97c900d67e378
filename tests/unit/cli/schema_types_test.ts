/**
 * JSON Schema as TypeScript, which the compiler reads again.
 */
import assert from "node:assert/strict";
import { toolsOf } from "../../../cli/mcp_server.ts";
import { readFunctions } from "../../../cli/client.ts";
import { renderResult } from "../../../cli/render.ts";
import { typeOf } from "../../../cli/schema_types.ts";
import { suggestion } from "../../../lib/suggest.ts";
import { declarations } from "../../../cli/types.ts";
import { OutputError } from "../../../lib/errors.ts";
import { repositoryPath } from "../../../tasks/root.ts";
import { run, TempFolder } from "../../program.ts";

const DEEP = Array.from({ length: 50 }).reduce<unknown>((items) => ({ type: "array", items }), {});

/** Each type of a list followed for itself would take 1000 ** 8 steps. */
const WIDE = Array.from({ length: 16 }).reduce<unknown>((items) => {
  return { type: Array.from({ length: 1000 }, () => "array"), items };
}, {});

const TYPES: readonly { schema: unknown; type: string }[] = [
  { schema: { type: "string" }, type: "string" },
  { schema: { type: "integer", minimum: 1 }, type: "number" },
  { schema: { type: ["integer", "null"] }, type: "number | null" },
  { schema: { type: ["integer", "number"] }, type: "number" },
  { schema: { const: "a" }, type: '"a"' },
  { schema: { enum: ["a", 1, null] }, type: '"a" | 1 | null' },
  { schema: { enum: [{}] }, type: "unknown" },
  { schema: { enum: [] }, type: "never" },
  { schema: { anyOf: [{ type: "string" }, { type: "boolean" }] }, type: "string | boolean" },
  { schema: { oneOf: [{ type: "string" }, {}] }, type: "unknown" },
  { schema: { type: "array" }, type: "unknown[]" },
  { schema: { type: "array", items: { type: ["string", "null"] } }, type: "(string | null)[]" },
  { schema: { type: "object" }, type: "Record<string, unknown>" },
  {
    schema: { type: "object", additionalProperties: { type: "number" } },
    type: "Record<string, number>",
  },
  {
    schema: { properties: { "a-b": { type: "string" }, c: {} }, required: ["c"] },
    type: '{\n  "a-b"?: string;\n  c: unknown;\n}',
  },
  { schema: { $ref: "#/$defs/x", type: "string" }, type: "unknown" },
  { schema: { allOf: [{ type: "string" }] }, type: "unknown" },
  { schema: false, type: "never" },
  { schema: true, type: "unknown" },
  { schema: null, type: "unknown" },
  { schema: { type: "date" }, type: "unknown" },
  { schema: { type: ["object", "date"], properties: { a: {} } }, type: "unknown" },
  { schema: { type: ["object", {}] }, type: "unknown" },
  { schema: { const: "\u009b\u202e" }, type: '"\\u009b\\u202e"' },
  { schema: { type: "object", properties: 7, required: 8 }, type: "Record<string, unknown>" },
];

Deno.test("typeOf() gives the type of what it knows, and unknown for the rest", () => {
  assert.ok(TYPES.length > 0);
  for (const { schema, type } of TYPES) {
    assert.equal(typeOf(schema), type, JSON.stringify(schema));
  }
  assert.match(typeOf(DEEP), /^unknown(?:\[\])+$/);
  assert.match(typeOf(WIDE), /^unknown(?:\[\])+$/);
});

Deno.test("declarations() is TypeScript whatever names and texts a server gives, and checks calls", async () => {
  await using folder = await TempFolder.make();
  const nasty = 'x */ } declare const evil: 1; /* " ` ${} \u2028 \n \x1b[2J \u009b2J \u202e */';
  const functions = [
    {
      name: "add",
      title: nasty,
      inputSchema: {
        type: "object",
        properties: { item: { type: "string", description: nasty }, count: { type: "integer" } },
        required: ["item"],
      },
    },
    {
      name: nasty,
      description: nasty,
      inputSchema: { properties: { [nasty]: { enum: [nasty] } } },
    },
    { name: "any", inputSchema: {} },
    { name: "text", inputSchema: { type: "string" } },
  ];
  const text = declarations("home", functions);
  assert.doesNotMatch(
    text,
    /[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/u,
    "it may be shown on a terminal",
  );
  await folder.write("home.d.ts", text);
  const program = (lines: string): string => `
    import { connect, type Profile } from "mini-share-point";
    import type { Client } from "./home.d.ts";
    export async function calls(profile: Profile): Promise<void> {
      const home: Client = await connect(profile);
      ${lines}
    }`;
  const imports = { "mini-share-point": `file://${repositoryPath("client/mod.ts")}` };
  const noble = ["ciphers", "curves", "hashes"].map((
    name,
  ) => [`@noble/${name}`, `npm:@noble/${name}@2.4.0`]);
  await folder.write(
    "deno.json",
    JSON.stringify({ imports: { ...Object.fromEntries(noble), ...imports }, lock: false }),
  );
  await folder.write(
    "right.ts",
    program(`
      await home.call("add", { item: "milk" }, { timeoutMs: 10 });
      await home.call("any");
      await home.call("text", { a: 1 });
      await home.functions();`),
  );
  const wrong = [
    `"add"`,
    `"add", {}`,
    `"add", { item: 1 }`,
    `"sub"`,
    `"add", { item: "a", itme: 1 }`,
  ];
  await folder.write(
    "wrong.ts",
    program(
      wrong.map((each) => `// @ts-expect-error must fail\nawait home.call(${each});`).join("\n"),
    ),
  );
  const line = [Deno.execPath(), "check", "right.ts", "wrong.ts"];
  const { code, err } = await run(line, { cwd: folder.path });
  assert.equal(code, 0, err);
});

Deno.test("toolsOf() gives each function a name that assistants accept, and one of its own", () => {
  const names = ["a b", "a.b", "a_b", "zeit_prüfung", "x".repeat(70), "x".repeat(80), "ok-1"];
  const { tools, functions } = toolsOf(names.map((name) => ({ name, inputSchema: {} })));
  const given = tools.map(({ name }) => name);
  assert.equal(new Set(given).size, names.length);
  for (const name of given) assert.match(name, /^[A-Za-z0-9_-]{1,64}$/);
  assert.deepEqual(given.map((name) => functions.get(name)), names);
  assert.deepEqual(tools.at(-1), { name: "ok-1", inputSchema: { type: "object" } });
  assert.equal(tools[3]?.description, "Function zeit_prüfung");
});

const HOSTILE: readonly unknown[] = [
  null,
  {},
  "functions",
  [null, 7, "f", [], {}, { name: 7 }],
  [{ name: "f", title: 7, description: {}, inputSchema: [], annotations: "x" }],
  [{ name: "", inputSchema: { properties: [1], required: {}, type: [[], 7] } }],
  [{ name: "f", inputSchema: { properties: { a: null, b: 7, c: { enum: "x", type: {} } } } }],
];

Deno.test("a list of functions that is malformed is neither an error nor TypeScript that is malformed", () => {
  for (const list of HOSTILE) {
    const functions = readFunctions(list);
    assert.match(declarations("home", functions), /export interface Client/);
    assert.equal(toolsOf(functions).tools.length, functions.length);
  }
});

Deno.test("toolsOf() and suggestion() take time in proportion to what a server sends", () => {
  const names = Array.from({ length: 20_000 }, (_, i) => "é".repeat(i + 1).slice(0, 200) + "x");
  const { functions } = toolsOf(names.map((name) => ({ name, inputSchema: {} })));
  assert.equal(functions.size, names.length);
  // Its length alone tells that nobody typed it: comparing would take 10 ** 10 steps.
  const long = Array.from({ length: 10_000 }, () => "y".repeat(1000));
  assert.equal(suggestion("x".repeat(1000), long), undefined);
});

Deno.test("renderResult() refuses a value that is too deep to be written, in words", () => {
  const deep: unknown = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
  for (const isTerminal of [true, false]) {
    assert.throws(() => renderResult(deep, { isTerminal, isJson: false }), OutputError);
  }
});
