/**
 * @module
 * A function process and what becomes of it: each row is a real process that behaves in one way.
 */
import assert from "node:assert/strict";
import type { FunctionSetup } from "../../../functions.ts";
import { waitUntil } from "../../../functions.ts";
import { TestService } from "../../../function_service.ts";
import { TempFolder } from "../../../program.ts";

const FINE = "export const entry_call = () => 'fine';";

/** What a module does while it loads, and why it cannot be called; nothing when it can. */
const LOADS: { name: string; code: string; fault?: RegExp }[] = [
  { name: "fine", code: FINE },
  { name: "throws", code: `throw new Error("no");`, fault: /throws\.js does not load: Error: no/ },
  { name: "empty", code: "export const x = 1;", fault: /empty\.js exports no function entry_call/ },
  {
    name: "endless",
    code: `await new Promise(() => {}); ${FINE}`,
    fault: /endless\.js does not load within 2 s/,
  },
  {
    name: "killed",
    code: `import process from "node:process"; process.kill(process.pid, "SIGKILL"); ${FINE}`,
    fault: /killed\.js ended its process 3 times while it loaded: /,
  },
  {
    name: "schema",
    code: `export const params = { type: "objekt" }; ${FINE}`,
    fault: /schema\.js exports params that are not a JSON Schema for an object/,
  },
];

for (const place of ["shared", "own"]) {
  Deno.test(`modules that fail to load in a process that is ${place} cost others nothing`, async () => {
    await using folder = await TempFolder.make();
    const setup: FunctionSetup = {
      modules: Object.fromEntries(LOADS.map(({ name, code }) => [name, code])),
      sections: LOADS.map(({ name }) => `[${name}]\nProcess=${place}\n`).join(""),
    };
    await using service = await TestService.start(folder, setup, {
      loadTimeoutMs: 2000,
      retryPauses: { firstPauseMs: 1e6, longestPauseMs: 1e6 },
    });
    const { functions } = service.service.functions;
    assert.equal(functions.length, LOADS.length);
    for (const [i, { name, fault }] of LOADS.entries()) {
      const served = functions[i];
      assert.match(served?.fault ?? "", fault ?? /^$/, name);
      const result = await service.result(name);
      assert.equal(result.ok ? undefined : result.code, fault && "function_broken", name);
      assert.equal(service.count(new RegExp(`^fault: .* ${name}: `)), fault === undefined ? 0 : 1);
    }
    assert.equal(service.count(/^exited/), 3, String(service.events));
  });
}

/** What happens to a process that runs a call, and what its caller is told. */
const ENDS: { what: string; code: string; detail: RegExp; executed: string }[] = [
  {
    what: "is killed",
    code: `process.kill(process.pid, "SIGKILL");`,
    detail: /^its process ended: SIGKILL/,
    executed: "maybe",
  },
  {
    what: "fills its memory",
    code: `const kept = []; for (;;) kept.push(new Array(100_000).fill(Math.random()));`,
    detail: /^its process ended: SIG\w+, out of memory$/,
    executed: "maybe",
  },
];

Deno.test("a process that ends during a call fails that call, and the next one runs in another", async () => {
  await using folder = await TempFolder.make();
  const modules = Object.fromEntries(ENDS.map(({ code }, i) => [
    `f${i}`,
    `import process from "node:process";
    export const entry_call = ({ params }) => { if (params.end) { ${code} } return process.pid; };`,
  ]));
  const sections = ENDS.map((_, i) => `[f${i}]\nProcess=own\nMaxHeap=64\n`).join("");
  await using service = await TestService.start(folder, {
    modules: { ...modules, other: FINE },
    sections,
  });
  for (const [i, { what, detail, executed }] of ENDS.entries()) {
    const before = await service.call(`f${i}`, "{}");
    const result = await service.result(`f${i}`, '{"end":true}');
    assert.ok(!result.ok, what);
    assert.deepEqual([result.code, result.executed], ["function_failed", executed], what);
    assert.match(result.detail ?? "", detail, what);
    assert.notEqual(await service.call(`f${i}`, "{}"), before, what);
    assert.equal(service.count(/^exited: /), i + 1);
    assert.equal(await service.call("other"), "fine");
  }
});

Deno.test("memory that is taken in one go is refused beyond MaxHeap, and what keeps it is replaced", async () => {
  await using folder = await TempFolder.make();
  const code = `import process from "node:process"; const kept = [];
    export const entry_call = ({ params }) => {
      try { while (params.fill) kept.push(new Uint8Array(16_000_000).fill(1)); } catch { /* full */ }
      return [16 * kept.length, process.pid];
    };`;
  await using service = await TestService.start(folder, {
    modules: { f: code },
    sections: "[f]\nProcess=own\nMaxHeap=64\n",
  });
  const [megabytes, pid] = JSON.parse(await service.call("f", '{"fill":true}'));
  assert.ok(megabytes >= 64 && megabytes < 64 + 150, `${megabytes} MB`);
  await service.waitForEvent(/^exited: it had \d+ MB, more than MaxHeap allows/);
  const [later, other] = JSON.parse(await service.call("f", "{}"));
  assert.equal(later, 0);
  assert.notEqual(other, pid);
});

Deno.test("a process that exits again and again is started with growing pauses, and calls wait", async () => {
  await using folder = await TempFolder.make();
  const code = `import process from "node:process";
    export const entry_call = () => { setTimeout(() => process.kill(process.pid, "SIGKILL")); return 1; };`;
  await using service = await TestService.start(folder, {
    modules: { f: code },
    sections: "[f]\nProcess=own\n",
  });
  const times: number[] = [];
  for (let i = 0; i < 4; i++) {
    assert.equal(await service.call("f"), "1");
    await waitUntil(() => Promise.resolve(service.count(/^exited/) === i + 1), "it exits");
    times.push(performance.now());
  }
  // The first exit is followed at once, the later ones after 100, 200 ms.
  assert.ok((times[3] ?? 0) - (times[2] ?? 0) > 150, String(times));
});
