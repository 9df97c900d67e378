/**
 * What is shipped beside the executable does what it is for, by the programs that read it.
 */
import assert from "node:assert/strict";
import { COMMAND_NAMES } from "../../cli/commands.ts";
import { readSettings } from "../../lib/config/settings.ts";
import { MANUAL } from "../../tasks/manual.ts";
import { isInstalled, testIf } from "../conditions.ts";
import { run, TempFolder } from "../program.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url);

/** A test of the files beside the executable that needs a program of this machine. */
function testWith(program: string, name: string, fn: (folder: TempFolder) => Promise<void>): void {
  testIf(isInstalled(program), `${program} is not installed`, name, async () => {
    await using folder = await TempFolder.make();
    for (const [file, text] of Object.entries(MANUAL)) await folder.write(file, text);
    await fn(folder);
  });
}

testWith("systemd-analyze", "the systemd unit is correct, and hardly exposed", async (folder) => {
  const unit = await Deno.readTextFile(new URL("msp.service", DEPLOY));
  // The executable and its man page are not installed here.
  await folder.write(
    "msp.service",
    unit.replaceAll("/usr/local/bin/msp", "/bin/true").replace(/^Documentation=.*$/m, ""),
  );
  const options = { cwd: folder.path };
  const verified = await run(["systemd-analyze", "verify", "./msp.service"], options);
  assert.equal(verified.code, 0, verified.err);
  assert.doesNotMatch(verified.err, /msp\.service/, "a line that systemd does not understand");
  // Without these calls, functions have no wall and those with grants are refused.
  for (const call of ["create_ruleset", "add_rule", "restrict_self"]) {
    assert.match(unit, new RegExp(`^SystemCallFilter=.*\\blandlock_${call}\\b`, "m"));
  }
  const security = ["systemd-analyze", "security", "--offline=yes", "--threshold=20"];
  const { code, out } = await run([...security, "./msp.service"], options);
  assert.equal(code, 0, out);
  const [, exposure] = /exposure level for msp\.service: ([\d.]+)/.exec(out) ?? [];
  const { out: name } = await run(["systemd-analyze", "--version"], options);
  const docs = await Deno.readTextFile(new URL("../docs/operations.md", DEPLOY));
  const [, said, of] = /exposure\s+([\d.]+)\s+with\s+systemd\s+(\d+)/.exec(docs) ?? [];
  assert.ok(said !== undefined, "docs/operations.md does not say how exposed the unit is");
  // Other versions count other things.
  if (name.startsWith(`systemd ${of} `)) assert.equal(said, exposure);
});

testWith("man", "the man page has every command, and no fault that man knows", async (folder) => {
  const env = { MANWIDTH: "80", LC_ALL: "C" };
  const line = ["man", "--warnings", "-l", "msp.1"];
  const { code, out, err } = await run(line, { cwd: folder.path, env });
  assert.equal(code, 0, err);
  assert.equal(err, "");
  for (const name of COMMAND_NAMES) assert.match(out, new RegExp(`msp (?:\\[)?${name}`));
  assert.match(out, /--port PORT/);
});

/** What bash offers at the end of a line. */
async function completions(folder: TempFolder, ...words: string[]): Promise<string[]> {
  const script = `source msp.bash
    COMP_WORDS=(msp "$@"); COMP_CWORD=$#
    _msp; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { out } = await run(["bash", "-c", script, "bash", ...words], { cwd: folder.path });
  return out.trim().split("\n");
}

testWith("bash", "bash completes commands and their options", async (folder) => {
  assert.deepEqual(await completions(folder, "app"), ["appendclient"]);
  assert.deepEqual(await completions(folder, "serve", "--mod"), ["--modules-config", "--modules"]);
  assert.deepEqual(await completions(folder, "keygen", "p"), ["private", "public", "pair"]);
  assert.deepEqual(await completions(folder, "removeclient", "--y"), ["--yes"]);
  const { code, err } = await run(["bash", "-n", "msp.bash"], { cwd: folder.path });
  assert.equal(code, 0, err);
});

testWith("zsh", "zsh reads its completion", async (folder) => {
  const { code, err } = await run(["zsh", "-n", "_msp"], { cwd: folder.path });
  assert.equal(code, 0, err);
});

testWith("fish", "fish completes commands and their options", async (folder) => {
  const script = "source msp.fish; complete -C 'msp rotate-s'; complete -C 'msp doctor --js'";
  const options = { cwd: folder.path, env: { HOME: folder.path } };
  const { out, err } = await run(["fish", "--no-config", "-c", script], options);
  assert.match(out, /^rotate-secrets\t/m, err);
  assert.match(out, /^rotate-server-key\t/m);
  assert.match(out, /^--json\t/m);
});

testWith("caddy", "the Caddyfile of a cluster is one that Caddy takes", async (folder) => {
  const path = decodeURIComponent(new URL("cluster/Caddyfile", DEPLOY).pathname);
  const env = { XDG_DATA_HOME: folder.join("data"), XDG_CONFIG_HOME: folder.join("conf") };
  const line = ["caddy", "validate", "--config", path, "--adapter", "caddyfile"];
  const { code, err } = await run(line, { cwd: folder.path, env });
  assert.equal(code, 0, err);
});

Deno.test("the configurations of a cluster are ones that the server takes, without a warning", async () => {
  for (const name of ["config/config.ini", "kubernetes/config.ini"]) {
    const path = decodeURIComponent(new URL(`cluster/${name}`, DEPLOY).pathname);
    const { settings, warnings } = await readSettings(path, { env: { MSP_STATEPATH: "/run/msp" } });
    assert.deepEqual(warnings, []);
    assert.equal(settings.cluster?.redis.host, "valkey");
    assert.equal(settings.stateFolder, "/run/msp");
    assert.equal(settings.proxy.forwardedFor, 1);
    // The probes and Caddy ask this port.
    assert.equal(settings.admin?.listen.port, 9101);
  }
});
