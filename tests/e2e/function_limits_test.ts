import assert from "node:assert/strict";
import { FunctionServer, isAlive, waitUntil } from "../functions.ts";
import { TempFolder } from "../program.ts";

const PING = "export const entry_call = () => 'pong';";

const FAILURES: { name: string; code: string; log: RegExp; isForWorkers?: true }[] = [
  {
    name: "throws",
    code: "() => { throw new Error('no'); }",
    log: /function throws failed: Error: no/,
  },
  {
    name: "throws_nothing",
    code: "() => { throw undefined; }",
    log: /throws_nothing failed: undefined/,
  },
  { name: "rejects", code: "async () => { throw new TypeError('no'); }", log: /TypeError: no/ },
  {
    name: "circle",
    code: "() => { const a = {}; a.a = a; return a; }",
    log: /circle failed: TypeError: /,
  },
  { name: "big_integer", code: "() => 1n", log: /big_integer failed: TypeError: / },
  {
    name: "huge",
    code: "() => 'x'.repeat(1_048_577)",
    log: /the result of function huge is larger than its MaxResult: 1048576 bytes/,
  },
  {
    name: "huge_in_bytes",
    code: "async () => 'é'.repeat(600_000)",
    log: /the result of function huge_in_bytes is larger than its MaxResult/,
  },
  {
    name: "map",
    code: "() => ({ a: new Map() })",
    log: /map failed: TypeError: the result holds a Map at \.a, which JSON cannot carry/,
  },
  {
    name: "error",
    code: "async () => new Error('x')",
    log: /error failed: TypeError: the result holds an Error, which JSON cannot carry/,
  },
  {
    name: "response",
    code: "() => new Response('x')",
    log: /response failed: TypeError: the result holds a Response, which JSON cannot carry/,
  },
  {
    name: "public",
    code: "() => { throw new PublicError('locked', { data: { door: 2 } }); }",
    log: /function public failed: locked/,
  },
  {
    name: "public_map",
    code: "() => { throw new PublicError('locked', { data: new Map() }); }",
    log: /PublicError: locked.*; its data: TypeError: the result holds a Map/,
  },
  {
    name: "closes",
    code: "() => { self.close(); }",
    log: /closes failed: Error: a function cannot end itself/,
  },
  {
    name: "exits",
    code: "() => { Deno.exit(3); }",
    log: /exits failed: Error: a function cannot end itself/,
  },
  {
    name: "exits_as_node",
    code: "() => { process.exit(3); }",
    log: /exits_as_node failed: Error: a function cannot end itself/,
  },
  {
    name: "posts",
    code:
      "() => { self.postMessage(null); self.postMessage({ outcomes: 7 }); throw new Error('x'); }",
    log: /functions\.posts: It posted a message of its own/,
    isForWorkers: true,
  },
];

for (const place of ["shared", "own"]) {
  Deno.test(`a failing function in a process that is ${place} gives a 401 and a log line, and affects no other call`, async () => {
    await using folder = await TempFolder.make();
    const failures = FAILURES.filter(({ isForWorkers }) => place === "shared" || !isForWorkers);
    const modules = Object.fromEntries(
      failures.map(({ name, code }) => [name, `export const entry_call = ${code};`]),
    );
    await using functions = await FunctionServer.start(folder, {
      modules: { ...modules, ping: PING },
      sections: failures.map(({ name }) => `[${name}]\nProcess=${place}\n`).join(""),
    });
    const hosts = await functions.hosts();
    assert.equal(hosts.length, place === "shared" ? 1 : 1 + failures.length);
    for (const { name, log } of failures) {
      assert.equal(await functions.call(name), 401, name);
      await functions.server.waitForLog(log);
      assert.equal(await functions.call("ping"), "pong", name);
    }
    assert.deepEqual(await functions.hosts(), hosts, "all in the process that they began with");
  });
}

const RESULTS: { name: string; code: string; text: string }[] = [
  { name: "text", code: "() => 'text\\n'", text: "text\n" },
  { name: "empty", code: "() => ''", text: "" },
  { name: "later", code: "() => Promise.resolve('later')", text: "later" },
  { name: "thenable", code: "() => ({ then: (done) => done('then') })", text: "then" },
  { name: "json", code: "() => ({ a: [1, null] })", text: '{"a":[1,null]}' },
  { name: "number", code: "() => 7", text: "7" },
  { name: "nothing", code: "() => {}", text: "null" },
  { name: "unicode", code: "() => '\\u2028é\\u0000💡'", text: "\u2028é\u0000💡" },
  { name: "long", code: "() => 'x'.repeat(1_048_576)", text: "x".repeat(1_048_576) },
  {
    name: "asks",
    code:
      "(call) => [call.functionName, call.params, call.args, call.client, call.signal.aborted, " +
      "typeof call.log.info]",
    text: '["asks",null,null,null,false,"function"]',
  },
];

Deno.test("a result is text as it is, or JSON", async () => {
  await using folder = await TempFolder.make();
  const modules = Object.fromEntries(
    RESULTS.map(({ name, code }) => [name, `export const entry_call = ${code};`]),
  );
  await using functions = await FunctionServer.start(folder, { modules });
  for (const { name, text } of RESULTS) assert.equal(await functions.call(name), text, name);
});

const ENDLESS: { what: string; code: string }[] = [
  { what: "an endless loop", code: "() => { for (;;); }" },
  {
    what: "a catastrophic regular expression",
    code: "() => String(/^(a+)+$/.test('a'.repeat(60) + 'b'))",
  },
];

for (const { what, code } of ENDLESS) {
  Deno.test(`${what} times out, and costs nobody else anything`, async () => {
    await using folder = await TempFolder.make();
    await using functions = await FunctionServer.start(folder, {
      modules: {
        stuck: `let n = 0; const run = ${code}; export const entry_call = () => run(n++);`,
        ping: PING,
        slow:
          "export const entry_call = () => new Promise((done) => setTimeout(done, 2000, 'slow'));",
      },
      sections: "[stuck]\nTimeout=1\n",
    });
    const [host = 0] = await functions.hosts();
    const first = functions.call("stuck");
    let isOver = false;
    first.then(() => isOver = true);
    let pings = 0;
    for (; !isOver; pings++) assert.equal(await functions.call("ping"), "pong");
    assert.ok(pings > 0, `${pings} calls of another function meanwhile`);
    assert.equal(await first, 401);
    // Started before the old process is left behind, and finished in it.
    const slow = functions.call("slow");
    await functions.server.waitForLog(/function stuck took longer than its Timeout/);
    await functions.server.waitForLog(/Function stuck is stuck/);
    assert.equal(await functions.call("ping"), "pong");
    assert.equal(await slow, "slow");
    await waitUntil(async () => !await isAlive(host), "the old process is gone");
    assert.equal(await functions.call("ping"), "pong");
    await waitUntil(async () => (await functions.hosts()).length === 1, "one process is left");
  });
}

Deno.test("calls behind a stuck one run in the next process, once", async () => {
  await using folder = await TempFolder.make();
  await folder.write("state/calls", "");
  await folder.write("state/late", "");
  const code = `
    export const entry_call = () => {
      const before = Deno.readTextFileSync("state/calls");
      Deno.writeTextFileSync("state/calls", before + "x");
      if (before === "") {
        const end = performance.now() + 4000;
        while (performance.now() < end);
        Deno.writeTextFileSync("state/late", "yes");
        for (;;);
      }
      return "ran as " + (before.length + 1);
    };`;
  await using functions = await FunctionServer.start(folder, {
    modules: { stuck: code },
    sections: "[stuck]\nTimeout=6\nWrite=state\n",
  });
  const first = functions.call("stuck");
  // The first call's time is over after 6 s. Those that come later have time left then.
  await waitUntil(async () => await folder.read("state/late") === "yes", "the first call runs on");
  const others = await Promise.all(Array.from({ length: 5 }, () => functions.call("stuck")));
  assert.equal(await first, 401);
  assert.deepEqual(others.toSorted(), [2, 3, 4, 5, 6].map((n) => `ran as ${n}`));
  assert.equal(await folder.read("state/calls"), "xxxxxx");
});

Deno.test("an async function that never settles times out without a new process, and sees its signal", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: {
      never: `export const entry_call = ({ signal, log }) => new Promise(() => {
        signal.addEventListener("abort", () => log.warn("over: " + signal.reason.name));
      });`,
      ping: PING,
    },
    sections: "[never]\nTimeout=1\n",
  });
  const before = await functions.hosts();
  assert.equal(await functions.call("never"), 401);
  await functions.server.waitForLog(/WARNING functions\.never: over: TimeoutError/);
  assert.deepEqual(await functions.hosts(), before);
});

Deno.test("calls beyond Queue are refused at once and logged, and Instances run side by side", async () => {
  await using folder = await TempFolder.make();
  const wait = "export const entry_call = () => { " +
    "const end = performance.now() + 300; while (performance.now() < end); return 'done'; };";
  await using functions = await FunctionServer.start(folder, {
    modules: { narrow: wait, wide: `${wait} const id = crypto.randomUUID();` },
    sections: "[narrow]\nQueue=2\n[wide]\nInstances=3\n",
  });
  const answers = await Promise.all(Array.from({ length: 5 }, () => functions.call("narrow")));
  assert.deepEqual(answers.toSorted(), [401, 401, 401, "done", "done"]);
  await functions.server.waitForLog(/function narrow's queue is full: 2 calls wait or run/);
  const wide = await Promise.all(Array.from({ length: 6 }, () => functions.call("wide")));
  assert.deepEqual(new Set(wide), new Set(["done"]));
});

Deno.test("each instance is a worker, and calls go to the least busy one", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/waiting", "");
  await using functions = await FunctionServer.start(folder, {
    modules: {
      who: `const id = crypto.randomUUID();
        const isWaiting = () => { try { return Deno.statSync("data/waiting").isFile; } catch { return false; } };
        export const entry_call = async ({ log }) => {
          log.info("begun");
          while (isWaiting()) await new Promise((done) => setTimeout(done, 10));
          return id;
        };`,
    },
    sections: "[who]\nInstances=3\nRead=data\n",
  });
  const calls: Promise<string | number>[] = [];
  // Each begins before the next one comes: a worker that is still taking a call gets no other.
  while (calls.length < 6) {
    calls.push(functions.call("who"));
    await functions.server.waitForLog(new RegExp(`(?:who: begun\n[^]*){${calls.length}}`));
  }
  await Deno.remove(folder.join("data/waiting"));
  const ids = await Promise.all(calls);
  const counts = [...new Set(ids)].map((id) => ids.filter((each) => each === id).length);
  assert.deepEqual(counts, [2, 2, 2]);
});

Deno.test("output of a function goes to the log, within limits", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: {
      prints: `export const entry_call = ({ log }) => {
        console.log("to the console", { a: 1 }); console.error("an error");
        log.info("to the log\\u0007"); log.debug("not shown");
        Deno.stdout.writeSync(new TextEncoder().encode("to standard output\\n"));
        return "printed";
      };`,
      floods: `export const entry_call = () => {
        for (let i = 0; i < 100_000; i++) console.log("flood " + i);
        return "flooded";
      };`,
      floods_below: `import fs from "node:fs"; export const entry_call = () => {
        for (let i = 0; i < 100; i++) { try { fs.writeSync(1, "below " + i + "\\n"); } catch {} }
        return "flooded";
      };`,
    },
  });
  assert.equal(await functions.call("prints"), "printed");
  for (
    const line of [
      /INFO functions\.prints: to the console \{ a: 1 \}\n/,
      /ERROR functions\.prints: an error\n/,
      /INFO functions\.prints: to the log\\u0007\n/,
      /INFO functions\.prints: to standard output\n/,
    ]
  ) await functions.server.waitForLog(line);
  assert.doesNotMatch(functions.server.err, /not shown/);
  assert.equal(await functions.call("floods"), "flooded");
  const lines = functions.server.err.match(/functions\.floods: flood/g) ?? [];
  assert.ok(lines.length > 0 && lines.length <= 60, `${lines.length} lines`);
  assert.equal(await functions.call("floods_below"), "flooded");
  const below = functions.server.err.match(/below \d+/g) ?? [];
  assert.ok(below.length <= 60, `${below.length} lines`);
  assert.equal(await functions.call("prints"), "printed");
});

Deno.test("an uncaught error is a log line", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: {
      timer: `export const entry_call = () => {
        setTimeout(() => { throw new Error("in a timer"); });
        Promise.reject(new Error("in a promise"));
        return "fine";
      };`,
    },
  });
  const before = await functions.hosts();
  assert.equal(await functions.call("timer"), "fine");
  await functions.server.waitForLog(/ERROR functions\.timer: Uncaught Error: in a timer/);
  await functions.server.waitForLog(/functions\.timer: Unhandled rejection: Error: in a promise/);
  assert.equal(await functions.call("timer"), "fine");
  assert.deepEqual(await functions.hosts(), before);
});

const HUNGRY: { what: string; code: string }[] = [
  { what: "1 GB of typed arrays", code: "kept.push(new Uint8Array(64 * 1024 * 1024).fill(1))" },
  { what: "an endless list", code: "kept.push(new Array(100_000).fill(Math.random()))" },
];

for (const { what, code } of HUNGRY) {
  Deno.test(`${what} end the process of that function, and nothing else`, async () => {
    await using folder = await TempFolder.make();
    await using functions = await FunctionServer.start(folder, {
      modules: {
        hungry: `const kept = []; export const entry_call = async () => {
          for (let i = 0; i < 20_000; i++) {
            ${code};
            if (i % 10 === 0) await new Promise((done) => setTimeout(done));
          }
          return "fed";
        };`,
        ping: PING,
      },
      sections: "[hungry]\nProcess=own\nMaxHeap=64\n",
    });
    const hosts = await functions.hosts();
    assert.equal(hosts.length, 2);
    const hungry = functions.call("hungry");
    let isOver = false;
    hungry.then(() => isOver = true);
    while (!isOver) assert.equal(await functions.call("ping"), "pong");
    assert.equal(await hungry, 401);
    await functions.server.waitForLog(/Function process exited: /);
    assert.equal(await functions.call("ping"), "pong");
    await waitUntil(async () => (await functions.hosts()).length === 2, "a new process");
    const [kept] = (await functions.hosts()).filter((pid) => hosts.includes(pid));
    assert.ok(kept !== undefined, "the other process stays");
  });
}
