/**
 * @module
 * `msp functions`: what the functions of an installation are and whether they work, and one call without
 * a server.
 */
import assert from "node:assert/strict";
import { IS_ROOT, testIf } from "../conditions.ts";
import { writeModules } from "../functions.ts";
import { msp, mspOk, PROGRAM, run, RUNTIME, ServerProcess, TempFolder } from "../program.ts";

const MODULES = {
  own:
    'export const entry_call = () => { throw new PublicError("out of milk", { data: { left: 0 } }); };',
  text: `export const entry_call = () => "text\\n";`,
  json: `export const entry_call = async ({ params }) => ({ got: params ?? null });`,
  strict: `export const params = { type: "object", properties: { n: { type: "integer" } } };
    export const entry_call = ({ params: { n = 0 } }) => n + 1;`,
  throws: `export const entry_call = () => { console.log("before"); throw new Error("no"); };`,
  slow: `export const entry_call = () => new Promise(() => setInterval(() => {}, 1000));`,
  broken: `export const entry_call = (;`,
};

const RUNS: { args: string[]; out: string; err?: RegExp; code: number }[] = [
  { args: ["--run", "text"], out: "text\n\n", code: 0 },
  { args: ["--run", "TEXT"], out: "text\n\n", code: 0 },
  { args: ["--run", "json", "--params", '{"a":[1]}'], out: '{"got":{"a":[1]}}\n', code: 0 },
  { args: ["--run", "strict", "--params", '{"n":41}'], out: "42\n", code: 0 },
  {
    args: ["--run", "strict", "--params", '{"n":"x"}'],
    out: "",
    err:
      /^msp: error: Cannot run strict: the arguments do not fit .* at \/n: expected type "integer"\n$/,
    code: 1,
  },
  {
    args: ["--run", "throws"],
    out: "",
    err:
      /INFO functions\.throws: before\nmsp: error: Cannot run throws: the function failed: Error: no \(file:\S+throws\.js:1:\d+\)\n$/,
    code: 1,
  },
  {
    args: ["--run", "own"],
    out: "",
    err: /Cannot run own: the function failed: out of milk; data \{"left":0\}\n$/,
    code: 1,
  },
  {
    args: ["--run", "slow"],
    out: "",
    err: /Cannot run slow: the function took longer than its Timeout\n$/,
    code: 1,
  },
  {
    args: ["--run", "broken"],
    out: "",
    err:
      /Cannot run broken: the function cannot be loaded: .*broken\.js does not load: SyntaxError/,
    code: 1,
  },
  {
    args: ["--run", "txt"],
    out: "",
    err: /Cannot run txt: .*modules\.ini names no such function\nmsp: hint: did you mean text\?\n$/,
    code: 1,
  },
  { args: ["--params", "{}"], out: "", err: /--params is for --run/, code: 2 },
  { args: ["--run", "text", "--json"], out: "", err: /--json is for the list/, code: 2 },
  { args: ["--run", "json", "--params", "[1]"], out: "", err: /expected a JSON object/, code: 2 },
  { args: ["--run", "json", "--params", "{"], out: "", err: /expected a JSON object/, code: 2 },
];

Deno.test("msp functions --run calls one function without a server", async () => {
  await using folder = await TempFolder.make();
  await writeModules(folder, { modules: MODULES, sections: "[slow]\nTimeout=1\n" });
  await Promise.all(RUNS.map(async (row) => {
    const { code, out, err } = await msp(["functions", ...row.args], { cwd: folder.path });
    assert.deepEqual({ code, out }, { code: row.code, out: row.out }, `${row.args}: ${err}`);
    if (row.err !== undefined) assert.match(err, row.err, row.args.join(" "));
    if (row.code === 0) assert.doesNotMatch(err, /error|warning/i);
  }));
});

Deno.test("a variable without a value is named at the start, by doctor and by msp functions", async () => {
  await using folder = await TempFolder.make();
  await writeModules(folder, {
    modules: { weather: MODULES.text },
    sections: "[weather]\nEnv=MSP_TOKEN,MSP_EMPTY,MSP_SET\n",
  });
  const options = { cwd: folder.path, env: { MSP_SET: "x", MSP_EMPTY: "" } };
  {
    await using server = await ServerProcess.start(options);
    await server.waitForLog(
      /WARNING functions: Function weather: the variable MSP_TOKEN has no value\n/,
    );
    await server.waitForLog(/the variable MSP_EMPTY has no value\n/);
    assert.doesNotMatch(server.err, /MSP_SET/);
  }
  const listed = await mspOk(["functions"], options);
  assert.match(listed, /^weather: ready\n {2}the variable MSP_TOKEN has no value here\n/m);
  const [report] = JSON.parse(await mspOk(["functions", "--json"], options));
  assert.deepEqual(report.unset, ["MSP_TOKEN", "MSP_EMPTY"]);
  const { out } = await msp(["doctor"], options);
  assert.match(out, /function weather: the variable MSP_TOKEN has no value here/);
});

testIf(
  IS_ROOT && RUNTIME.isExecutable,
  "needs root, and an executable, which another user can read",
  "msp functions and doctor say which granted paths the functions' user cannot use",
  async () => {
    await using folder = await TempFolder.make();
    await Deno.chmod(folder.path, 0o755);
    await folder.write("data/secret", "");
    await Deno.chmod(folder.join("data/secret"), 0o600);
    await folder.write("data/shared", "");
    await Deno.mkdir(folder.join("data/roots"));
    await Deno.mkdir(folder.join("data/open"));
    await Deno.chmod(folder.join("data/open"), 0o777);
    await folder.write("config/config.ini", "[Functions]\nUser=65534:65534\n");
    await writeModules(folder, {
      modules: { reads: MODULES.text, writes: MODULES.text, fine: MODULES.text },
      sections: "[reads]\nRead=data/secret,data/shared\n[writes]\nWrite=data/roots,data/open\n" +
        "[fine]\nWrite=data/open\nRead=data\n",
    });
    const { code, out } = await msp(["functions", "--json"], { cwd: folder.path });
    const unusable = JSON.parse(out).map((each: { unusable?: string[] }) => each.unusable);
    const why = "Permission denied (os error 13) (functions run as user 65534:65534)";
    assert.deepEqual(unusable, [
      [`${folder.path}/data/secret cannot be read: ${why}`],
      [`${folder.path}/data/roots cannot be written: ${why}`],
      undefined,
    ]);
    assert.equal(code, 1);
    assert.deepEqual(await folder.names("data/open"), []);
    const doctor = await msp(["doctor"], { cwd: folder.path });
    assert.match(
      doctor.out,
      /function writes: \S+data\/roots cannot be written: Permission denied/,
    );
  },
);

/** Sets the title of a terminal, in two spellings; the second one stays in JSON. */
const ESCAPES = "\\x1b]0;x\\x07 \\u009d0;x\\u009c";

Deno.test("a module cannot control the terminal that msp functions writes to", async () => {
  await using folder = await TempFolder.make();
  const evil =
    `export const title = "title ${ESCAPES}\\n\\nother: ready\\n  may     nothing", description = "about ${ESCAPES}";
    export const entry_call = () => "result ${ESCAPES}";`;
  await writeModules(folder, { modules: { evil } });
  const program = PROGRAM.map((word) => `'${word}'`).join(" ");
  const lists = ["functions", "functions --json", "functions --run evil"].map(async (words) => {
    const line = ["script", "-qec", `NO_COLOR=1 ${program} ${words}`, "/dev/null"];
    const { out } = await run(line, { cwd: folder.path });
    assert.match(out, /(?:title|result) .*0;x/, words);
    assert.doesNotMatch(out, /[^\P{Cc}\r\n\t]/u, words);
  });
  await Promise.all(lists);
  const piped = await mspOk(["functions"], { cwd: folder.path });
  assert.doesNotMatch(piped, /[^\P{Cc}\n]|^other/mu);
});
