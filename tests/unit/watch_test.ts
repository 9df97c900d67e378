import assert from "node:assert/strict";
import { isSameSight, lookAt, lookBelow, lookCloselyAt, Watch } from "../../lib/watch.ts";
import { waitUntil } from "../functions.ts";
import { TempFolder } from "../program.ts";

Deno.test("Watch.takeUp() runs one reload at a time, and one more for any number of callers", async () => {
  let running = 0, most = 0, reloads = 0;
  const watch = new Watch({
    seen: "",
    look: () => Promise.resolve(""),
    async onChange(): Promise<void> {
      reloads++;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
    },
  });
  const first = watch.takeUp();
  await Promise.resolve();
  await Promise.resolve();
  await Promise.all([first, ...Array.from({ length: 100 }, () => watch.takeUp())]);
  watch.close();
  assert.equal(most, 1);
  assert.ok(reloads >= 1 && reloads <= 2, `${reloads} reloads for 101 callers`);
});

Deno.test("Watch.takeUp() reloads what changed while a reload ran", async () => {
  let state = 1, taken = 0;
  let inReload = (): void => {};
  const begun = new Promise<void>((resolve) => inReload = resolve);
  let release = (): void => {};
  const held = new Promise<void>((resolve) => release = resolve);
  const watch = new Watch({
    seen: "",
    look: () => Promise.resolve(String(state)),
    async onChange(): Promise<void> {
      taken = state;
      inReload();
      await held;
    },
  });
  const first = watch.takeUp();
  await begun;
  state = 2;
  const second = watch.takeUp();
  release();
  await Promise.all([first, second]);
  watch.close();
  assert.equal(taken, 2);
});

Deno.test("Watch compares with what onChange saw, where it decides what is looked at", async () => {
  let reloads = 0, looksAfter = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const watch = new Watch({
    seen: "old",
    look(): Promise<string> {
      if (reloads === 0) return Promise.resolve("something else");
      if (++looksAfter === 2) resolve();
      return Promise.resolve("new");
    },
    onChange(): Promise<string> {
      reloads++;
      return Promise.resolve("new");
    },
  });
  await promise;
  await watch.takeUp();
  watch.close();
  assert.equal(reloads, 2, "one for the change, one that was asked for");
});

Deno.test("lookBelow() sees files through links, ends in circles, and leaves out what it should", async () => {
  await using folder = await TempFolder.make();
  await folder.write("m/a.js", "");
  await folder.write("m/deep/b.js", "");
  await folder.write("m/.hidden.js", "");
  await folder.write("m/.git/c.js", "");
  await folder.write("m/node_modules/d.js", "");
  await folder.write("m/data/e.js", "");
  await folder.write("m/notes.txt", "");
  await folder.write("shared/s.js", "");
  await Deno.symlink("../shared", folder.join("m/shared"));
  await Deno.symlink(".", folder.join("m/circle"));
  await Deno.symlink("nowhere", folder.join("m/broken"));
  const look = async (): Promise<string[]> => {
    const text = await lookBelow(
      folder.join("m"),
      /^[^.].*\.js$/,
      (path) => path === folder.join("m/data"),
    );
    const names = text.split("\n").map((line) => /\/([^/ ]+) /.exec(line)?.[1] ?? line);
    return [...new Set(names)].sort();
  };
  assert.deepEqual(await look(), ["a.js", "b.js", "s.js"]);
  const before = await lookAt(folder.join("m/shared/s.js"));
  await folder.write("shared/s.js", "changed");
  assert.notEqual(await lookAt(folder.join("m/shared/s.js")), before);
});

Deno.test("lookCloselyAt() sees every kind of change, and one within the tick of another", async () => {
  await using folder = await TempFolder.make();
  const path = folder.join("a");
  const look = (): string => lookCloselyAt(path);
  const old = async (): Promise<string> => {
    await waitUntil(() => Promise.resolve(!look().includes("recent")), "the file is old");
    return look();
  };
  assert.equal(look(), "NotFound");
  await folder.write("a", "1");
  const recent = look();
  const seen = await old();
  assert.ok(recent === seen || isSameSight(recent, seen), "only how recent it is differs");
  const changes: [what: string, change: () => Promise<unknown>][] = [
    ["its content, in place and as long", () => folder.write("a", "2")],
    ["its mode", () => Deno.chmod(path, 0o600)],
    ["its time, set back", () => Deno.utime(path, 1, 1)],
    ["another file in its place", async () => {
      await folder.write("b", "2");
      await Deno.utime(folder.join("b"), 1, 1);
      await Deno.rename(folder.join("b"), path);
    }],
  ];
  assert.equal(changes.length, 4);
  for (const [what, change] of changes) {
    const before = await old();
    await change();
    assert.ok(!isSameSight(look(), before), what);
  }
});
