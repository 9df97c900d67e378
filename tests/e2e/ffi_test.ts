/**
 * @module
 * Native code is for stage 1 of a function process alone: every command gives it up before anything else.
 * The executable runs the same main.ts; there, tests/wall_probe.js shows that functions have none.
 */
import assert from "node:assert/strict";
import { HOST_COMMAND, STAGE_COMMAND } from "../../lib/functions/entry.ts";
import { LIBC_PATHS } from "../../lib/functions/wall/libc.ts";
import { programFlags } from "../../tasks/flags.ts";
import { repositoryPath } from "../../tasks/root.ts";
import { testIf } from "../conditions.ts";
import { run, RUNTIME, ServerProcess, TempFolder } from "../program.ts";

const LIBC = LIBC_PATHS[0] ?? "";
/** Runs before the program, and tells at its end what is granted then. */
const WITNESS =
  `const state = () => Deno.permissions.querySync({ name: "ffi", path: "${LIBC}" }).state;
  const before = state();
  addEventListener("unload", () => console.error("ffi: " + before + ", then " + state()));`;

const COMMANDS: { what: string; args: string[] }[] = [
  { what: "a client", args: ["call", "http://127.0.0.1:1/v1", "f"] },
  { what: "a command", args: ["--version"] },
  { what: "a command that starts function processes", args: ["functions"] },
  { what: "a function process", args: [HOST_COMMAND] },
];

testIf(
  !RUNTIME.isExecutable,
  "nothing runs before an executable's own code",
  "every command has given up native code, and serve too",
  async () => {
    await using folder = await TempFolder.make();
    const witness = folder.join("witness.js");
    await folder.write("witness.js", WITNESS);
    const line = [
      Deno.execPath(),
      "run",
      "--preload",
      witness,
      ...programFlags("here"),
      `--allow-ffi=${LIBC_PATHS}`,
      repositoryPath("main.ts"),
    ];
    for (const { what, args } of COMMANDS) {
      const { err } = await run([...line, ...args], { cwd: folder.path });
      assert.match(err, /ffi: granted, then prompt\n/, `${what}: ${err}`);
    }
    await using server = await ServerProcess.start({ cwd: folder.path, program: line });
    await server.waitForLog(/Functions: time_test\n/);
    await server.stop();
    assert.match(server.err, /ffi: granted, then prompt\n/);
    // What does keep it, to be what the kernel holds.
    const stage = await run([...line, STAGE_COMMAND], { cwd: folder.path });
    assert.match(stage.err + stage.out, /"abi":|ffi: granted, then granted/);
  },
);
