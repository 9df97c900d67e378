/**
 * docs/migrate.md, as it is done: an installation as the Python program lays it out, our server on it, its
 * client.
 */
import assert from "node:assert/strict";
import { repositoryPath } from "../../tasks/root.ts";
import { hasPython, PYTHON, testIf } from "../conditions.ts";
import { msp, mspOk, run, ServerProcess, TempFolder } from "../program.ts";

const PYTHON_PEER = repositoryPath("tests/interop/msp_v1.py");
const PYTHON_CLIENT = repositoryPath("examples/v1/client.py");

/** config-docker/config.ini of the original, but for paths that do not begin with a slash. */
const CONFIG = `[Server]
KeyPath=sec
IPAddressTTL=300

[Clients]
KeyPath=sec
Register=sec/clients.dev
RequestTTL=30

[Proxy]
ForwardFor=0
ForwardHost=0
ForwardPort=0
ForwardPrefix=0
ForwardProto=0
`;

testIf(
  await hasPython("nacl", "requests"),
  "python3-nacl or python3-requests is not installed",
  "the server takes over an installation of the Python program and serves its client",
  async () => {
    await using folder = await TempFolder.make();
    const options = { cwd: folder.path };
    const made = await run([PYTHON, PYTHON_PEER, "make-store", ".", "3"], options);
    assert.equal(made.code, 0, made.err);
    await folder.write("config-docker/config.ini", CONFIG);
    await folder.write("config-docker/modules.ini", "[Modules]\ntime_test=simple_time\n");
    await folder.write("modules/simple_time.py", "def entry_call() -> str:\n    return ''\n");
    for (const name of await folder.names("sec")) await Deno.chmod(folder.join("sec", name), 0o644);
    const before = new Map<string, string>();
    for (const name of await folder.names("sec")) {
      before.set(name, await folder.read(`sec/${name}`));
    }

    // As the guide says: look, start.
    const paths = ["--config", "config-docker/config.ini"];
    const modules = ["--modules-config", "config-docker/modules.ini"];
    const doctor = await msp(["doctor", ...paths, ...modules], options);
    assert.equal(doctor.code, 1);
    assert.match(doctor.out, /sec\/server\.key has mode 644: others can read it\n/);
    assert.match(doctor.out, /remedy: chmod 600 .*\/sec\/clients\.dev\n/);
    await using server = await ServerProcess.start({ ...options, args: [...paths, ...modules] });
    for (const number of [1, 2, 3]) {
      const home = { cwd: folder.join(`home${number}`) };
      const { out, err } = await run([PYTHON, PYTHON_CLIENT, server.url, "time_test"], home);
      assert.match(out, /^It is currently: \n\t/, err);
    }
    // What was there is as it was.
    for (const [name, text] of before) assert.equal(await folder.read(`sec/${name}`), text, name);
    assert.equal(
      await folder.read("modules/simple_time.py"),
      "def entry_call() -> str:\n    return ''\n",
    );
    // Further steps of the guide: digests in place of secrets, while it runs.
    assert.match(await mspOk(["migrate-secrets", ...paths], options), /^Replaced 3 secrets/);
    server.signal("SIGHUP");
    await server.waitForLog(/Reloading key store/);
    const home = { cwd: folder.join("home2") };
    const { out } = await run([PYTHON, PYTHON_CLIENT, server.url, "time_test"], home);
    assert.match(out, /^It is currently: \n\t/);
  },
);
