/**
 * @module
 * Root in the key store of another user, who can replace each file of it by a link at any time.
 */
import assert from "node:assert/strict";
import { IS_ROOT, testIf } from "../conditions.ts";
import { msp, mspOk, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

const COMMANDS = [
  ["appendclient", "other.pub"],
  ["appendclient", "other.pub", "--out", "out"],
  ["removeclient", "1", "--yes"],
  ["purgeclients", "--yes"],
  ["client", "1", "--name", "x"],
  ["rotate-secrets", "--yes"],
  ["rotate-server-key", "--yes"],
  ["migrate-secrets"],
  ["invite", "--url", "http://home.example"],
];

/** Every file below a folder, with its owner and content. */
async function contents(folder: TempFolder, path = "."): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder.join(path))) {
    const each = `${path}/${name}`;
    const { uid } = await Deno.lstat(folder.join(each));
    found.push(`${each} ${uid} ${isFile ? await folder.read(each) : ""}`);
    if (isDirectory) found.push(...await contents(folder, each));
  }
  return found.sort();
}

testIf(IS_ROOT, "only root can do it", "root changes no key store of another user", async () => {
  await using folder = await TempFolder.make();
  await using others = await TempFolder.make();
  await registerClient(folder);
  await mspOk(["keygen", "pair", "other"], { cwd: folder.path });
  await others.write("shadow", "root:secret");
  for (const path of ["sec", ...(await folder.names("sec")).map((name) => `sec/${name}`)]) {
    await Deno.chown(folder.join(path), 1234, 2345);
  }
  for (const target of ["shadow", "ld.so.preload"]) {
    await Deno.remove(folder.join("sec/.lock"));
    await Deno.symlink(others.join(target), folder.join("sec/.lock"));
    const before = [await contents(folder), await contents(others)];
    for (const args of COMMANDS) {
      const { code, out, err } = await msp(args, { cwd: folder.path });
      assert.deepEqual([code, out], [1, ""], `${args}: ${err}`);
      assert.equal(
        err,
        `msp: error: Cannot change ${folder.join("sec")} as root: it belongs to user 1234\n` +
          "msp: hint: run the command as that user: sudo -u '#1234' msp …\n",
      );
    }
    assert.deepEqual([await contents(folder), await contents(others)], before);
  }
  await mspOk(["listclients"], { cwd: folder.path });
  await Deno.remove(folder.join("sec/.lock"));
  await using server = await ServerProcess.start({ cwd: folder.path });
  assert.match(
    server.err,
    /^msp: note: \/\S+\/sec belongs to user 1234, who can lead a server of root/,
  );

  // A new store in a folder of another user would be one of root's in it.
  await using empty = await TempFolder.make();
  await Deno.chown(empty.path, 1234, 2345);
  const { code, err } = await msp(
    ["appendclient", "iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q="],
    {
      cwd: empty.path,
    },
  );
  assert.equal(code, 1, err);
  assert.match(err, new RegExp(`Cannot change ${empty.path} as root: it belongs to user 1234\n`));
  assert.deepEqual(await empty.names(), []);

  // A register of another user in a folder of root.
  await Deno.chown(folder.join("sec"), 0, 0);
  const single = await msp(["rotate-secrets", "--yes"], { cwd: folder.path });
  assert.equal(single.code, 1);
  assert.match(single.err, /Cannot change \S+\/clients\.dev as root: it belongs to user 1234\n/);
});
