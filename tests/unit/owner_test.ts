import assert from "node:assert/strict";
import { createFile, ensureFolder, replaceFile, withLock } from "../../lib/files.ts";
import { keepOwner } from "../../lib/owner.ts";
import { IS_ROOT, testIf } from "../conditions.ts";
import { TempFolder } from "../program.ts";

const NOT_ROOT = "only root gives files away";

testIf(
  IS_ROOT,
  NOT_ROOT,
  "what root creates in a folder of another user belongs to that user",
  async () => {
    await using folder = await TempFolder.make();
    await Deno.chown(folder.path, 1234, 2345);
    await createFile(folder.join("new"), "x", { mode: 0o600 });
    await replaceFile(folder.join("replaced"), "x", { mode: 0o600 });
    await ensureFolder(folder.join("sub"), 0o700);
    await withLock(folder.path, () => Promise.resolve());
    assert.deepEqual(await folder.names(), [".lock", "new", "replaced", "sub"]);
    for (const name of await folder.names()) {
      const { uid, gid } = await Deno.stat(folder.join(name));
      assert.deepEqual([uid, gid], [1234, 2345], name);
    }
    // A file keeps the owner that it has.
    await Deno.chown(folder.join("replaced"), 99, 98);
    await replaceFile(folder.join("replaced"), "y", { mode: 0o600 });
    const { uid, gid } = await Deno.stat(folder.join("replaced"));
    assert.deepEqual([uid, gid], [99, 98]);
  },
);

testIf(
  IS_ROOT,
  NOT_ROOT,
  "keepOwner() gives away nothing that took the place of a new file",
  async () => {
    await using folder = await TempFolder.make();
    await using others = await TempFolder.make();
    await others.write("shadow", "secret");
    await Deno.chown(folder.path, 1234, 2345);
    const path = folder.join("new");
    for (
      const place of [
        () => Deno.symlink(others.join("shadow"), path),
        () => Deno.link(others.join("shadow"), path),
        () => Deno.rename(others.join("shadow"), path),
        () => Deno.mkdir(path),
        () => Promise.resolve(),
      ]
    ) {
      const file = await Deno.open(path, { createNew: true, write: true });
      const info = await file.stat();
      await Deno.remove(path);
      await place();
      // The file stays open: nothing else can have its number.
      await keepOwner({ path, info }, [folder.path]);
      file.close();
      const found = await Deno.stat(path).catch(() => undefined);
      assert.equal(found?.uid ?? 0, 0);
      if (found !== undefined) await Deno.remove(path);
      await others.write("shadow", "secret");
    }
  },
);
