import assert from "node:assert/strict";
import { FolderEvents } from "../../lib/folder_events.ts";
import { inSlices } from "../../lib/slices.ts";
import { testIf } from "../conditions.ts";
import { waitUntil } from "../functions.ts";
import { TempFolder } from "../program.ts";

/** Waits until a file was named. */
async function waitFor(events: FolderEvents, name: string): Promise<void> {
  await waitUntil(() => Promise.resolve(events.take().has(name)), `an event of ${name}`);
}

testIf(
  Deno.build.os === "linux",
  "other systems tell of changes later, or of the folder only",
  "FolderEvents names files that change, goes on with a folder that replaced it",
  async () => {
    await using folder = await TempFolder.make();
    for (const name of ["a", "read"]) await folder.write(`sec/${name}`, "1");
    const events = new FolderEvents(folder.join("sec"));
    await folder.write("sec/a", "2");
    await waitFor(events, "a");
    await Deno.readTextFile(folder.join("sec/read"));
    await folder.write("sec/b", "1");
    const names = new Set<string>();
    await waitUntil(() => {
      for (const name of events.take()) names.add(name);
      return Promise.resolve(names.has("b"));
    }, "an event of b");
    assert.ok(!names.has("read"), "reading is no change");

    await Deno.rename(folder.join("sec"), folder.join("old"));
    events.take();
    let text = "";
    await waitUntil(async () => {
      await folder.write("sec/c", text += "c");
      return events.take().has("c");
    }, "an event of c");
    events.close();
    events.close();
  },
);

Deno.test("inSlices() takes every item in its order, lets others run, and passes errors on", async () => {
  const items = Array.from({ length: 100 }, (_, index) => index);
  const done: number[] = [];
  let others = 0;
  const timer = setInterval(() => others++, 0);
  await inSlices(items, (item) => {
    done.push(item);
    const end = performance.now() + 1;
    while (performance.now() < end);
  });
  clearInterval(timer);
  assert.deepEqual(done, items);
  assert.ok(others > 0, "others ran meanwhile");

  let first = 0;
  const promise = inSlices([1, 2, 3], () => void first++, 1000);
  assert.equal(first, 3, "the first slice is done at once");
  await promise;
  await inSlices([], () => assert.fail("no item"));
  await assert.rejects(inSlices([1], () => assert.fail("of the action")), /of the action/);
});
