import assert from "node:assert/strict";
import { parseIni } from "../../../lib/config/ini.ts";
import { modulesFrom } from "../../../lib/config/modules.ts";
import { WorkerSlot } from "../../../lib/functions/calls/worker_slot.ts";
import { ServedFunction } from "../../../lib/functions/function.ts";
import type { FunctionPlan } from "../../../lib/functions/plan/plan.ts";

function plan(version: string): FunctionPlan {
  const [config] = modulesFrom(parseIni("[Modules]\nf=f\n"), "modules.ini").entries;
  assert.ok(config);
  return {
    config,
    file: "modules/f.js",
    moduleUrl: "file:///modules/f.js",
    permissions: { read: [], write: [], net: [], env: [] },
    reach: { read: [], write: [] },
    hostKey: "",
    mayStartWorkers: false,
    version,
  };
}

const slots = (): WorkerSlot[] => [new WorkerSlot(0, { calls: () => {}, abort: () => {} })];

/** A function that serves version 1. */
function serving(): { served: ServedFunction; first: FunctionPlan; slots: WorkerSlot[] } {
  const served = new ServedFunction("f", { pauses: { firstPauseMs: 1e6 } });
  const first = plan("1");
  const workers = slots();
  served.become(first);
  served.beginLoading(first);
  served.serveWith(first, { slots: workers, about: {} });
  return { served, first, slots: workers };
}

Deno.test("ServedFunction is loaded once, and again only when its version changes", () => {
  const served = new ServedFunction("f");
  const first = plan("1");
  assert.equal(served.become(first), true);
  assert.deepEqual([served.state, served.wantsLoad], ["loading", true]);
  served.beginLoading(first);
  assert.equal(served.wantsLoad, false, "it is being loaded");
  assert.equal(served.become(plan("1")), false);
  assert.equal(served.wantsLoad, false);
  assert.equal(served.serveWith(first, { slots: slots(), about: {} }), false, "no fault before");
  assert.deepEqual([served.state, served.wantsLoad, served.isLoading], ["ready", false, false]);
  assert.equal(served.become(plan("1")), false);
  assert.equal(served.become(plan("2")), true);
  assert.deepEqual([served.state, served.wantsLoad], ["ready", true]);
});

Deno.test("ServedFunction: a version that fails leaves the earlier one serving, and is reported once", () => {
  const { served } = serving();
  served.become(plan("2"));
  const load = (): void => {};
  assert.equal(
    served.failLoading("it is wrong", 0, load),
    "Cannot load function f: it is wrong; its earlier version goes on",
  );
  assert.equal(served.failLoading("it is wrong in another way", 0, load), undefined);
  assert.deepEqual([served.state, served.isServed, served.wantsLoad], ["ready", true, false]);
  assert.equal(served.become(plan("2")), false, "its time has not come");
  assert.equal(served.become(plan("3")), true);
  assert.deepEqual([served.fault, served.wantsLoad], ["", true]);
  served.remove();
});

Deno.test("ServedFunction: a change that is taken back needs no load", () => {
  const { served } = serving();
  served.become(plan("2"));
  served.failLoading("it is wrong", 0, () => {});
  assert.equal(served.become(plan("1")), true);
  assert.deepEqual([served.fault, served.wantsLoad, served.state], ["", false, "ready"]);
});

Deno.test("ServedFunction is broken where nothing serves, says why, and comes back", async () => {
  const served = new ServedFunction("f", { pauses: { firstPauseMs: 1, longestPauseMs: 1 } });
  served.become(plan("1"));
  const waiting = served.call();
  await new Promise<void>((resolve) => {
    assert.equal(served.failLoading("no", 0, resolve), "Cannot load function f: no");
    assert.equal(served.state, "broken");
  });
  assert.deepEqual(await waiting, {
    ok: false,
    code: "function_failed",
    detail: "it cannot be loaded: no",
    executed: "no",
  });
  assert.deepEqual(served.call(), {
    ok: false,
    code: "function_broken",
    detail: "no",
    executed: "no",
  });
  assert.equal(
    served.serveWith(plan("1"), { slots: slots(), about: {} }),
    true,
    "it had failed before",
  );
  assert.deepEqual([served.state, served.fault], ["ready", ""]);
});

Deno.test("ServedFunction.refuse() reports a fault of modules.ini once, and keeps what serves", () => {
  const { served } = serving();
  assert.match(served.refuse("not granted") ?? "", /not granted; its earlier version goes on$/);
  assert.equal(served.refuse("not granted"), undefined);
  assert.match(served.refuse("another reason") ?? "", /another reason/);
  assert.equal(served.wantsLoad, false);
  assert.equal(served.become(plan("1")), true);
  assert.deepEqual([served.fault, served.wantsLoad], ["", false]);
});

Deno.test("ServedFunction waits for its workers to come back, or is broken without a version", () => {
  const { served, slots } = serving();
  served.loseWorkers(
    [new WorkerSlot(7, { calls: () => {}, abort: () => {} })],
    "another host ended",
  );
  assert.equal(served.state, "ready");
  served.loseWorkers(slots, "its host ended");
  assert.deepEqual([served.state, served.wantsLoad], ["loading", true]);
  const { served: faulty, slots: workers } = serving();
  faulty.become(plan("2"));
  faulty.failLoading("no", 0, () => {});
  faulty.loseWorkers(workers, "its host ended");
  assert.deepEqual([faulty.state, faulty.wantsLoad], ["broken", false]);
  faulty.remove();
});

Deno.test("ServedFunction.outdate() asks for other workers of the same version", () => {
  const { served, first } = serving();
  assert.equal(served.outdate(), false);
  assert.deepEqual([served.wantsLoad, served.isServed], [true, true]);
  served.serveWith(first, { slots: slots(), about: {} });
  assert.equal(served.wantsLoad, false);
  served.become(plan("2"));
  served.failLoading("no", 0, () => {});
  served.beginLoading(plan("2"));
  assert.equal(served.outdate(), true, "an attempt has to begin again");
  assert.equal(served.state, "broken", "the earlier version cannot be loaded any more");
  served.remove();
});

Deno.test("ServedFunction.waitForRoom() holds calls until the earlier version has exited", () => {
  const { served } = serving();
  const next = plan("2");
  served.become(next);
  served.beginLoading(next);
  served.waitForRoom();
  assert.deepEqual([served.state, served.wantsLoad, served.isLoading], ["loading", false, false]);
  served.takeRoom();
  assert.equal(served.wantsLoad, true);
});

Deno.test("ServedFunction gets a host of its own after two exits, until it changes", () => {
  const served = new ServedFunction("f");
  served.become(plan("1"));
  assert.deepEqual([served.countExit(), served.isSuspect], [1, false]);
  assert.deepEqual([served.countExit(), served.isSuspect], [2, true]);
  served.become(plan("2"));
  assert.equal(served.isSuspect, false);
  served.suspect();
  assert.equal(served.isSuspect, true);
});
