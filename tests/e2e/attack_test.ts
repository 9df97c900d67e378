/**
 * @module
 * Malicious functions against the server itself: its memory, its log, its CPU and the answers of others.
 *
 * What else a malicious function tries is in tests/wall_probe.js (files, links by every API and WASI,
 * network, descriptors, signals, environment, SQLite, Cache API, npm, operations of the runtime), in
 * wall_neighbours_test.ts (results and connections of others, a server that is killed) and in
 * tests/unit/functions/service_test.ts (CPU after a call).
 */
import assert from "node:assert/strict";
import { FunctionServer, waitUntil } from "../functions.ts";
import { run, TempFolder } from "../program.ts";

/** Megabytes of each text that a function sends. */
const SIZE = 24;
/** What the server may grow by, however much functions send. */
const MAX_GROWTH_MB = 100;
/** What all attacks together may write to the log. */
const MAX_LOG_BYTES = 150_000;

const BIG = `"A".repeat(${SIZE} * 1048576)`;
/** Writes to the process's own standard output, past what is caught. */
const RAW = `const core = Deno[Deno.internal].core;
  const raw = core.print ? (s) => core.print(s, false) : (s) => core.ops.op_print(s, false);`;
const REFUSED = 401;

/** Learns from the host's code, which shares the isolate, what begins each of its messages. */
const FORGE = `const { encode } = TextEncoder.prototype;
  let token = "";
  TextEncoder.prototype.encode = function (text) {
    token ||= /^\\n([0-9a-f-]{36})\\[/.exec(text)?.[1] ?? "";
    return encode.call(this, text);
  };
  console.log("a line");
  TextEncoder.prototype.encode = encode;
  const core = Deno[Deno.internal].core;
  const tell = (...message) => core.print("\\n" + token + JSON.stringify(message) + "\\n", true);`;

interface Attack {
  readonly name: string;
  /** Body of the function. */
  readonly code: string;
  /** The answer. */
  readonly answer: string | number;
  /** In the log. */
  readonly log?: RegExp;
}

const ATTACKS: readonly Attack[] = [
  {
    name: "posts_long_texts",
    code: `const s = ${BIG}; for (let i = 0; i < 3; i++) self.postMessage(s); return "posted";`,
    answer: "posted",
    log: /posts_long_texts: It posted a message of its own/,
  },
  {
    name: "posts_a_long_result",
    code: `const big = ${BIG};
      for (let id = 1; id < 7; id++) {
        self.postMessage({ outcomes: [[id, "text", { length: 0, big }]], hasReturned: false });
      }
      return "own";`,
    answer: "own",
  },
  {
    name: "posts_many",
    code: `for (let i = 0; i < 50_000; i++) self.postMessage({ output: "x", level: "info" });
      return "posted";`,
    answer: "posted",
  },
  {
    name: "posts_odd_fields",
    code: `for (const each of [null, 1, [], {}, { outcomes: {} }, { outcomes: [[]] },
        { outcomes: [[-1, "text", "x"], [1e99, "text", "x"], [1, "text"]] }, { loaded: 1 },
        { leftOut: -1e300 }, { output: {}, level: "info" }, { output: "x", level: "constructor" },
        { started: 1 }, { failed: {} }, { outcomes: "x".repeat(1e6) }]) self.postMessage(each);
      return "posted";`,
    answer: "posted",
  },
  {
    name: "throws_a_long_text",
    code: `throw new Error(${BIG});`,
    answer: REFUSED,
    log: /function throws_a_long_text failed: Error: A{1400,2000}…/,
  },
  {
    name: "throws_many_lines",
    code: `throw new Error("a\\n".repeat(1_000_000));`,
    answer: REFUSED,
    log: /function throws_many_lines failed: Error: a \| a \| a/,
  },
  {
    name: "rejects_with_an_object",
    code: `return Promise.reject({ text: ${BIG}, list: new Array(1e6).fill(${"{}"}) });`,
    answer: REFUSED,
    log: /function rejects_with_an_object failed: \{/,
  },
  { name: "public_and_long", code: `throw new PublicError(${BIG});`, answer: REFUSED },
  {
    name: "returns_a_long_text",
    code: `return ${BIG};`,
    answer: REFUSED,
    log: /function returns_a_long_text is larger than its MaxResult/,
  },
  {
    name: "logs_long_texts",
    code: `console.log(${BIG}); call.log.warn(${BIG}); return "ok";`,
    answer: "ok",
  },
  {
    name: "writes_one_line",
    code: `${RAW} const s = "x".repeat(1048576); for (let i = 0; i < 200; i++) raw(s);
      return new Promise(() => {});`,
    answer: REFUSED,
    log: /Function process exited: it (?:wrote|sent)/,
  },
  {
    name: "writes_empty_lines",
    code: `${RAW} const s = "\\n".repeat(65536); for (let i = 0; i < 200; i++) raw(s);
      return new Promise(() => {});`,
    answer: REFUSED,
    log: /Function process exited: it (?:wrote|sent)/,
  },
  {
    name: "writes_by_descriptor",
    code: `for (const write of [
        () => fs.writeSync(1, "by descriptor\\n"), () => fs.writeSync(2, "by descriptor\\n"),
        () => fs.writevSync(1, [new TextEncoder().encode("by descriptor\\n")]),
        () => new net.Socket({ fd: 1, readable: false }).on("error", () => {}).write("by socket\\n"),
        () => new tty.WriteStream(2).on("error", () => {}).write("by terminal\\n"),
        () => fs.ftruncateSync(1, 0)]) {
        try { write(); } catch { /* Refused. */ }
      }
      return "written";`,
    answer: "written",
  },
  {
    name: "forges_lines",
    code: `${FORGE} for (let i = 0; i < 1000; i++) tell("output", 0, "error", "forged " + i);
      return token && "forged";`,
    answer: "forged",
    log: /ERROR functions\.forges_lines: forged 0\n/,
  },
  {
    name: "forges_without_end",
    code: `${FORGE} for (let i = 0; i < 100_000; i++) tell("alive", 0);
      return "forged";`,
    answer: REFUSED,
    log: /Function process exited: it wrote too much output/,
  },
  {
    name: "forges_times",
    code: `${FORGE} for (let i = 0; i < 100; i++) tell("cpu", 1e12);
      return token && "forged";`,
    answer: "forged",
  },
  {
    name: "forges_what_others_say",
    code: `${FORGE} for (const worker of [0, 1, 1e9]) {
        tell("loading", worker); tell("loaded", worker, { title: "T" });
        tell("failed", worker, "other", "does not load"); tell("left out", worker, 7);
      }
      return token && "forged";`,
    answer: "forged",
  },
  {
    name: "reads_the_servers_messages",
    code: `return fs.readSync(0, new Uint8Array(100_000));`,
    answer: REFUSED,
    log: /function reads_the_servers_messages (?:took longer|failed: BadResource)/,
  },
];

/** A module that may start workers runs in one. */
const IN_A_WORKER = "/* Worker */ ";
const IMPORTS =
  `import fs from "node:fs"; import net from "node:net"; import tty from "node:tty";\n`;

Deno.test("malicious functions cost neither the server's memory nor its log nor others anything", async () => {
  await using folder = await TempFolder.make();
  const modules = Object.fromEntries(ATTACKS.map(({ name, code }) => [
    name,
    `${/by_|reads/.test(name) ? IMPORTS : ""}${
      name.startsWith("posts") ? IN_A_WORKER : ""
    }export const entry_call = (call) => { ${code} };`,
  ]));
  // What writes to the process's own output ends it, and is alone in it.
  const sections = ATTACKS.map(({ name }) => {
    // It waits for bytes that never come.
    const seconds = name.startsWith("reads") ? 1 : 60;
    return `[${name}]\nProcess=own\nTimeout=${seconds}\nMaxResult=100000\n`;
  });
  await using functions = await FunctionServer.start(folder, {
    modules: { ...modules, good: "export const entry_call = () => 'good';" },
    sections: sections.join(""),
  });
  const { server } = functions;
  const before = await peakMegabytes(server.pid);
  for (const { name, answer, log } of ATTACKS) {
    const attack = functions.call(name);
    assert.equal(await functions.call("good"), "good", `during ${name}`);
    assert.equal(await attack, answer, `${name}: ${server.err.slice(-2000)}`);
    if (log !== undefined) await server.waitForLog(log);
    assert.equal(await functions.call("good"), "good", `after ${name}`);
  }
  const forged = server.err.match(/ forged \d+\n/g) ?? [];
  assert.ok(forged.length < 100, `${forged.length} forged lines`);
  const growth = await peakMegabytes(server.pid) - before;
  assert.ok(growth < MAX_GROWTH_MB, `the server grew by ${growth} MB`);
  await waitUntil(async () => (await folder.read("log/latest.log")).length > 0, "a log");
  const { size } = await Deno.stat(folder.join("log/latest.log"));
  assert.ok(size < MAX_LOG_BYTES, `the log has ${size} bytes`);
});

/** The most memory that a process had. */
async function peakMegabytes(pid: number): Promise<number> {
  // Deno reads /proc with full permissions only.
  const { out } = await run(["cat", `/proc/${pid}/status`], { cwd: "/" });
  return Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(out)?.[1]) / 1024);
}
