import assert from "node:assert/strict";
import { programFlags } from "../../../tasks/flags.ts";
import { run, TempFolder } from "../../program.ts";

const MODULE = new URL("../../../lib/config/permissions.ts", import.meta.url).href;

Deno.test("narrowPermissions() keeps what the server needs and what functions may be granted", async () => {
  await using folder = await TempFolder.make();
  const script = `
    import { narrowPermissions, rememberPermissions } from "${MODULE}";
    const isHeld = rememberPermissions();
    narrowPermissions({ read: ["config", "sec", "modules"], write: ["log"] });
    const state = (name, path) => Deno.permissions.querySync({ name, path }).state;
    console.log(JSON.stringify({
      writes: ["sec/server.key", "config/config.ini", "modules/x.js", ".", "log/x"]
        .map((path) => state("write", path)),
      reads: state("read", "sec"),
      others: ["ffi", "sys"].map((name) => state(name)),
      runs: [Deno.permissions.querySync({ name: "run", command: "/proc/self/exe" }).state,
        Deno.permissions.querySync({ name: "run", command: "/bin/true" }).state],
      held: [
        isHeld({ name: "write", path: "data" }),
        isHeld({ name: "write", path: "/srv" }),
        isHeld({ name: "read", path: "data" }),
        isHeld({ name: "env", variable: "MSP_X" }),
        isHeld({ name: "env", variable: "HOME" }),
      ],
    }));`;
  await folder.write("script.js", script);
  const line = [
    Deno.execPath(),
    "run",
    ...programFlags("here", { isServerOnly: true }),
    "script.js",
  ];
  const { out, err } = await run(line, { cwd: folder.path });
  assert.notEqual(out, "", err);
  assert.deepEqual(JSON.parse(out), {
    writes: ["prompt", "prompt", "prompt", "prompt", "granted"],
    reads: "granted",
    others: ["prompt", "prompt"],
    runs: ["granted", "prompt"],
    held: [true, false, true, true, false],
  });
});
