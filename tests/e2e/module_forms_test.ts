/**
 * @module
 * Modules as people write them and keep them: forms of code, results that JSON cannot carry, files beside
 * them that other tools read, and modules.ini among them.
 */
import assert from "node:assert/strict";
import { FunctionServer } from "../functions.ts";
import { callServer, registerClient } from "../registered.ts";
import { ServerProcess, TempFolder } from "../program.ts";

interface Form {
  /** Of the module's file. */
  readonly file: string;
  readonly code: string;
  readonly answer?: string;
  /** In the log, where there is no answer. */
  readonly fault?: RegExp;
}

const FORMS: readonly Form[] = [
  { file: "default.mjs", code: `export default () => "default";`, answer: "default" },
  { file: "camel.js", code: `export function entryCall() { return 1; }`, answer: "1" },
  { file: "bom.js", code: `\ufeffexport const entry_call = () => "bom";\r\n`, answer: "bom" },
  { file: "shebang.js", code: `#!/usr/bin/env node\nexport default () => "she";`, answer: "she" },
  {
    file: "awaits.js",
    code: `const x = await Promise.resolve("x"); export default () => x;`,
    answer: "x",
  },
  {
    file: "json.js",
    code: `import d from "./lib/data.json" with { type: "json" }; export default () => d;`,
    answer: '{"a":1}',
  },
  {
    file: "circle.js",
    code: `import { b } from "./lib/b.js"; export const a = "a"; export default () => b();`,
    answer: "ab",
  },
  {
    file: "later.js",
    code: `export default async () => (await import("./lib/util.js")).x;`,
    answer: "1",
  },
  {
    file: "sqlite.js",
    code: `import { DatabaseSync } from "node:sqlite";
      export default () => new DatabaseSync(":memory:").prepare("select 1 as x").get();`,
    answer: '{"x":1}',
  },
  {
    file: "worker.js",
    code: `export default () => new Promise((done) => {
      new Worker("data:text/javascript,postMessage(42)", { type: "module" }).onmessage = (e) => done(e.data);
    });`,
    answer: "42",
  },
  {
    file: "threads.js",
    code: `import { Worker } from "node:worker_threads";
    export default () => new Promise((done) => {
      const code = "import { parentPort } from 'node:worker_threads'; parentPort.postMessage(42);";
      const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent(code)));
      worker.on("message", done).on("error", (error) => done(error.message));
    });`,
    answer: "42",
  },
  {
    file: "window.js",
    code: `const names = ["alert", "confirm", "prompt", "localStorage", "sessionStorage"];
      export default () => names.filter((name) => name in globalThis);`,
    answer: "[]",
  },
  {
    file: "cjs.js",
    code: `module.exports = { entry_call: () => 1 };`,
    fault:
      /cjs\.js does not load: \w+Error: module is not defined|cjs\.js exports no function entry_call/,
  },
  {
    file: "ending.cjs",
    code: `exports.entry_call = () => 1;`,
    fault: /there is no ending\.ts, \.js, \.mjs in \S*modules, but ending\.cjs/,
  },
  { file: "Upper.js", code: `export default () => 1;`, answer: "1" },
  {
    file: "python.py",
    code: `def entry_call(): pass`,
    fault: /but python\.py \(write it again in JavaScript\)/,
  },
  {
    file: "object.js",
    code: `export default { entry_call: () => 1 };`,
    fault: /object\.js exports no function entry_call/,
  },
  {
    file: "klass.js",
    code: `export default class { entry_call() {} }`,
    fault: /klass\.js exports a class, not a function/,
  },
  {
    file: "nothing.js",
    code: `function entry_call() {}`,
    fault: /nothing\.js exports no function entry_call/,
  },
  {
    file: "syntax.js",
    code: `export const entry_call = () => {\n  return "x"\n`,
    fault: /syntax\.js does not load: \w*Error: .*syntax\.js:\d/,
  },
  {
    file: "noending.js",
    code: `import { x } from "./lib/util"; export default () => x;`,
    fault: /noending\.js does not load: .*lib\/util/,
  },
  {
    file: "web.js",
    code: `import x from "https://example.org/x.js"; export default () => x;`,
    fault: /example\.org\S* cannot be imported/,
  },
  {
    file: "exits.js",
    code: `import { exit } from "node:process"; export default () => exit(0);`,
    fault: /exits failed: Error: a function cannot end itself/,
  },
  {
    file: "reallyexits.js",
    code: `import p from "node:process"; export default () => p.reallyExit(0);`,
    fault: /reallyexits failed: Error: a function cannot end itself/,
  },
];

/** What functions return, and the answer or what the log says that JSON cannot carry. */
const RESULTS: readonly { code: string; answer?: string; holds?: string }[] = [
  { code: "undefined", answer: "null" },
  { code: "NaN", answer: "null" },
  { code: "new Date(0)", answer: '"1970-01-01T00:00:00.000Z"' },
  { code: `new URL("http://x/")`, answer: '"http://x/"' },
  { code: `new String("text")`, answer: '"text"' },
  { code: `"a\\0b\\r\\n\\ufeff"`, answer: "a\0b\r\n\ufeff" },
  { code: `"a\\ud800b"`, answer: "a\ufffdb" },
  { code: "({ u: undefined, n: null })", answer: '{"n":null}' },
  // tests/unit/functions/host/result_test.ts has the others.
  { code: "({ n: [10n] })", holds: "BigInt" },
  { code: "({ deep: [new Set([1])] })", holds: "a Set at \\.deep\\[0\\]" },
  { code: `new Response("x")`, holds: "a Response" },
];

for (const place of ["shared", "own"]) {
  Deno.test(`each form of a module and of a result works in a process that is ${place}, or the log says why not`, async () => {
    await using folder = await TempFolder.make();
    await folder.write("modules/lib/data.json", '{"a": 1}');
    await folder.write("modules/lib/util.js", "export const x = 1;");
    await folder.write(
      "modules/lib/b.js",
      `import { a } from "../circle.js"; export const b = () => a + "b";`,
    );
    const modules = Object.fromEntries([
      ...FORMS.map(({ file, code }) => [file, code]),
      ...RESULTS.map(({ code }, i) => [`result${i}.js`, `export default async () => ${code};`]),
    ]);
    const nameOf = (file: string): string => file.replace(/\.\w+$/, "").toLowerCase();
    const sections = Object.keys(modules).map((file) => `[${nameOf(file)}]\nProcess=${place}\n`);
    await using functions = await FunctionServer.start(folder, {
      modules,
      sections: sections.join(""),
    });
    const { server } = functions;
    for (const { file, answer, fault } of FORMS) {
      const name = nameOf(file);
      assert.equal(await functions.call(name), answer ?? 401, file);
      if (fault !== undefined) await server.waitForLog(fault);
    }
    for (const [i, { code, answer, holds }] of RESULTS.entries()) {
      assert.equal(await functions.call(`result${i}`), answer ?? 401, code);
      if (holds === undefined) continue;
      await server.waitForLog(new RegExp(`result${i} failed: TypeError: .*${holds}`));
    }
  });
}

/** Files that other tools leave beside the modules. */
const BESIDE: Readonly<Record<string, string>> = {
  "modules/package.json": '{"type":"commonjs"}',
  "modules/caf\u00e9 1.js": "not a module",
  "deno.json": '{"imports":{"x":"./nope.js"},"lock":true}',
  "node_modules/x/package.json": "{}",
};
const PACKAGE_JSONS = ["{}", '{"type":"commonjs"}', "{ broken"];

Deno.test("files of other tools beside the modules, and modules.ini among them, change nothing", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  for (const [path, text] of Object.entries(BESIDE)) await folder.write(path, text);
  await folder.write("modules/f.js", "export const entry_call = () => 'f';");
  await folder.write("modules/modules.ini", "[Modules]\nf=f\n");
  await folder.write("config/config.ini", "[Server]\n");
  const args = ["--modules-config", "modules/modules.ini"];
  for (const text of PACKAGE_JSONS) {
    await folder.write("package.json", text);
    await using server = await ServerProcess.start({ cwd: folder.path, args });
    assert.equal(await callServer(server.url, client, "f"), "f", `${text}: ${server.err}`);
    assert.doesNotMatch(server.err, /ERROR|WARNING/, text);
  }
});
