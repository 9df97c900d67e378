/**
 * @module
 * What an operator finds in the log of a function that fails, prints, or is refused something: enough to
 * repair it, in words of modules.ini, under the name of the function.
 */
import assert from "node:assert/strict";
import { FunctionServer } from "../functions.ts";
import { TempFolder } from "../program.ts";

/** Functions that fail, and the log line of that. */
const FAILURES: { name: string; code: string; line: RegExp }[] = [
  {
    name: "thrown_object",
    code: `throw { status: 404, message: "no such device" };`,
    line: /thrown_object failed: \{ status: 404, message: "no such device" \}/,
  },
  {
    name: "cause",
    code: `throw new Error("no printer", { cause: new Error("ECONNREFUSED 192.0.2.7:9100") });`,
    line:
      /cause failed: Error: no printer \(file:\S+cause\.js:\d+:\d+\); cause: Error: ECONNREFUSED 192/,
  },
  {
    name: "aggregate",
    code: `return Promise.any([Promise.reject(new Error("refused")), Promise.reject("timeout")]);`,
    line: /aggregate failed: AggregateError: .*; errors: Error: refused .*, timeout/,
  },
  {
    name: "coded",
    code: `class DbError extends Error { code = "SQLITE_BUSY"; } throw new DbError();`,
    line: /coded failed: DbError \[SQLITE_BUSY\] \(file:/,
  },
  {
    name: "lines",
    code: `throw new Error("first line\\nsecond line says what to do");`,
    line: /lines failed: Error: first line \| second line says what to do \(/,
  },
];

/** What functions print, and the log line of that. */
const PRINTS: { name: string; code: string; lines: RegExp[] }[] = [
  {
    name: "filled",
    code:
      `console.log("%s has %d items, %o", "cart", 3, { a: 1 }); console.error("100%% %i", 7.9);`,
    lines: [
      /INFO functions\.filled: cart has 3 items, \{ a: 1 \}\n/,
      /ERROR functions\.filled: 100% 7\n/,
    ],
  },
  {
    name: "methods",
    code:
      `console.assert(false, "text"); console.count("n"); console.group("g"); console.log("in");`,
    lines: [
      /ERROR functions\.methods: Assertion failed: text\n/,
      /INFO functions\.methods: n: 1\n/,
      /INFO functions\.methods: g\n/,
      /INFO functions\.methods: {3}in\n/,
    ],
  },
  {
    name: "node",
    code:
      `process.stdout.write("by Node"); process.stderr.write("loud\\n"); process.emitWarning("old API");`,
    lines: [
      /INFO functions\.node: by Node\n/,
      /WARNING functions\.node: loud\n/,
      /WARNING functions\.node: \(node:\d+\) Warning: old API\n/,
    ],
  },
  {
    name: "pieces",
    code: `const b = new TextEncoder().encode("häß\\nnext\\n");
      for (const each of b) Deno.stdout.writeSync(new Uint8Array([each]));`,
    lines: [/INFO functions\.pieces: häß\n/, /INFO functions\.pieces: next\n/],
  },
  {
    name: "long",
    code: `console.log("x".repeat(100_000) + "\\nleft out");`,
    lines: [/INFO functions\.long: x{1999}…\n/],
  },
  {
    name: "hostile",
    code: `console.log({ get x() { throw 1; } }, new Proxy({}, { get() { throw 2; } }));`,
    lines: [/INFO functions\.hostile: \{ x: \[Getter\] \}/],
  },
  {
    name: "later",
    code: `setTimeout(() => { throw { code: 42 }; }); Promise.reject({ code: 43 });`,
    lines: [
      /ERROR functions\.later: Uncaught \{ code: 42 \}/,
      /ERROR functions\.later: Unhandled rejection: \{ code: 43 \}/,
    ],
  },
];

/** What no function here was granted, and how the log says so. */
const REFUSED: { code: string; words: string | RegExp }[] = [
  { code: "Deno.readTextFileSync('/etc/passwd')", words: "add Read=/etc/passwd to [NAME] in" },
  { code: "(await import('node:fs')).readFileSync('../x')", words: "add Read=../x to [NAME] in" },
  { code: "Deno.writeTextFileSync('data/new', '')", words: "add Write=data/new to [NAME] in" },
  {
    code: "await fetch('https://api.example.org/now')",
    words: "add Net=api.example.org:443 to [NAME] in modules.ini",
  },
  { code: "Deno.listen({ port: 0 })", words: "add Net=0.0.0.0:0 to [NAME] in modules.ini" },
  { code: "Deno.env.get('MSP_X')", words: "add Env=MSP_X to [NAME] in modules.ini" },
  { code: "process.env.NODE_ENV", words: "functions get only variables that begin with MSP_" },
  { code: "Deno.env.toObject()", words: "a function can read only the variables that Env names" },
  { code: "new Deno.Command('/bin/true').outputSync()", words: "cannot start or signal programs" },
  { code: "Deno.dlopen('libc.so.6', {})", words: "cannot load native code" },
  { code: "Deno.hostname()", words: "cannot ask the system for hostname" },
  { code: "await Deno.makeTempFile()", words: "there is no temporary folder" },
  { code: "Deno.symlinkSync('a', 'modules/b')", words: /cannot (?:create|have every path)/ },
  { code: "await import('npm:left-pad')", words: "npm: imports are not available" },
  { code: "await import('https://example.org/x.js')", words: /example\.org\S* cannot be imported/ },
  { code: "await import('file:///etc/passwd')", words: /add Read=\/etc\/passwd|the kernel's wall/ },
  {
    code: "Deno.readTextFileSync('data/given/out')",
    words: "the kernel's wall: [NAME] in modules.ini",
  },
];

function refusedCode(name: string): string {
  const tries = REFUSED.map(({ code }, i) =>
    `try { ${code}; throw new Error("allowed"); } catch (error) { console.error("${i}:", error); }`
  );
  return `// ${name}\nexport async function entry_call() { ${tries.join("\n")} }`;
}

Deno.test("the log says why functions fail, what they print, and what to grant", async () => {
  await using folder = await TempFolder.make();
  await folder.write("outside/file", "");
  await folder.write("data/given/file", "");
  await Deno.symlink("../../outside/file", folder.join("data/given/out"));
  const modules = Object.fromEntries(
    [...FAILURES, ...PRINTS].map(({ name, code }) => [
      name,
      `import process from "node:process"; export const entry_call = () => { ${code} };`,
    ]),
  );
  await using functions = await FunctionServer.start(folder, {
    modules: { ...modules, refused: refusedCode("refused") },
    sections: "[refused]\nRead=data/given\n",
  });
  const { server } = functions;
  for (const { name, line } of FAILURES) {
    assert.equal(await functions.call(name), 401, name);
    await server.waitForLog(line);
  }
  for (const { name, lines } of PRINTS) {
    assert.equal(await functions.call(name), "null", name);
    for (const line of lines) await server.waitForLog(line);
  }
  assert.equal(await functions.call("refused"), "null");
  await server.waitForLog(new RegExp(`functions\\.refused: ${REFUSED.length - 1}:`));
  for (const [i, { code, words }] of REFUSED.entries()) {
    const [line = ""] = new RegExp(`ERROR functions\\.refused: ${i}: .*`).exec(server.err) ?? [];
    if (typeof words !== "string") assert.match(line, words, code);
    else assert.ok(line.includes(words.replace("NAME", "refused")), `${code}: ${line}`);
  }
  assert.doesNotMatch(server.err, /--allow-|deno compile|run again|JsErrorBox|\[object Object\]/);
});
