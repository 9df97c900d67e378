/**
 * The log file, and what may happen to it while the server runs.
 */
import assert from "node:assert/strict";
import { waitUntil } from "../functions.ts";
import { ServerProcess, TempFolder } from "../program.ts";
import { postTo } from "../registered.ts";

const REMOVALS = [
  { what: "the file", path: "log/latest.log" },
  { what: "the folder", path: "log" },
];

for (const { what, path } of REMOVALS) {
  Deno.test(`the log is written again after ${what} was removed`, async () => {
    await using folder = await TempFolder.make();
    await using server = await ServerProcess.start({ cwd: folder.path });
    await Deno.remove(folder.join(path), { recursive: true });
    const isLogged = async (): Promise<boolean> => {
      const response = await postTo(server.url, "{}");
      await response.body?.cancel();
      return (await folder.read("log/latest.log").catch(() => "")).includes("Refused a request");
    };
    await waitUntil(isLogged, "a line in the new file");
    assert.equal(await folder.mode("log"), "750");
    assert.equal(await server.stop(), 0);
    assert.match(await folder.read("log/latest.log"), /INFO server: Stopped\n$/);
  });
}
