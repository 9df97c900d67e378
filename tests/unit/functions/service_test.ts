import assert from "node:assert/strict";
import { TestService } from "../../function_service.ts";
import { waitUntil } from "../../functions.ts";
import { run, TempFolder } from "../../program.ts";

/** Answers with an id of its worker, so that a test sees whether it is still the same one. */
const ID = "const id = crypto.randomUUID(); export const entry_call = () => id;";
const version = (text: string): string => `export const entry_call = () => "${text}";`;

Deno.test("only the functions whose code or section changed get another worker", async () => {
  await using folder = await TempFolder.make();
  await using service = await TestService.start(folder, {
    modules: { a: ID, b: ID, granted: ID },
    sections: "[granted]\nNet=127.0.0.1\n",
  });
  const names = ["a", "b", "granted"];
  const ids = (): Promise<string[]> => Promise.all(names.map((name) => service.call(name)));
  const before = await ids();
  const hosts = await service.hosts();
  assert.equal(hosts.length, 2, "one for both that share, one for the one with a grant");
  await folder.write("modules/a.js", version("changed"));
  await service.waitForAnswer("a", "changed");
  assert.deepEqual(await ids(), ["changed", before[1], before[2]]);
  assert.deepEqual(await service.hosts(), hosts, "in the same processes");
  await folder.write(
    "config/modules.ini",
    "[Modules]\na=a\nb=b\ngranted=granted\n[granted]\nNet=127.0.0.1\nTimeout=7\n[a]\n",
  );
  await service.waitForEvent(/^reloaded: granted$/);
  const after = await ids();
  assert.deepEqual(after.slice(0, 2), ["changed", before[1]]);
  assert.notEqual(after[2], before[2]);
  await folder.write(
    "config/modules.ini",
    "; a comment\n" + await folder.read("config/modules.ini"),
  );
  await service.service.takeUp();
  assert.deepEqual(await ids(), after, "nothing that matters changed");
  // A file that is seen half written is loaded twice.
  assert.ok(!service.events.some((each) => /: b$/.test(each)), String(service.events));
});

Deno.test("100 requests to reload start no process and no worker", async () => {
  await using folder = await TempFolder.make();
  await using service = await TestService.start(folder, { modules: { f: ID } });
  const [host] = await service.hosts();
  const id = await service.call("f");
  await Promise.all(Array.from({ length: 100 }, () => service.service.takeUp()));
  assert.equal(await service.call("f"), id);
  assert.deepEqual(await service.hosts(), [host]);
  assert.deepEqual(service.events, []);
});

const SIDE_FILES = [
  ".#f.js",
  "#f.js#",
  ".f.js.swp",
  "f.js~",
  "4913",
  "._f.js",
  ".syncthing.f.js.tmp",
  "f.sync-conflict-20240101-120000-ABC.js",
  "unrelated.js",
  "unrelated.json",
];

Deno.test("100 requests to reload start one process for a function that does not load", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/tries", "");
  const code = `Deno.writeTextFileSync("${folder.join("data/tries")}", "x", { append: true });
    await new Promise((done) => setTimeout(done, 300));
    throw new Error("not yet");`;
  await using service = await TestService.start(
    folder,
    { modules: { f: code }, sections: `[f]\nWrite=${folder.join("data")}\n` },
    { retryPauses: { firstPauseMs: 60_000, longestPauseMs: 60_000 } },
  );
  const tries = async (): Promise<number> => (await folder.read("data/tries")).length;
  assert.equal(await tries(), 1);
  for (let i = 0; i < 100; i++) await service.service.takeUp();
  await waitUntil(async () => await tries() >= 3, "one attempt runs, and one waits");
  assert.ok(await tries() < 20, "one for each");
  assert.ok((await service.hosts()).length <= 2);
});

Deno.test("ten functions with grants start at once on a machine that is busy", async () => {
  await using folder = await TempFolder.make();
  const names = Array.from({ length: 10 }, (_, i) => `f${i}`);
  const setup = {
    modules: Object.fromEntries(names.map((name) => [name, version(name)])),
    sections: names.map((name) => `[${name}]\nRead=${folder.path}/data\n`).join(""),
  };
  await Deno.mkdir(folder.join("data"));
  const loops = Array.from(
    { length: 4 * navigator.hardwareConcurrency },
    () => new Deno.Command("sh", { args: ["-c", "while :; do :; done"] }).spawn(),
  );
  try {
    await using service = await TestService.start(folder, setup);
    assert.deepEqual(await Promise.all(names.map((name) => service.call(name))), names);
    assert.deepEqual(service.events, []);
  } finally {
    for (const loop of loops) loop.kill("SIGKILL");
    await Promise.all(loops.map(({ status }) => status));
  }
});

Deno.test("files beside a module that it does not import change nothing", async () => {
  await using folder = await TempFolder.make();
  await using service = await TestService.start(folder, {
    modules: { f: `import "./lib/used.js"; ${ID}`, "lib/used.js": "" },
  });
  await folder.write("config/modules.ini", "[Modules]\nf=f\n");
  await service.service.takeUp();
  const id = await service.call("f");
  const before = service.events.length;
  for (const name of SIDE_FILES) {
    await folder.write(`modules/${name}`, "");
    await service.service.takeUp();
    assert.equal(await service.call("f"), id, name);
  }
  await Deno.symlink("me@host.1234:1700000000", folder.join("modules/.#lock.js"));
  await service.service.takeUp();
  assert.equal(await service.call("f"), id);
  assert.deepEqual(service.events.slice(before), []);
  await folder.write("modules/lib/used.js", "// changed");
  await service.waitForEvent(/^reloaded: f$/);
  assert.notEqual(await service.call("f"), id);
});

Deno.test("a function that writes below the modules folder at each call loads once, and so do others", async () => {
  await using folder = await TempFolder.make();
  const counter = `
    const file = new URL("./data/state.json", import.meta.url);
    let n = 0;
    try { n = JSON.parse(Deno.readTextFileSync(file)).n; } catch { /* the first time */ }
    const loaded = crypto.randomUUID();
    export function entry_call() {
      Deno.writeTextFileSync(file, JSON.stringify({ n: ++n }));
      return loaded;
    }`;
  const open = `${ID} export const load = (name) => import("./" + name);`;
  await folder.write("modules/data/x", "");
  await using service = await TestService.start(folder, {
    modules: { counter, open, other: ID },
    sections: `[counter]\nWrite=${folder.join("modules/data")}\n`,
  });
  const [loaded, other, any] = [
    await service.call("counter"),
    await service.call("other"),
    await service.call("open"),
  ];
  for (let i = 0; i < 3; i++) {
    assert.equal(await service.call("counter"), loaded);
    await service.service.takeUp();
  }
  assert.equal(await folder.read("modules/data/state.json"), '{"n":4}');
  assert.equal(await service.call("other"), other);
  assert.equal(await service.call("open"), any);
  assert.deepEqual(service.events, []);
});

Deno.test("a module that computes what it imports is loaded again when any code changes", async () => {
  await using folder = await TempFolder.make();
  await using service = await TestService.start(folder, {
    modules: {
      f: "const { text } = await import('./parts/' + 'one.js'); export const entry_call = () => text;",
      "parts/one.js": "export const text = 'one';",
      other: ID,
    },
  });
  await folder.write("config/modules.ini", "[Modules]\nf=f\nother=other\n");
  await service.service.takeUp();
  const id = await service.call("other");
  assert.equal(await service.call("f"), "one");
  await folder.write("modules/parts/one.js", "export const text = 'two';");
  await service.waitForAnswer("f", "two");
  assert.equal(await service.call("other"), id);
});

Deno.test("modules that import through linked folders change with what the links lead to", async () => {
  await using folder = await TempFolder.make();
  await folder.write("modules/releases/1/lib.js", "export const v = 'release 1';");
  await folder.write("modules/releases/2/lib.js", "export const v = 'release 2';");
  await folder.write("shared/s.js", "export const v = 'shared 1';");
  await Deno.symlink("releases/1", folder.join("modules/current"));
  await Deno.symlink("../shared", folder.join("modules/shared"));
  await using service = await TestService.start(folder, {
    modules: {
      app: "import { v } from './current/lib.js'; export const entry_call = () => v;",
      sh: "import { v } from './shared/s.js'; export const entry_call = () => v;",
    },
    sections: `[sh]\nRead=${folder.join("shared")}\n`,
  });
  assert.deepEqual([await service.call("app"), await service.call("sh")], [
    "release 1",
    "shared 1",
  ]);
  await Deno.symlink("releases/2", folder.join("modules/next"));
  await Deno.rename(folder.join("modules/next"), folder.join("modules/current"));
  await service.waitForAnswer("app", "release 2");
  await folder.write("shared/s.js", "export const v = 'shared 2';");
  await service.waitForAnswer("sh", "shared 2");
});

Deno.test("a module that cannot load yet is tried again until it can, and reported once", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/x", "");
  await using service = await TestService.start(folder, {
    modules: {
      list: `const items = JSON.parse(await Deno.readTextFile("${folder.join("data/items.json")}"));
        export const entry_call = () => items.length;`,
      other: ID,
    },
    sections: `[list]\nRead=${folder.join("data")}\n`,
  });
  const id = await service.call("other");
  assert.equal((await service.result("list")).ok, false);
  // Several attempts have passed by now.
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(service.count(/^fault/), 1, service.events.join("\n"));
  await folder.write("data/items.json", "[1, 2, 3]");
  await service.waitForAnswer("list", "3");
  assert.equal(service.count(/^recovered: Function list is ready/), 1);
  assert.equal(service.count(/^fault/), 1);
  assert.equal(await service.call("other"), id);
});

Deno.test("a grant that is refused is checked again, and works as soon as it may", async () => {
  await using folder = await TempFolder.make();
  await folder.write("sec/x", "");
  await Deno.symlink("sec", folder.join("data"));
  await using service = await TestService.start(folder, {
    modules: { f: version("fine") },
    sections: `[f]\nRead=${folder.join("data")}\n`,
  });
  assert.match(service.events.join(), /^fault: Cannot load function f: …\/data leads to …\/sec/);
  await Deno.remove(folder.join("data"));
  await service.waitForEvent(/^fault: Cannot load function f: …\/data does not exist \(create it/);
  await Deno.mkdir(folder.join("data"));
  await service.waitForAnswer("f", "fine");
  assert.equal(service.count(/^fault/), 2);
});

Deno.test("modules.ini that cannot be read is a fault once, and read again when it can be", async () => {
  await using folder = await TempFolder.make();
  await using service = await TestService.start(folder, { modules: { f: ID } });
  const id = await service.call("f");
  const text = await folder.read("config/modules.ini");
  await folder.write("config/modules.ini", "[Modules");
  await service.waitForEvent(/^fault: Cannot read .*everything goes on as before/);
  await folder.write("config/modules.ini", "[Modules\nf=");
  await service.service.takeUp();
  await folder.write("config/modules.ini", text);
  await service.waitForEvent(/^recovered: .*modules\.ini can be read again/);
  assert.equal(service.count(/^fault/), 1);
  assert.equal(await service.call("f"), id);
});

Deno.test("the time to load begins with each function's own import, not with the process", async () => {
  await using folder = await TempFolder.make();
  const slow = "const end = performance.now() + 100; while (performance.now() < end); " +
    version("fine");
  const names = Array.from({ length: 30 }, (_, i) => `f${i}`);
  await using service = await TestService.start(
    folder,
    { modules: Object.fromEntries(names.map((name) => [name, slow])) },
    { loadTimeoutMs: 1500 },
  );
  assert.deepEqual(service.events, []);
  for (const name of names) assert.equal(await service.call(name), "fine");
});

Deno.test("modules that never finish loading cost others one move, and are tried again by themselves", async () => {
  await using folder = await TempFolder.make();
  await using service = await TestService.start(
    folder,
    {
      modules: {
        other: ID,
        endless: `for (;;); ${ID}`,
        awaits: `await new Promise(() => {}); ${ID}`,
      },
    },
    { loadTimeoutMs: 1000, retryPauses: { firstPauseMs: 1e6, longestPauseMs: 1e6 } },
    "other",
  );
  const first = await service.call("other");
  for (const name of ["endless", "awaits"]) {
    await service.waitForEvent(
      new RegExp(`^fault: Cannot load function ${name}: .* does not load within 1 s`),
    );
  }
  await waitUntil(async () => await service.call("other") !== first, "it moved");
  const id = await service.call("other");
  await waitUntil(async () => (await service.hosts()).length === 1, "the first process is gone");
  service.service.functions.retryAll();
  await waitUntil(
    async () => (await service.hosts()).length === 3,
    "each has a process of its own",
  );
  await waitUntil(async () => (await service.hosts()).length === 1, "which is killed");
  assert.equal(await service.call("other"), id);
  await folder.write("modules/endless.js", version("fine"));
  await service.waitForAnswer("endless", "fine");
  // Its process may have been for it alone, and then it has moved to one for both.
  await service.call("other");
  assert.equal(service.count(/^fault/), 2);
});

Deno.test("a function that listens is replaced by its next version, and calls wait for that", async () => {
  await using folder = await TempFolder.make();
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr;
  probe.close();
  const hook = (text: string): string => `
    Deno.serve({ hostname: "127.0.0.1", port: ${port}, onListen() {} }, () => new Response("${text}"));
    export const entry_call = async ({ params }) => {
      if (params !== undefined) await new Promise((done) => setTimeout(done, params));
      return "${text}";
    };`;
  await using service = await TestService.start(folder, {
    modules: { hook: hook("one"), other: ID },
    sections: `[hook]\nNet=127.0.0.1:${port}\n`,
  });
  const ask = async (): Promise<string> => await (await fetch(`http://127.0.0.1:${port}`)).text();
  assert.deepEqual([await service.call("hook"), await ask()], ["one", "one"]);
  const running = service.call("hook", "1500");
  await folder.write("modules/hook.js", hook("two"));
  await service.waitForEvent(/^reloaded: hook/);
  const answers = await Promise.all([service.call("hook"), service.call("hook")]);
  assert.equal(await running, "one", "a call that runs ends on its version");
  assert.deepEqual(answers, ["two", "two"]);
  assert.equal(await ask(), "two");
  assert.equal(service.count(/^fault/), 0, service.events.join("\n"));
});

Deno.test("an address that another program uses is a fault, and the function comes when it is free", async () => {
  await using folder = await TempFolder.make();
  const other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr;
  await using service = await TestService.start(folder, {
    modules: {
      hook: `Deno.listen({ hostname: "127.0.0.1", port: ${port} }); ${version("listens")}`,
    },
    sections: `[hook]\nNet=127.0.0.1:${port}\n`,
  });
  assert.match(service.events.join(), /^fault: Cannot load function hook: .*AddrInUse/);
  other.close();
  await service.waitForAnswer("hook", "listens");
});

const BURNERS: { what: string; code: string; reason: string }[] = [
  {
    what: "workers of workers",
    reason: "used \\d s of CPU",
    code: "() => { new Worker('data:text/javascript,for(;;){}', { type: 'module' }); return 'x'; }",
  },
  {
    what: "an endless loop",
    reason: "did not answer for \\d s",
    code: "() => { setTimeout(() => { for (;;); }); return 'x'; }",
  },
  {
    what: "an endless loop in a worker",
    reason: "used \\d s of CPU",
    code: "() => { setTimeout(() => { for (;;); }); return 'x'; /* not alone: Worker */ }",
  },
  {
    what: "timers",
    reason: "used \\d s of CPU",
    code: `() => {
      const spin = () => { const end = performance.now() + 40; while (performance.now() < end); setTimeout(spin); };
      spin();
      return "x";
    }`,
  },
];

for (const { what, code, reason } of BURNERS) {
  Deno.test(`CPU time after a call, by ${what}, ends with the process, and the function is named`, async () => {
    await using folder = await TempFolder.make();
    await using service = await TestService.start(folder, {
      modules: { burns: `${ID} export const entryCall = ${code};`.replace("entry_call", "other") },
    }, { maxIdleCpuMs: 1000 });
    const [host] = await service.hosts();
    assert.equal(await service.call("burns"), "x");
    await service.waitForEvent(
      new RegExp(`^exited: it ${reason} without a call, possibly for burns$`),
    );
    await waitUntil(async () => !(await service.hosts()).includes(host ?? 0), "it is killed");
    assert.equal(await service.call("burns"), "x");
  });
}

Deno.test("a process that stops itself is missed, and its functions come back", async () => {
  await using folder = await TempFolder.make();
  await using service = await TestService.start(folder, {
    modules: { f: version("one"), g: version("one") },
  }, { silenceTimeoutMs: 5000 });
  const [host = 0] = await service.hosts();
  Deno.kill(host, "SIGSTOP");
  await folder.write("modules/f.js", version("two"));
  await service.waitForEvent(/^exited: it said nothing for 5 s/);
  await service.waitForAnswer("f", "two");
});

Deno.test("params reach the function as a value, and are parsed in its worker", async () => {
  await using folder = await TempFolder.make();
  await using service = await TestService.start(folder, {
    modules: {
      f: "export const entry_call = ({ params, args }) => [params ?? 'none', args === params];",
    },
  });
  assert.equal(await service.call("f"), '["none",true]');
  assert.equal(await service.call("f", '{"a":[1]}'), '[{"a":[1]},true]');
  assert.equal(await service.call("f", "null"), '["none",true]');
  const calls = Array.from(
    { length: 50 },
    (_, i) => service.call("f", i % 2 ? String(i) : undefined),
  );
  const answers = await Promise.all(calls);
  answers.forEach((answer, i) => assert.equal(answer, i % 2 ? `[${i},true]` : '["none",true]'));
  const broken = await service.result("f", "{");
  assert.ok(!broken.ok && broken.code === "function_failed");
});

Deno.test("a function that was removed ends its calls, takes no more, and leaves no process", async () => {
  await using folder = await TempFolder.make();
  await using service = await TestService.start(folder, {
    modules: {
      slow: "export const entry_call = () => new Promise((done) => setTimeout(done, 800, 'slow'));",
    },
    sections: "[slow]\nProcess=own\n",
  });
  const running = service.call("slow");
  await folder.write("config/modules.ini", "[Modules]\n");
  await service.waitForEvent(/^reloaded: slow/);
  assert.deepEqual(await service.result("slow"), {
    ok: false,
    code: "unknown_function",
    executed: "no",
  });
  assert.equal(await running, "slow");
  await waitUntil(async () => (await service.hosts()).length === 0, "its process is gone");
});

Deno.test("memory of a shared process is steady over 60 changes of one function", async () => {
  await using folder = await TempFolder.make();
  await using service = await TestService.start(folder, {
    modules: { f: version("0"), other: ID },
  });
  const [host = 0] = await service.hosts();
  const id = await service.call("other");
  const resident = async (): Promise<number> => {
    const { out } = await run(["ps", "-o", "rss=", "-p", String(host)], { cwd: "." });
    return Number(out) / 1024;
  };
  const change = async (from: number, to: number): Promise<void> => {
    for (let i = from; i <= to; i++) {
      await folder.write("modules/f.js", version(String(i)));
      await service.service.takeUp();
      await service.waitForAnswer("f", String(i));
    }
  };
  await change(1, 20);
  const before = await resident();
  await change(21, 60);
  const growth = await resident() - before;
  assert.ok(growth < 40, `${growth} MB more`);
  assert.deepEqual(await service.hosts(), [host]);
  assert.equal(await service.call("other"), id);
});

Deno.test("a process that has loaded its functions may be silent", async () => {
  await using folder = await TempFolder.make();
  const modules = {
    idle: "export const entry_call = () => Deno.pid;",
    waits: "export const entry_call = () => new Promise((done) => setTimeout(done, 2500, 'done'));",
  };
  const sections = "[waits]\nProcess=own\n";
  await using subject = await TestService.start(folder, { modules, sections }, {
    silenceTimeoutMs: 2000,
  });
  const hosts = await subject.hosts();
  assert.equal(await subject.call("waits"), "done");
  assert.deepEqual(await subject.hosts(), hosts);
  assert.equal(subject.count(/exited/), 0);
});
