/**
 * @module
 * A host with one function in its main thread, without a server.
 */
import assert from "node:assert/strict";
import { hiddenArgs, HOST_COMMAND } from "../../../../lib/functions/entry.ts";
import { HostInput } from "../../../../lib/functions/processes/host_pipe.ts";
import { repositoryPath } from "../../../../tasks/root.ts";
import { TempFolder } from "../../../program.ts";

Deno.test("a host with a lone function tells that it is there, and ends with its input", async () => {
  await using folder = await TempFolder.make();
  await folder.write("f.js", "export const entry_call = () => 1;");
  const read = [folder.path, repositoryPath("lib/functions/host")];
  const child = new Deno.Command(Deno.execPath(), {
    args: hiddenArgs([`--allow-read=${read}`], HOST_COMMAND),
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const input = new HostInput(child.stdin);
  const token = "the token of a test";
  input.message({
    token,
    markHex: "00",
    isShared: false,
    isLone: true,
    lifeSignMs: 10,
    maxGrowthBytes: 1e9,
  });
  input.message(["load", 3, {
    functionName: "f",
    moduleUrl: `file://${folder.join("f.js")}`,
    permissions: { read, write: [], net: [], env: [] },
    instances: 1,
    maxResultBytes: 1000,
  }]);
  let told = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    told += text;
    if (told.includes('["alive",0]') && told.includes('["loaded",')) await input.close();
  }
  assert.match(told, /the token of a test\["loading",3\]\n/);
  assert.match(told, /the token of a test\["loaded",3,\{\}\]\n/);
  assert.deepEqual((await child.status).code, 0);
});
