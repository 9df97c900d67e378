import assert from "node:assert/strict";
import { importsOf, readModuleGraph } from "../../../../lib/functions/plan/module_graph.ts";
import { HOSTILE_TEXTS } from "../../../hostile.ts";
import { TempFolder } from "../../../program.ts";

const BASE = new URL("file:///m/f.js");

const SOURCES: {
  source: string;
  files?: string[];
  data?: string[];
  isOpen?: boolean;
  why: string;
}[] = [
  { source: `import { a } from "./a.js";`, files: ["/m/a.js"], why: "a static import" },
  {
    source: `import "./a.js"; export * from './b.mjs'`,
    files: ["/m/a.js", "/m/b.mjs"],
    why: "both",
  },
  { source: `export { c } from "../c.ts";`, files: ["/c.ts"], why: "from above" },
  { source: `import x from "/x.js";`, files: ["/x.js"], why: "an absolute path" },
  { source: `import x from "file:///y.js";`, files: ["/y.js"], why: "a URL" },
  { source: `import d from "./d.json" with { type: "json" };`, files: ["/m/d.json"], why: "JSON" },
  { source: `const x = await import("./e.js");`, files: ["/m/e.js"], why: "a dynamic import" },
  { source: `import "./\\x61.js";`, files: ["/m/a.js"], why: "an escape" },
  { source: `import "./a%20b.js";`, files: ["/m/a b.js"], why: "an encoded path" },
  { source: `import "./a.js?v=1#x";`, files: ["/m/a.js"], why: "a query" },
  {
    source:
      `import "npm:x"; import "node:fs"; import "fs"; import "https://x.org/y.js"; import "jsr:@a/b";`,
    files: [],
    why: "nothing that is a file here",
  },
  { source: `import type { T } from "./t.ts"; const x: T = 1;`, files: [], why: "a type" },
  { source: `// import "./a.js"\nconst s = 'import "./b.js"';`, files: [], why: "no code" },
  { source: `await import("./" + name);`, files: [], isOpen: true, why: "a name that is computed" },
  { source: "await import(`./${name}.js`);", files: [], isOpen: true, why: "a template" },
  { source: "await import(`./a.js`);", files: ["/m/a.js"], why: "a template that is fixed" },
  {
    source: `new Worker(new URL("./w.js", import.meta.url).href)`,
    files: ["/m/w.js"],
    why: "a worker",
  },
  {
    source: `Deno.readTextFileSync(new URL("./d.json", import.meta.url))`,
    data: ["/m/d.json"],
    why: "data that is read",
  },
  { source: `fetch(new URL("./x", "http://x.org"))`, files: [], why: "another base" },
  {
    source: `const x = require("./x");`,
    files: ["/m/x", "/m/x.js", "/m/x.cjs", "/m/x.json", "/m/x/index.js"],
    why: "CommonJS",
  },
  { source: `import "./a.js"; const x = "`, files: [], isOpen: true, why: "a syntax error" },
];

Deno.test("importsOf() names the files that a source imports", async () => {
  await readModuleGraph("/nowhere.js");
  assert.ok(SOURCES.length > 0);
  for (const { source, files = [], data = [], isOpen = false, why } of SOURCES) {
    assert.deepEqual(importsOf(source, BASE), { files, data, isOpen }, why);
  }
});

Deno.test("importsOf() takes any text", async () => {
  await readModuleGraph("/nowhere.js");
  for (const text of HOSTILE_TEXTS) {
    for (const source of [text, `import "${text}"`, `import(${text})`]) importsOf(source, BASE);
  }
});

Deno.test("readModuleGraph() follows imports, circles and links, and files that are not there", async () => {
  await using folder = await TempFolder.make();
  await folder.write("m/f.js", `import "./lib/a.js"; import "./missing.js";`);
  await folder.write("m/lib/a.js", `import "../f.js"; import "./linked.js";`);
  await folder.write("other/real.js", `import "./beside.js";`);
  await folder.write("m/unrelated.js", "");
  await Deno.symlink("../../other/real.js", folder.join("m/lib/linked.js"));
  const graph = await readModuleGraph(folder.join("m/f.js"));
  assert.deepEqual(
    [...graph.files.keys()].map((path) => path.slice(folder.path.length + 1)),
    ["m/f.js", "m/lib/a.js", "m/missing.js", "m/lib/linked.js", "m/lib/beside.js"],
  );
  assert.equal(graph.isOpen, false);
  const looks = [...graph.files.values()];
  await Deno.writeTextFile(folder.join("other/real.js"), "// changed");
  const later = [...(await readModuleGraph(folder.join("m/f.js"))).files.values()];
  assert.notEqual(looks[3], later[3], "a change behind a link is seen");
  assert.equal(looks[1], later[1]);
});

const WORKERS: { files: Record<string, string>; may: boolean; why: string }[] = [
  { files: { f: "export default () => 1;" }, may: false, why: "nothing of the kind" },
  { files: { f: "// networkers" }, may: false, why: "a longer word" },
  { files: { f: `new Worker("data:,")` }, may: true, why: "a worker" },
  { files: { f: `globalThis["Worker"]` }, may: true, why: "its name in a text" },
  { files: { f: `import * as w from "node:worker_threads";` }, may: true, why: "Node's threads" },
  { files: { f: `import "./a.js";`, a: "const W = Worker;" }, may: true, why: "in an import" },
  { files: { f: `import "./a.js";`, a: "1" }, may: false, why: "an import without" },
  { files: { f: "await import(name);" }, may: true, why: "an import without a name" },
  { files: { f: `import "./missing.js";` }, may: true, why: "a file that is not there" },
  { files: { f: `import "./node_modules/x/a.js";` }, may: true, why: "a package" },
  { files: { f: `createRequire(import.meta.url)("x");` }, may: true, why: "a package of CommonJS" },
];

Deno.test("readModuleGraph() tells what may start workers", async () => {
  for (const { files, may, why } of WORKERS) {
    await using folder = await TempFolder.make();
    for (const [name, code] of Object.entries(files)) await folder.write(`${name}.js`, code);
    const { mayStartWorkers } = await readModuleGraph(folder.join("f.js"));
    assert.equal(mayStartWorkers, may, why);
  }
});

Deno.test("readModuleGraph() is open where there are too many files, and ends", async () => {
  await using folder = await TempFolder.make();
  const lines = Array.from({ length: 1500 }, (_, i) => `import "./m${i}.js";`).join("\n");
  await folder.write("f.js", lines);
  const graph = await readModuleGraph(folder.join("f.js"));
  assert.equal(graph.isOpen, true);
  assert.ok(graph.files.size <= 1000);
});
