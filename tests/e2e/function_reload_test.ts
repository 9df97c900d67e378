import assert from "node:assert/strict";
import { FunctionServer, waitUntil } from "../functions.ts";
import { run, TempFolder } from "../program.ts";

const version = (text: string): string => `export const entry_call = () => "${text}";`;

/** Calls without a pause until something is so; every answer must be one of the allowed. */
async function callUntil(
  functions: FunctionServer,
  name: string,
  { allowed, until }: { allowed: readonly string[]; until: string },
): Promise<number> {
  const end = performance.now() + 10_000;
  for (let count = 1;; count++) {
    const answer = await functions.call(name);
    assert.ok(allowed.includes(String(answer)), `answer ${answer} after ${count} calls`);
    if (answer === until) return count;
    assert.ok(performance.now() < end, `${until} did not come`);
  }
}

const WAYS: { way: string; replace: (folder: TempFolder) => Promise<void> }[] = [
  {
    way: "written over",
    replace: (folder) => folder.write("modules/f.js", version("new")),
  },
  {
    way: "replaced by rename",
    async replace(folder): Promise<void> {
      await folder.write("modules/f.js.tmp", version("new"));
      await Deno.rename(folder.join("modules/f.js.tmp"), folder.join("modules/f.js"));
    },
  },
  {
    way: "removed and made anew",
    async replace(folder): Promise<void> {
      await Deno.remove(folder.join("modules/f.js"));
      await folder.write("modules/f.js", version("new"));
    },
  },
  {
    way: "replaced with its folder",
    async replace(folder): Promise<void> {
      await folder.write("next/f.js", version("new"));
      await Deno.rename(folder.join("modules"), folder.join("old"));
      await Deno.rename(folder.join("next"), folder.join("modules"));
    },
  },
  {
    way: "checked out by git",
    async replace(folder): Promise<void> {
      const script = "git init -q . && git add f.js && git -c user.name=a -c user.email=a@b " +
        "commit -qm a && printf '%s' \"$0\" > f.js && git -c user.name=a -c user.email=a@b " +
        "commit -qam b && git checkout -q HEAD~ && git checkout -q -";
      const cwd = folder.join("modules");
      const { code, err } = await run(["bash", "-c", script, version("new")], {
        cwd,
        env: { HOME: cwd },
      });
      assert.equal(code, 0, err);
    },
  },
];

for (const { way, replace } of WAYS) {
  Deno.test(`a module that is ${way} takes effect without a failed call`, async () => {
    await using folder = await TempFolder.make();
    await using functions = await FunctionServer.start(folder, { modules: { f: version("old") } });
    assert.equal(await functions.call("f"), "old");
    await replace(folder);
    await callUntil(functions, "f", { allowed: ["old", "new"], until: "new" });
    await waitUntil(async () => (await functions.hosts()).length === 1, "one process is left");
  });
}

Deno.test("a change of an imported file takes effect", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: { f: `import { text } from "./lib/text.mjs"; export const entry_call = () => text;` },
  });
  assert.equal(await functions.call("f"), 401);
  await folder.write("modules/lib/text.mjs", "export const text = 'one';");
  await functions.waitForAnswer("f", "one");
  await folder.write("modules/lib/text.mjs", "export const text = 'two';");
  await callUntil(functions, "f", { allowed: ["one", "two"], until: "two" });
});

Deno.test("a linked module is reloaded when its target changes", async () => {
  await using folder = await TempFolder.make();
  await folder.write("releases/1.js", version("old"));
  await folder.write("releases/2.js", version("new"));
  await folder.write("modules/x", "");
  await Deno.symlink("../releases/1.js", folder.join("modules/linked.js"));
  await using functions = await FunctionServer.start(folder, {
    modules: { ping: version("pong") },
    sections: "[Modules]\nlinked=linked\n[linked]\nRead=releases\n",
  });
  await functions.waitForAnswer("linked", "old");
  await Deno.symlink("../releases/2.js", folder.join("modules/next"));
  await Deno.rename(folder.join("modules/next"), folder.join("modules/linked.js"));
  await callUntil(functions, "linked", { allowed: ["old", "new"], until: "new" });
});

Deno.test("a version that does not load leaves the previous one in use, and one log line says why", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: { f: version("old"), other: version("other") },
  });
  await folder.write("modules/f.js", "export const entry_call = (;");
  await functions.server.waitForLog(
    /ERROR functions: Cannot load function f: .*SyntaxError.*; its earlier version goes on\n/,
  );
  assert.equal(await functions.call("f"), "old");
  assert.equal(await functions.call("other"), "other");
  await Deno.remove(folder.join("modules/f.js"));
  await functions.server.waitForLog(
    /there is no f\.ts, \.js, \.mjs in .*\/modules; its earlier version/,
  );
  assert.equal(await functions.call("f"), "old");
  await folder.write("modules/f.js", version("new"));
  await callUntil(functions, "f", { allowed: ["old", "new"], until: "new" });
  await waitUntil(async () => (await functions.hosts()).length === 1, "one process is left");
});

Deno.test("a change of modules.ini changes functions, grants and limits", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/text", "granted");
  const reads = "export const entry_call = () => { " +
    "try { return Deno.readTextFileSync('data/text'); } catch (error) { return error.name; } };";
  await using functions = await FunctionServer.start(folder, {
    modules: { f: version("f"), reads },
  });
  assert.equal(await functions.call("reads"), "NotCapable");
  await folder.write("config/modules.ini", "[Modules]\nreads=reads\ng=f\n[reads]\nRead=data\n");
  await callUntil(functions, "reads", { allowed: ["NotCapable", "granted"], until: "granted" });
  assert.equal(await functions.call("g"), "f");
  assert.equal(await functions.call("f"), 401);
  await Deno.remove(folder.join("config/modules.ini"));
  await functions.server.waitForLog(
    /Cannot read .*\/config\/modules\.ini: not found; everything goes on/,
  );
  assert.equal(await functions.call("reads"), "granted");
  await folder.write("config/modules.ini", "[Modules]\nreads=reads\n");
  await callUntil(functions, "reads", { allowed: ["granted", "NotCapable"], until: "NotCapable" });
});

Deno.test("running calls finish on the previous version, new calls get the new one", async () => {
  await using folder = await TempFolder.make();
  const slow = (text: string): string => `
    export const entry_call = ({ log }) => {
      log.info("begun ${text}");
      return new Promise((done) => setTimeout(done, 3000, "${text}"));
    };`;
  await using functions = await FunctionServer.start(folder, {
    modules: { slow: slow("old"), f: version("old") },
  });
  const old = functions.call("slow");
  await functions.server.waitForLog(/functions\.slow: begun old/);
  await folder.write("modules/slow.js", slow("new"));
  await folder.write("modules/f.js", version("new"));
  await callUntil(functions, "f", { allowed: ["old", "new"], until: "new" });
  await functions.server.waitForLog(
    /Modules reloaded: (?:slow, f|f\n[\s\S]*reloaded: slow|slow)\n/,
  );
  const later = functions.call("slow");
  assert.equal(await old, "old");
  assert.equal(await later, "new");
});

Deno.test("no call fails when modules change under load", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, { modules: { f: version("0") } });
  let isOver = false, count = 0;
  const load = Array.from({ length: 4 }, async () => {
    for (; !isOver; count++) assert.match(String(await functions.call("f")), /^\d+$/);
  });
  for (let i = 1; i <= 5; i++) {
    await folder.write("modules/f.js", version(String(i)));
    await functions.waitForAnswer("f", String(i));
  }
  isOver = true;
  await Promise.all(load);
  assert.ok(count > 20, `${count} calls`);
  await waitUntil(async () => (await functions.hosts()).length === 1, "one process is left");
});

Deno.test("npm: imports are refused: nothing is asked of a registry", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: {
      f: `import pad from "npm:left-pad@1.3.0"; export const entry_call = () => pad("x", 2);`,
      good: version("good"),
    },
  });
  assert.equal(await functions.call("f"), 401);
  assert.equal(await functions.call("good"), "good");
  assert.match(
    functions.server.err,
    /Cannot load function f: \S+ does not load: .*(?:npm: imports are not available|left-pad)/,
  );
});
