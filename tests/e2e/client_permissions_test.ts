/**
 * What the commands of a client may touch beyond the working folder, and that no other command may.
 */
import assert from "node:assert/strict";
import { programFlags } from "../../tasks/flags.ts";
import { repositoryPath } from "../../tasks/root.ts";
import { msp, mspOk, run, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";
import { writeModules } from "../functions.ts";

Deno.test("keygen and call use files outside of the working folder", async () => {
  await using folder = await TempFolder.make();
  await using elsewhere = await TempFolder.make();
  await registerClient(folder);
  await using server = await ServerProcess.start({ cwd: folder.path });
  const cwd = elsewhere.path;
  const files = ["key", "secret"].flatMap((kind) => [
    `--${kind}`,
    folder.join(`client.${kind}`),
  ]);
  const args = [
    "call",
    server.url,
    "time_test",
    ...files,
    "--server-key",
    folder.join("server.pub"),
  ];
  assert.match(await mspOk(args, { cwd }), /^It is currently/);
  await mspOk(["keygen", "pair", folder.join("new")], { cwd });
  assert.deepEqual([await folder.mode("new.key"), await folder.mode("new.pub")], ["600", "644"]);
});

Deno.test("all other commands stay in the working folder, and a server cannot hand on more", async () => {
  await using folder = await TempFolder.make();
  await using elsewhere = await TempFolder.make();
  await elsewhere.write("config.ini", "");
  const config = ["--config", elsewhere.join("config.ini")];
  for (const command of ["serve", "listclients", "functions", "health"]) {
    const { code, err } = await msp([command, ...config], { cwd: folder.path });
    assert.equal(code, 1, `${command}: ${err}`);
    assert.match(err, /outside of the paths this program may use/, command);
  }
  await writeModules(folder, {
    modules: { f: "export const entry_call = () => 1;", g: "export const entry_call = () => 1;" },
    sections: `[f]\nRead=${elsewhere.path}\n[g]\nEnv=HOME\n`,
  });
  await using server = await ServerProcess.start({ cwd: folder.path, env: { HOME: "/root" } });
  await server.waitForLog(/INFO functions: Functions: /);
  assert.match(server.err, /Cannot load function f: the server has no read permission for \/tmp/);
  assert.match(server.err, /Cannot load function g: .*only variables that begin with MSP_/);
});

/** What a program may do after it gave up what is for clients, or with the flags of the server. */
async function held(cwd: string, flags: readonly string[], isGivenUp: boolean): Promise<string> {
  const module = repositoryPath("lib/config/permissions.ts");
  const code = `
    import { giveUpClientPermissions } from ${JSON.stringify(`file://${module}`)};
    if (${isGivenUp}) giveUpClientPermissions();
    const paths = [".", "x", "..", "/", "/etc/passwd", "/etc/hosts", "/config/x", "/root", "/sec"];
    const names = ["HOME", "HTTP_PROXY", "https_proxy", "XDG_CONFIG_HOME", "MSP_X", "TZ", "PATH"];
    const states = [
      ...["read", "write"].flatMap((name) => [{ name }, ...paths.map((path) => ({ name, path }))]),
      ...names.map((variable) => ({ name: "env", variable })),
      { name: "run", command: "/bin/sh" }, { name: "ffi" }, { name: "sys" }, { name: "net" },
    ].map((each) => [JSON.stringify(each), Deno.permissions.querySync(each).state]);
    console.log(JSON.stringify(states));`;
  const path = `${cwd}/${isGivenUp}.js`;
  await Deno.writeTextFile(path, code);
  const { out, err } = await run([Deno.execPath(), "run", ...flags, path], { cwd });
  assert.notEqual(out, "", err);
  return out;
}

Deno.test("what is for clients is given up whole: the rest is what the serve task has", async () => {
  await using folder = await TempFolder.make();
  const all = programFlags(), ofServer = programFlags("here", { isServerOnly: true });
  assert.notDeepEqual(all, ofServer);
  const expected = await held(folder.path, ofServer, false);
  assert.equal(await held(folder.path, all, true), expected);
  assert.notEqual(await held(folder.path, all, false), expected);
});
