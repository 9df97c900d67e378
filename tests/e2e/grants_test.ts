/**
 * @module
 * Which process a function runs in, and what becomes of its grants when files, links and modules.ini
 * change.
 */
import assert from "node:assert/strict";
import { FunctionServer, isAlive, waitUntil, writeModules } from "../functions.ts";
import { RUNTIME, TempFolder } from "../program.ts";

const PID = "export const entry_call = () => Deno.pid;";
const READ = `export const entry_call = async () => {
  try { return await Deno.readTextFile("data/file"); } catch (error) { return error.name; }
};`;

Deno.test("functions share a process as long as they were granted nothing", async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(folder.join("data"));
  const names = ["a", "b", "own", "reads", "asks"];
  await using functions = await FunctionServer.start(folder, {
    modules: Object.fromEntries(names.map((name) => [name, PID])),
    sections: "[own]\nProcess=own\n[reads]\nRead=data\n[asks]\nEnv=MSP_TOKEN\n",
    env: { MSP_TOKEN: "x" },
  });
  const pids = await Promise.all(names.map((name) => functions.call(name)));
  const [a, b, own, reads, asks] = pids;
  for (const pid of pids) assert.match(String(pid), /^\d+$/);
  assert.equal(a, b);
  assert.equal(new Set([a, own, reads, asks]).size, 4);
});

Deno.test("a function with a grant cannot share its process", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: { f: PID },
    sections: "[f]\nProcess=shared\nEnv=MSP_TOKEN\n",
    env: { MSP_TOKEN: "x" },
  });
  assert.equal(await functions.call("f"), 401);
  assert.match(
    functions.server.err,
    /\[f\] has a grant, and Process=shared is for functions without: leave it out/,
  );
});

Deno.test("a grant whose folder is missing is one line, and takes effect when it is there", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: { f: READ },
    sections: "[f]\nRead=data\n",
  });
  assert.equal(await functions.call("f"), 401);
  assert.match(
    functions.server.err,
    /Cannot load function f: (\S*data) does not exist \(create it: mkdir -p \1\)\n/,
  );
  await folder.write("data/file", "there now");
  await functions.waitForAnswer("f", "there now");
});

Deno.test("a function stops at once when its folder disappears, and starts when it is back", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/file", "first");
  await using functions = await FunctionServer.start(folder, {
    modules: { f: READ, other: PID },
    sections: "[f]\nRead=data\n",
  });
  assert.equal(await functions.call("f"), "first");
  const other = Number(await functions.call("other"));
  const [host = 0] = (await functions.hosts()).filter((each) => each !== other);
  await Deno.rename(folder.join("data"), folder.join("gone"));
  await functions.server.waitForLog(/Cannot load function f: \S*data does not exist .*\)\n/);
  await waitUntil(async () => !await isAlive(host), "its process ends");
  assert.equal(await functions.call("f"), 401);
  // Another folder takes the place: the kernel's rule was for the first one.
  await folder.write("data/file", "second");
  await functions.waitForAnswer("f", "second");
});

Deno.test("a folder that is replaced is granted again", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/file", "first");
  await folder.write("next/file", "second");
  await using functions = await FunctionServer.start(folder, {
    modules: { f: READ },
    sections: "[f]\nRead=data\n",
  });
  assert.equal(await functions.call("f"), "first");
  await Deno.rename(folder.join("data"), folder.join("old"));
  await Deno.rename(folder.join("next"), folder.join("data"));
  await functions.waitForAnswer("f", "second");
});

Deno.test("a link that is granted leads where it led when modules.ini was read", async () => {
  await using folder = await TempFolder.make();
  await folder.write("one/file", "one");
  await folder.write("two/file", "two");
  await Deno.symlink("one", folder.join("data"));
  await using functions = await FunctionServer.start(folder, {
    modules: { f: READ },
    sections: "[f]\nRead=data\n",
  });
  assert.equal(await functions.call("f"), "one");
  await Deno.remove(folder.join("data"));
  await Deno.symlink("two", folder.join("data"));
  for (let i = 0; i < 20; i++) {
    assert.notEqual(await functions.call("f"), "two");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

Deno.test("a grant that is forbidden after a change stops the function, where an earlier version would go on", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/file", "text");
  await folder.write("sec/x", "");
  const modules = { f: READ, good: PID };
  await using functions = await FunctionServer.start(folder, {
    modules,
    sections: "[f]\nRead=data\n",
  });
  assert.equal(await functions.call("f"), "text");
  await writeModules(folder, { modules, sections: "[f]\nRead=data,sec\n" });
  await functions.server.waitForLog(
    /Cannot load function f: \S*sec is a path that no function may reach\n/,
  );
  assert.equal(await functions.call("f"), 401);
  assert.doesNotMatch(functions.server.err, /its earlier version goes on/);
  assert.match(String(await functions.call("good")), /^\d+$/);
  await writeModules(folder, { modules, sections: "[f]\nRead=data\n" });
  await functions.waitForAnswer("f", "text");
});

Deno.test("a grant that becomes a link to the key store is refused at the next reading", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/file", "text");
  const modules = { f: READ };
  await using functions = await FunctionServer.start(folder, {
    modules,
    sections: "[f]\nWrite=data\n",
  });
  assert.equal(await functions.call("f"), "text");
  await Deno.rename(folder.join("data"), folder.join("old"));
  await Deno.symlink("sec", folder.join("data"));
  await functions.server.waitForLog(
    /Cannot load function f: \S*data leads to \S*sec, which no function/,
  );
  assert.equal(await functions.call("f"), 401);
});

/** What a function asks to write, that is the server's own or code. */
const UNWRITABLE = [
  "modules",
  "modules/f0.js",
  "modules/code",
  "modules/code/part.js",
  "log",
  "log/latest.log",
  "log/new",
  "data/../log",
  "to_modules",
  "to_code",
  "to_log",
  "data/deep/to_log",
  "data/deep/to_log/new",
];

Deno.test("no function may write to modules and log, by links and detours neither", async () => {
  await using folder = await TempFolder.make();
  await folder.write("modules/code/part.js", "");
  await folder.write("data/deep/x", "");
  await folder.write("log/latest.log", "");
  const links = { to_modules: "modules", to_code: "modules/code", to_log: "log" };
  for (const [name, target] of Object.entries(links)) {
    await Deno.symlink(target, folder.join(name));
  }
  await Deno.symlink("../../log", folder.join("data/deep/to_log"));
  const modules = Object.fromEntries(
    UNWRITABLE.map((_, i) => [`f${i}`, `import "./code/part.js"; ${PID}`]),
  );
  await using functions = await FunctionServer.start(folder, {
    modules,
    sections: UNWRITABLE.map((path, i) => `[f${i}]\nWrite=${path}\n`).join(""),
  });
  for (const [i, path] of UNWRITABLE.entries()) {
    assert.equal(await functions.call(`f${i}`), 401, path);
    const line = new RegExp(
      `Cannot load function f${i}: \\S+ (?:leads to \\S*(?:modules|log)\\S*, which|is a path that) ` +
        "(?:is code: )?no function may write to",
    );
    assert.match(functions.server.err, line, path);
  }
});

Deno.test("modules behind links work: a file, a folder, and what they import", async () => {
  await using folder = await TempFolder.make();
  await folder.write("shared/linked.js", `export { entry_call } from "./helper.js";`);
  await folder.write("shared/helper.js", "export const entry_call = () => 'from a linked file';");
  await folder.write("library/deep/text.js", "export default 'from a linked folder';");
  await folder.write("modules/x", "");
  await Deno.symlink("../shared/linked.js", folder.join("modules/linked.js"));
  await Deno.symlink("../shared/helper.js", folder.join("modules/helper.js"));
  await Deno.symlink("../library", folder.join("modules/library"));
  await using functions = await FunctionServer.start(folder, {
    modules: {
      imports: `import text from "./library/deep/text.js"; export const entry_call = () => text;`,
    },
    sections: "",
  });
  await folder.write("config/modules.ini", "[Modules]\nimports=imports\nlinked=linked\n");
  await functions.waitForAnswer("linked", "from a linked file");
  await functions.waitForAnswer("imports", "from a linked folder");
});

Deno.test("a function sees files that other programs put into its folder", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/file", "first");
  await using functions = await FunctionServer.start(folder, {
    modules: { f: READ },
    sections: "[f]\nRead=data\n",
  });
  assert.equal(await functions.call("f"), "first");
  await folder.write("data/new", "second");
  await Deno.rename(folder.join("data/new"), folder.join("data/file"));
  assert.equal(await functions.call("f"), "second");
});

Deno.test("MaxFile limits what a function writes into one file", async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(folder.join("data"));
  const code = `export const entry_call = () => {
    try { Deno.writeFileSync("data/big", new Uint8Array(1_500_000)); return "written"; }
    catch (error) { return error.message; }
  };`;
  await using functions = await FunctionServer.start(folder, {
    modules: { small: code, large: code },
    sections: "[small]\nWrite=data\nMaxFile=1\n[large]\nWrite=data\n",
  });
  assert.match(String(await functions.call("small")), /File too large/);
  assert.equal(await functions.call("large"), "written");
});

const SERVICES = `
import net from "node:net";
const local = (port) => Deno.connect({ hostname: "127.0.0.1", port }).then((c) => (c.close(), "connected"), (e) => e.name);
export const entry_call = async () => [
  await local(GRANTED), await local(OTHER),
  await new Promise((done) => net.connect(OTHER, "127.0.0.1").on("error", (e) => done(e.code)).on("connect", () => done("connected"))),
  await fetch("http://localhost:GRANTED/").then((r) => r.text(), (e) => e.name),
].join();`;

Deno.test("Net gives a function its ports, by names too", async () => {
  await using folder = await TempFolder.make();
  await using service = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("page"),
  );
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = String((service.addr as Deno.NetAddr).port);
  const code = SERVICES.replaceAll("GRANTED", port).replaceAll("OTHER", String(other.addr.port));
  await using functions = await FunctionServer.start(folder, {
    modules: { f: code },
    sections: `[f]\nNet=127.0.0.1:${port},localhost:${port}\n`,
  });
  const denied = RUNTIME.isExecutable ? /NotCapable/ : /NotCapable|ERR_ACCESS_DENIED/;
  const [granted, refused, refusedByNode, page] = String(await functions.call("f")).split(",");
  assert.deepEqual([granted, page], ["connected", "page"]);
  assert.match(refused ?? "", denied);
  assert.notEqual(refusedByNode, "connected");
});
