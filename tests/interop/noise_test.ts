/**
 * Protocol v2 with two implementations of Noise that nobody here wrote, from Debian: they say hello to the
 * real server and call a function, and the client library calls servers written on them.
 */
import { repositoryPath } from "../../tasks/root.ts";
import assert from "node:assert/strict";
import { hasPython, isFile, isInstalled, PYTHON, testIf } from "../conditions.ts";
import { writeModules } from "../functions.ts";
import { run, ServerProcess, TempFolder } from "../program.ts";
import { connect } from "../../client/mod.ts";
import { formatKey } from "../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../lib/crypto/nacl.ts";
import { registerProfile, v2Url } from "../v2_client.ts";

const HERE = repositoryPath("tests/interop/");
const REQUEST = '{"jsonrpc":"2.0","method":"echo","params":{"text":"Küche"},"id":"a"}';
const RESPONSE = '{"jsonrpc":"2.0","result":{"text":"Küche"},"id":"a"}';

async function assertCalls(
  line: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  await using folder = await TempFolder.make();
  const { serverKey, privateKey } = await registerProfile(folder);
  await writeModules(folder, {
    modules: { echo: "export const entry_call = ({ params }) => params;" },
  });
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(/INFO functions: Functions: /);
  const args = [v2Url(server.url), serverKey, privateKey, REQUEST];
  const { code, out, err } = await run([...line, ...args], { cwd: HERE, env });
  assert.equal(code, 0, err);
  assert.equal(out.trim(), RESPONSE);
}

/** The client library calls a server that is not ours, twice with one ticket. */
async function assertServes(
  line: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  const pair = generateKeyPair();
  const [program = "", ...args] = [...line, formatKey(pair.privateKey)];
  const options = { args, env, stdin: "piped", stdout: "piped", stderr: "inherit" } as const;
  const server = new Deno.Command(program, options).spawn();
  const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const { value: url = "" } = await lines.read();
    const client = await connect({
      url: url.trim(),
      serverKey: formatKey(pair.publicKey),
      privateKey: formatKey(generateKeyPair().privateKey),
    });
    for (const text of ["Küche", "x".repeat(5000)]) {
      assert.deepEqual(await client.call("echo", { text }), { text });
    }
  } finally {
    await server.stdin.close();
    await lines.cancel();
    await server.status;
  }
}

testIf(
  await hasPython("dissononce", "nacl.bindings"),
  "python3-dissononce or python3-nacl is not installed",
  "dissononce (Python) says hello and calls, and serves the client library",
  async () => {
    await assertCalls([PYTHON, `${HERE}noise_client.py`]);
    await assertServes([PYTHON, `${HERE}noise_server.py`]);
  },
);

testIf(
  isInstalled("go") && isFile("/usr/share/gocode/src/github.com/flynn/noise/state.go"),
  "golang-go or golang-github-flynn-noise-dev is not installed",
  "flynn/noise (Go) says hello and calls, and serves the client library",
  async () => {
    await using cache = await TempFolder.make();
    const env = {
      GO111MODULE: "off",
      GOPATH: "/usr/share/gocode",
      GOCACHE: cache.path,
      GOFLAGS: "-buildvcs=false",
      HOME: cache.path,
    };
    const program = cache.join("noise_go");
    const built = await run(["/usr/bin/go", "build", "-o", program, "."], {
      cwd: `${HERE}noise_go`,
      env,
    });
    assert.equal(built.code, 0, built.err);
    await assertCalls([program]);
    await assertServes([program]);
  },
);
