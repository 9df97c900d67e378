import assert from "node:assert/strict";
import { LastUse, readLastUse } from "../../lib/last_use.ts";
import type { Called } from "../../lib/observer.ts";
import { TempFolder } from "../program.ts";

const [A, B] = [`${"A".repeat(43)}=`, `${"B".repeat(43)}=`];

function calledBy(publicKeyBase64: string): Called {
  return {
    functionName: "f",
    refusal: undefined,
    detail: undefined,
    reference: undefined,
    client: { file: "client_1.pub", label: "1", publicKeyBase64 },
    durationMs: 1,
  };
}

Deno.test("LastUse outlives a restart, and says once when it cannot be written", async () => {
  await using folder = await TempFolder.make();
  const told: string[] = [];
  const observer = {
    fault: (_: string, what: string): void => void told.push(what),
    recovered: (_: string, what: string): void => void told.push(what),
  };
  const open = (now: number): Promise<LastUse> =>
    LastUse.open({ folder: folder.path, observer, nowSeconds: () => now });
  const first = await open(100);
  first.observer.called(calledBy(A));
  first.observer.called(calledBy(B));
  await first.close();
  assert.equal(await folder.mode("last-use"), "600");
  const second = await open(200);
  second.observer.called(calledBy(A));
  await second.close();
  assert.deepEqual([...await readLastUse(folder.path)], [[B, 100], [A, 200]]);

  await Deno.remove(folder.join("last-use"));
  await Deno.mkdir(folder.join("last-use"));
  const third = await open(300);
  third.observer.called(calledBy(A));
  await third.close();
  await third.close();
  assert.equal(told.length, 1, told.join());
  await Deno.remove(folder.join("last-use"));
  await third.close();
  assert.match(told[1] ?? "", /can be written again/);
  assert.deepEqual([...await readLastUse(folder.path)], [[A, 300]]);
  await LastUse.forget(folder.path);
  assert.deepEqual(await folder.names("."), []);
});

Deno.test("readLastUse() passes over what it does not understand", async () => {
  await using folder = await TempFolder.make();
  await folder.write("last-use", `x\n${A} 5\n${B}\n${B} soon\n\u0000`);
  assert.deepEqual([...await readLastUse(folder.path)], [[A, 5]]);
});
